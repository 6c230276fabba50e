"""The reader study of a study: taken in from a file, kept with the runs, computed again for every report."""

from __future__ import annotations

import hashlib
import hmac
import shutil
import time
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from infra.store import replace, to_json
from search_spaces.errors import StudyError

if TYPE_CHECKING:
    from evaluation.readers.study import ReaderStudy
    from orchestrator.plan import Plan
    from orchestrator.workspace import Workspace


def add_readers(plan: Plan, csv: Path, truth: Path | None, reference: str | None, threshold: float | None) -> str:
    """Check the file, keep it in place of an earlier one, and say in one sentence what was found.

    The truth comes from `truth` (columns case, truth), from a column of the file, or from the study's labels where the
    cases are its images. Raises StudyError for whatever cannot be used; then nothing is kept.
    """
    from evaluation.readers import load_readers, load_truth, reader_study

    ratings = _with_patients(plan, load_readers(csv))
    if truth is not None:
        ratings = _joined(ratings, load_truth(truth), truth)
    elif "truth" not in ratings.columns:
        ratings = ratings.join(_truth_of(plan, ratings, csv), on="case", how="left", maintain_order="left")
    study = reader_study(ratings, reference_modality=reference, threshold=threshold)
    if not (study.n_positive and study.n_negative):
        raise StudyError(
            f"{csv}: {study.n_positive} cases are positive and {study.n_negative} negative by their truth; "
            "readers can be compared on cases of both kinds only, add some of the other."
        )
    _keep(plan.workspace, ratings, study.reference, threshold)
    cases = f"{study.n_positive} positive and {study.n_negative} negative cases"
    compared = f"{', '.join(map(repr, study.modalities[:-1]))} against {study.reference!r}"
    left_out = f" ({study.flag})" if study.flag else ""
    readers = f"{len(study.readers)} reader{'s' * (len(study.readers) != 1)}"
    return f"Reader study: {readers}, {cases}, {compared}{left_out}."


def remove_readers(workspace: Workspace) -> bool:
    """Take the reader study out of the run store; False if there is none."""
    folder = _folder(workspace)
    if not folder.exists():
        return False
    (folder / "settings.json").unlink(missing_ok=True)  # first: without it there is no reader study
    shutil.rmtree(folder)
    return True


def kept_readers(workspace: Workspace, *, named: bool = True) -> ReaderStudy | None:
    """The reader study as it is kept, None without one; unless `named`, readers are called "reader 1" and so on.

    Raises StudyError if its files are not as they were kept.
    """
    from evaluation.readers import reader_study

    settings = workspace.run_store.kept_once("readers/settings")
    if settings is None:
        return None
    path = _ratings(workspace, settings)
    if not path.exists() or settings["hash"] != _hash(ratings := pl.read_parquet(path), settings):
        raise StudyError(f"{path}: not the ratings that settings.json names; add the reader study again.")
    if not named:
        ratings = _without_names(ratings)
    return reader_study(ratings, reference_modality=settings["reference"], threshold=settings["threshold"])


def _keep(workspace: Workspace, ratings: pl.DataFrame, reference: str, threshold: float | None) -> None:
    """Ratings lie in a file named by their hash: until the settings name it, the earlier ones count."""
    how = {"reference": reference, "threshold": threshold}
    settings = {**how, "hash": _hash(ratings, how), "added_at": time.strftime("%Y-%m-%d %H:%M:%S %z")}
    before = workspace.run_store.kept_once("readers/settings")
    written = BytesIO()
    ratings.write_parquet(written)
    replace(_ratings(workspace, settings), written.getvalue())
    replace(_folder(workspace) / "settings.json", to_json(settings))
    if before is not None and before["hash"] != settings["hash"]:
        _ratings(workspace, before).unlink(missing_ok=True)


def _hash(ratings: pl.DataFrame, settings: Mapping[str, object]) -> str:
    how = to_json({name: settings[name] for name in ("reference", "threshold")})
    return hashlib.sha256(ratings.write_csv().encode() + how).hexdigest()[:16]


def _ratings(workspace: Workspace, settings: Mapping[str, object]) -> Path:
    return _folder(workspace) / f"ratings-{settings['hash']}.parquet"


def _folder(workspace: Workspace) -> Path:
    return workspace.run_store.root / "readers"


def _without_names(ratings: pl.DataFrame) -> pl.DataFrame:
    """Numbered by order of appearance; zeros in front keep the order of ten and more."""
    names = ratings["reader"].unique(maintain_order=True).to_list()
    digits = len(str(len(names)))
    numbers = [f"reader {number:0{digits}d}" for number in range(1, len(names) + 1)]
    return ratings.with_columns(pl.col("reader").replace_strict(names, numbers))


def _joined(ratings: pl.DataFrame, truth: pl.DataFrame, path: Path) -> pl.DataFrame:
    found = ratings.drop("truth", strict=False).join(truth, on="case", how="left", maintain_order="left")
    unknown = found.filter(pl.col("truth").is_null())["case"].unique(maintain_order=True)
    if len(unknown):
        raise StudyError(f"{path}: {len(unknown)} of the cases have no truth, the first is {unknown[0]!r}; add them.")
    return found


def _with_patients(plan: Plan, ratings: pl.DataFrame) -> pl.DataFrame:
    """Patients of cases that are images of the study, so that those with several images count as one.

    Ids that the file gives are kept as keyed hashes, like all ids of patients in a store.
    """
    if "patient" in ratings.columns:
        ids = ratings["patient"].unique().to_list()
        hashed = [hmac.new(plan.workspace.salt(), each.encode(), hashlib.sha256).hexdigest() for each in ids]
        return ratings.with_columns(pl.col("patient").replace_strict(ids, hashed))
    images = _images(plan)
    cases = ratings["case"].unique()
    if not cases.is_in(images["case"].implode()).all():
        return ratings
    return ratings.join(images.select("case", "patient"), on="case", how="left", maintain_order="left")


def _images(plan: Plan) -> pl.DataFrame:
    """case, center, image, patient: images by their id, by their file where its name is unique, and by center/file."""
    frames = [pl.DataFrame(schema=dict.fromkeys(("case", "center", "image", "patient"), pl.String))]
    for name, center in plan.cohort.centers.items():
        images = center.images.select("image", "patient").with_columns(center=pl.lit(name))
        files = pl.read_parquet(center.folder / "files.parquet", columns=["path", "image"]).drop_nulls()
        known = files.join(images, on="image")
        ways = (
            images.with_columns(case="image"),
            known.with_columns(case="path"),
            known.with_columns(case=pl.concat_str(pl.lit(f"{name}/"), "path")),
        )
        frames += [way.select("case", "center", "image", "patient") for way in ways]
    found = pl.concat(frames).unique(maintain_order=True)
    return found.filter(~pl.col("case").is_duplicated())


def _truth_of(plan: Plan, ratings: pl.DataFrame, csv: Path) -> pl.DataFrame:
    """case, truth by the arms' rules; of sealed centers not even the labels are opened."""
    from orchestrator.reporting.results import labels

    mend = "give the truth in a column `truth` or with --truth"
    cases = ratings.select("case").unique(maintain_order=True)
    found = cases.join(_images(plan), on="case", how="left", maintain_order="left")
    unknown = found.filter(pl.col("image").is_null())["case"]
    if len(unknown):
        raise StudyError(f"{csv}: case {unknown[0]!r} is no image of the study by id, file or center/file; {mend}.")
    is_open = plan.external_open
    sealed = found.filter(pl.col("center").is_in(list(plan.workspace.study.cohort.external)))
    if len(sealed) and not is_open:
        row = sealed.row(0, named=True)
        raise StudyError(
            f"{csv}: case {row['case']!r} is of {row['center']}, whose labels are sealed until every locked replicate "
            f"is finished; sweep to the end first, or {mend}."
        )
    rules = labels(plan, open_external=is_open).group_by("image").agg(pl.col("label").unique())
    known = found.join(rules, on="image", how="left", maintain_order="left")
    bad = known.filter(pl.col("label").list.len().fill_null(0) != 1)
    if len(bad):
        why = (
            "no arm counts its label as positive or negative" if bad["label"][0] is None else "arms differ in its label"
        )
        raise StudyError(f"{csv}: the truth of case {bad['case'][0]!r} is not known, {why}; {mend}.")
    return known.select("case", truth=pl.col("label").list.first())
