"""Brings a study's centers and corpora in, checks them, and deals the folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cohorts.manifest import Center
from orchestrator.suitability import check_centers, check_folds, deal_folds
from orchestrator.workspace import Workspace
from search_spaces.errors import StudyError
from search_spaces.recipes import Fingerprints
from search_spaces.study import StudySpec

Say = Callable[[str], None]


@dataclass(frozen=True)
class Cohort:
    """The ingested centers and corpora of a study."""

    centers: Mapping[str, Center]
    corpora: Mapping[str, Center]

    @property
    def fingerprints(self) -> Fingerprints:
        """Content hashes of everything that is ingested."""
        return {name: center.fingerprints for name, center in {**self.corpora, **self.centers}.items()}

    @property
    def sizes(self) -> dict[str, int]:
        """Images of each center and corpus."""
        return {name: int(center.counts["images"]) for name, center in {**self.corpora, **self.centers}.items()}


def known(workspace: Workspace) -> Cohort:
    """What is ingested already; reads a few small files and looks at no image."""
    study = workspace.study
    centers = {name: Center(workspace.center(name)) for name in study.cohort.centers}
    corpora = {name: Center(workspace.corpus(name)) for name in study.used_corpora}
    return Cohort(_there(centers), _there(corpora))


def take_in(workspace: Workspace, say: Say) -> Cohort:
    """Write phantoms where asked, ingest what is new or changed, check, and deal the folds.

    Raises StudyError, with nothing half-written, for what the user must mend.
    """
    study = workspace.study
    _write_phantoms(study, say)
    salt = workspace.salt()
    cohort = Cohort(dict(_centers(workspace, salt, say)), dict(_corpora(workspace, salt, say)))
    develop = [cohort.centers[name] for name in study.cohort.development]
    check_centers(study, cohort.centers, cohort.corpora)
    folds = deal_folds(study, develop)
    check_folds(study, develop, folds)
    write_frame(folds, workspace.folds)
    _check_leakage(workspace, cohort, say)
    return cohort


def _there(centers: dict[str, Center]) -> dict[str, Center]:
    return {name: center for name, center in centers.items() if (center.folder / "center.json").exists()}


def _write_phantoms(study: StudySpec, say: Say) -> None:
    from cohorts.sources.phantom import write_centers, write_corpus

    if study.cohort.phantom is not None:
        say(f"phantom centers in {study.cohort.data}")
        write_centers(study.cohort.phantom, study.cohort.centers, Path(study.cohort.data))
    for name in study.used_corpora:
        corpus = study.corpora[name]
        if corpus.phantom is not None:
            say(f"phantom corpus {name} in {corpus.data}")
            write_corpus(corpus.phantom, Path(corpus.data))


def _centers(workspace: Workspace, salt: bytes, say: Say) -> Iterator[tuple[str, Center]]:
    from cohorts.manifest import ingest_center

    study = workspace.study
    for name in study.cohort.centers:
        source = Path(study.cohort.data) / name
        if not source.is_dir():
            raise StudyError(
                f"{source}: center {name!r} of study {study.name!r} has no folder; put its radiographs and "
                "labels.csv there, or mend cohort.data."
            )
        center = ingest_center(
            name,
            source,
            workspace.center(name),
            size=study.preprocessing.size,
            salt=salt,
            patient_ids=study.cohort.patient_ids,
        )
        say(_summary(name, center))
        yield name, center


def _corpora(workspace: Workspace, salt: bytes, say: Say) -> Iterator[tuple[str, Center]]:
    from cohorts.manifest import ingest_corpus

    study = workspace.study
    for name in study.used_corpora:
        corpus = study.corpora[name]
        if not Path(corpus.data).is_dir():
            raise StudyError(
                f"{corpus.data}: corpus {name!r} has no folder; put its images there or mend corpora.{name}.data."
            )
        center = ingest_corpus(
            name,
            Path(corpus.data),
            workspace.corpus(name),
            size=min(study.preprocessing.size, 2 * corpus.pretrain.image_size),
            layout=corpus.layout,
            limit=corpus.limit,
            seed=corpus.seed,
            salt=salt,
        )
        say(_summary(name, center))
        yield name, center


def _summary(name: str, center: Center) -> str:
    counts = center.counts
    bad = len(center.quarantine)
    return f"{name}: {counts['images']} images of {counts['patients']} patients" + (
        f", {bad} quarantined" if bad else ""
    )


def _check_leakage(workspace: Workspace, cohort: Cohort, say: Say) -> None:
    """Write down every duplicate across centers and corpora; one that reaches an external center stops the study."""
    from orchestrator.leakage import find_leakage

    findings = find_leakage(workspace.study, cohort.centers, cohort.corpora)
    write_frame(findings, workspace.findings)
    for row in findings.iter_rows(named=True):
        say(
            f"{row['severity']}: {row['count']} {row['kind']} duplicates of {row['first']} and {row['second']}; "
            f"{row['note']}"
        )
    stops = findings.filter(pl.col("severity") == "stops")
    if len(stops):
        row = stops.row(0, named=True)
        raise StudyError(
            f"{row['second']}: {row['count']} {row['kind']} duplicates with {row['first']} ({row['note']}); "
            "an external center must hold nothing that training saw: remove those files, or leave one of the two out."
        )


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write a Parquet file so that readers see the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    frame.write_parquet(draft)
    draft.replace(path)
