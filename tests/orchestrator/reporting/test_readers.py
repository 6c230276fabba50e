"""A reader study of a study: taken in, kept with the runs, shown by every report."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from orchestrator.changes import changes
from orchestrator.cli import app
from orchestrator.intake import take_in
from orchestrator.lock import read_lock, write_lock
from orchestrator.reporting.readers import add_readers, kept_readers, remove_readers
from orchestrator.reporting.report import _to_share, context_of, report
from search_spaces.errors import StudyError
from tests.orchestrator.places import make_workspace
from tests.orchestrator.test_plan import planned, publish

DOCS = Path(__file__).resolve().parents[3] / "docs" / "readers.md"
(EXAMPLE,) = re.findall(r"^```csv\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def plan(tmp_path):
    workspace = make_workspace(tmp_path)
    take_in(workspace, lambda _: None)
    return planned(workspace)


@pytest.fixture
def example(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text(EXAMPLE)
    return path


def add(plan: Any, csv: Path, truth: Path | None = None) -> str:
    return add_readers(plan, csv, truth, "without AI", 3)


def ratings_of(images: list[str], path: Path) -> Path:
    """Two readers who rate later images higher, the same in both modalities."""
    rows = [
        f"{reader},{image},{modality},{place + bonus}"
        for reader, bonus in (("Ada", 0), ("Ben", 1))
        for modality in ("without AI", "with AI")
        for place, image in enumerate(images)
    ]
    path.write_text("\n".join(["reader,case,modality,rating", *rows]) + "\n")
    return path


def files_of(plan: Any, center: str) -> list[str]:
    return pl.read_parquet(plan.cohort.centers[center].folder / "files.parquet")["path"].to_list()


def open_centers(plan: Any) -> Any:
    write_lock(plan.workspace, plan.expansion.cells, plan.jobs.values(), plan.cohort.fingerprints)
    for job in plan.jobs.values():
        if job.kind == "fit":
            publish(plan.workspace, job)
    return planned(plan.workspace)


def test_the_example_of_the_documentation_is_kept_and_found_again(plan, example):
    said = add(plan, example)

    assert said == "Reader study: 3 readers, 2 positive and 2 negative cases, 'with AI' against 'without AI'."
    study = kept_readers(plan.workspace)
    assert study.readers == ("Ada", "Ben", "Eva")
    assert study.groups.select("value", "n_readers").rows() == [("resident", 2), ("specialist", 1)]
    assert study.operating_points["threshold"].unique().to_list() == [3]


def test_adding_again_replaces_and_removing_leaves_nothing(plan, example, tmp_path):
    add(plan, example)
    fewer = tmp_path / "fewer.csv"
    fewer.write_text("".join(line for line in EXAMPLE.splitlines(keepends=True) if not line.startswith("Eva")))

    add(plan, fewer)
    assert kept_readers(plan.workspace).readers == ("Ada", "Ben")

    assert remove_readers(plan.workspace)
    assert kept_readers(plan.workspace) is None
    assert not remove_readers(plan.workspace)


def test_a_file_that_cannot_be_used_leaves_the_kept_study_alone(plan, example):
    add(plan, example)
    example.write_text(EXAMPLE.replace("Ada,resident,2,case 1,without AI,4,1", "Ada,resident,2,case 1,without AI,,1"))

    with pytest.raises(StudyError, match="row 2: rating is empty"):
        add(plan, example)

    assert kept_readers(plan.workspace).n_positive == 2


def test_a_process_that_ended_before_the_settings_were_written_leaves_the_earlier_study(plan, example, tmp_path):
    folder = plan.workspace.run_store.root / "readers"
    add(plan, example)
    earlier = {path: path.read_bytes() for path in folder.iterdir()}
    fewer = tmp_path / "fewer.csv"
    fewer.write_text("".join(line for line in EXAMPLE.splitlines(keepends=True) if not line.startswith("Eva")))
    add(plan, fewer)

    for path, content in earlier.items():
        if path.name == "settings.json" or not path.exists():
            path.write_bytes(content)

    assert kept_readers(plan.workspace).readers == ("Ada", "Ben", "Eva")


def test_names_of_readers_who_were_replaced_do_not_stay_in_the_store(plan, example, tmp_path):
    add(plan, example)
    fewer = tmp_path / "fewer.csv"
    fewer.write_text("".join(line for line in EXAMPLE.splitlines(keepends=True) if not line.startswith("Eva")))

    add(plan, fewer)

    (kept,) = (plan.workspace.run_store.root / "readers").glob("*.parquet")
    assert "Eva" not in pl.read_parquet(kept)["reader"]


def test_ids_of_patients_are_kept_as_hashes_that_still_say_who_is_one_patient(plan, example):
    heading, *rows = EXAMPLE.splitlines()
    patients = {"case 1": "Muster 1970", "case 2": "Muster 1970", "case 3": "Roe 1980", "case 4": "Doe 1990"}
    named = [f"{row},{next(who for case, who in patients.items() if case in row)}" for row in rows]
    example.write_text("\n".join([f"{heading},patient", *named]) + "\n")

    add(plan, example)

    (kept,) = (plan.workspace.run_store.root / "readers").glob("*.parquet")
    found = dict(pl.read_parquet(kept).select("case", "patient").unique().iter_rows())
    assert found["case 1"] == found["case 2"]
    assert len({*found.values()}) == 3
    assert not {"Muster 1970", "Roe 1980", "Doe 1990"} & {*found.values()}


def test_cases_of_one_kind_only_are_refused_and_nothing_is_kept(plan, tmp_path):
    path = tmp_path / "negative.csv"
    rows = [f"Ada,case {case},{modality},1,0" for case in (1, 2) for modality in ("unaided", "aided")]
    path.write_text("\n".join(["reader,case,modality,rating,truth", *rows]) + "\n")

    with pytest.raises(StudyError, match="0 cases are positive and 2 negative by their truth"):
        add_readers(plan, path, None, None, None)

    assert kept_readers(plan.workspace) is None


def test_ratings_that_were_altered_in_the_run_store_are_refused(plan, example):
    add(plan, example)
    (path,) = (plan.workspace.run_store.root / "readers").glob("*.parquet")
    pl.read_parquet(path).with_columns(rating=pl.col("rating") + 1).write_parquet(path)

    with pytest.raises(StudyError, match=r"not the ratings that settings.json names; add the reader study again"):
        kept_readers(plan.workspace)


def test_readers_lose_their_names_and_nothing_else_for_the_shared_report(plan, example):
    add(plan, example)

    named, shared = kept_readers(plan.workspace), kept_readers(plan.workspace, named=False)

    assert shared.readers == ("reader 1", "reader 2", "reader 3")
    assert shared.changes["difference"].to_list() == named.changes["difference"].to_list()
    assert shared.about["group"].to_list() == ["resident", "resident", "specialist"]


def test_truth_comes_from_a_file_of_its_own_and_must_be_whole(plan, example, tmp_path):
    truth = tmp_path / "truth.csv"
    truth.write_text("case,truth\ncase 1,0\ncase 2,0\ncase 3,1\ncase 4,1\n")
    before = add(plan, example) and kept_readers(plan.workspace).changes["auc"].to_list()

    add(plan, example, truth)

    assert kept_readers(plan.workspace).changes["auc"].to_list() == pytest.approx([1 - auc for auc in before])
    truth.write_text("case,truth\ncase 1,0\n")
    with pytest.raises(StudyError, match="3 of the cases have no truth, the first is 'case 2'"):
        add(plan, example, truth)


def test_labels_of_a_sealed_center_are_not_read(plan, tmp_path):
    images = plan.cohort.centers["b"].images["image"].to_list()
    (plan.cohort.centers["b"].folder / "labels.parquet").unlink()

    with pytest.raises(StudyError, match="is of b, whose labels are sealed until every locked replicate is finished"):
        add(plan, ratings_of(images, tmp_path / "r.csv"))


@pytest.mark.parametrize("by", ["image", "center/file"])
def test_truth_and_patients_of_opened_images_come_from_the_study(plan, tmp_path, by):
    opened = open_centers(plan)
    files = [f"b/{path}" for path in files_of(opened, "b")]
    cases = opened.cohort.centers["b"].images["image"].to_list() if by == "image" else files

    said = add(opened, ratings_of(cases, tmp_path / "r.csv"))

    assert "2 readers, 4 positive and 4 negative cases" in said
    (path,) = (opened.workspace.run_store.root / "readers").glob("*.parquet")
    kept = pl.read_parquet(path)
    assert kept["patient"].n_unique() == 8


def test_a_file_that_two_centers_have_and_a_case_that_none_has_are_refused(plan, tmp_path):
    opened = open_centers(plan)

    for cases in (files_of(opened, "b"), ["nobody"]):
        with pytest.raises(StudyError, match=r"case '.+' is no image of the study by id, file or center/file; give"):
            add(opened, ratings_of(cases, tmp_path / "r.csv"))


def test_readers_before_the_lock_are_locked_and_later_ones_are_a_change(plan, example):
    add(plan, example)
    write_lock(plan.workspace, plan.expansion.cells, plan.jobs.values(), plan.cohort.fingerprints)
    lock = read_lock(plan.workspace)
    assert changes(plan, lock) == []

    add_readers(plan, example, None, "without AI", 4)
    (other,) = changes(plan, lock)
    remove_readers(plan.workspace)
    (gone,) = changes(plan, lock)

    assert (other.what, other.exploratory, other.sections) == (
        "The reader study was changed.",
        "the reader study",
        ("readers",),
    )
    assert (gone.what, gone.exploratory) == ("The reader study was locked and has been taken out.", "")


@pytest.mark.slow
def test_every_report_holds_the_section_and_the_shared_one_no_name(plan, example):
    write_lock(plan.workspace, plan.expansion.cells, plan.jobs.values(), plan.cohort.fingerprints)
    add(plan, example)

    page = report(plan, {}, "osteogrid readers", None)
    shared = next(iter(_to_share(context_of(plan, {}, "osteogrid track"), plan.workspace).values()))

    assert ">Ada<" in page.read_text()
    assert "The reader study: The reader study was added" in page.read_text()
    written = [path.read_text() for path in (shared, *(shared.parent / "tables").glob("*.csv"))]
    assert [name for text in written for name in ("Ada", "Ben<", "Ben,", "Eva") if name in text] == []
    assert any("reader 1" in text for text in written)

    remove_readers(plan.workspace)
    report(plan, {}, "osteogrid readers", None)
    assert "No reader study was added" in page.read_text()
    assert not list(page.parent.glob("tables/readers_*"))


@pytest.mark.parametrize("words", [["report"], ["readers", "--remove"]])
def test_a_store_that_cannot_be_written_is_refused_in_a_sentence(plan, tmp_path, words):
    root = plan.workspace.run_store.root
    root.rename(tmp_path / "away")
    root.write_text("a file where the run store should be")

    done = CliRunner().invoke(app, [words[0], str(tmp_path / "study.yaml"), "--store", str(root.parent), *words[1:]])

    assert isinstance(done.exception, StudyError)
    assert "the run store cannot be written" in str(done.exception)
