"""A report on disk, against what its predictions give."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import typer

from infra.store import replace
from orchestrator.arguments import JOBS_FAILED
from orchestrator.intake import take_in
from orchestrator.plan import Plan
from orchestrator.reporting.commands import report as command
from orchestrator.reporting.report import report
from orchestrator.reporting.verifying import Verification, verify
from search_spaces.errors import StudyError
from tests.orchestrator.here import run_here
from tests.orchestrator.places import STUDY, make_workspace, write_center
from tests.orchestrator.test_plan import planned

pytestmark = pytest.mark.slow  # a small study is run, and whole reports are computed
FAKES = "tests.orchestrator.fake_tasks:TASKS"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """One cell, run to its end and reported."""
    folder = tmp_path_factory.mktemp("verified")
    for name in ("a", "b"):
        write_center(folder / "data" / name, patients=12)
    grid = {"backbone": ["test_resnet"], "pretraining": ["none"], "init": ["scratch"]}
    workspace = make_workspace(folder, arms=[{**STUDY["arms"][0], "grid": grid}])
    take_in(workspace, lambda _: None)
    run_here(workspace, tasks=FAKES)
    plan = planned(workspace)
    report(plan, {}, "osteogrid sweep", None)
    return plan


@pytest.fixture
def plan(finished: Plan) -> Iterator[Plan]:
    """The same, put back as it was after the test."""
    root = finished.workspace.run_store.root
    study = finished.workspace.root.parent / "study.yaml"
    before = {path: path.read_bytes() for path in (study, *root.rglob("*")) if path.is_file()}
    yield finished
    for path in root.rglob("*"):
        if path.is_file() and path not in before:
            path.unlink()
    for path, content in before.items():
        if not path.exists() or path.read_bytes() != content:
            replace(path, content)


def told(found: Verification) -> list[str]:
    return [str(difference) for difference in found.differences]


def test_a_report_that_was_just_written_is_verified_and_nothing_is_written(plan: Plan) -> None:
    root = plan.workspace.root
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}

    found = verify(plan, {})

    assert told(found) == []
    assert found.files > 0
    assert found.tables > 25
    assert found.values > 1000
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_a_value_that_was_changed_in_a_table_is_named_with_its_row_and_column(plan: Plan) -> None:
    path = plan.workspace.report / "tables" / "performance.csv"
    table = pl.read_csv(path)
    changed = table["auc"][0] / 2 + 0.01
    path.write_text(table.with_columns(auc=pl.Series([changed, *table["auc"][1:]])).write_csv())

    (sentence,) = told(verify(plan, {}))

    assert sentence.startswith("tables/performance.csv, row ")
    assert f"column auc: found '{changed}', computed again it is {table['auc'][0]}" in sentence


def test_a_number_that_was_changed_in_the_page_is_named_with_its_section(plan: Plan) -> None:
    page = plan.workspace.report / "report.html"
    text = page.read_text()
    at = text.index('<section id="cohort"')
    page.write_text(text[:at] + text[at:].replace(">12<", ">13<", 1))

    (sentence,) = told(verify(plan, {}))

    assert sentence == "report.html, section cohort: found '13', computed again it is '12'."


def test_predictions_that_were_altered_are_named_before_anything_is_computed(plan: Plan) -> None:
    key = next(key for key in plan.finished if plan.jobs[key].kind == "predict")
    path = plan.workspace.run_store.published(key) / "predictions.parquet"
    pl.read_parquet(path).with_columns(score=1 - pl.col("score")).write_parquet(path)

    found = verify(plan, {})

    (sentence,) = told(found)
    assert plan.jobs[key].name in sentence
    assert "predictions.parquet" in sentence
    assert found.tables == 0


def test_a_lock_that_was_altered_is_named(plan: Plan) -> None:
    lock = plan.workspace.lock
    replace(lock, lock.read_bytes().replace(b'"holm"', b'"hommel"'))

    assert told(verify(plan, {})) == ["lock.json: the lock was altered after it was written: its hash is another."]


def test_files_that_lack_or_are_too_many_are_named(plan: Plan) -> None:
    tables = plan.workspace.report / "tables"
    (tables / "roc.csv").unlink()
    (tables / "best.csv").write_text("auc\n1\n")

    assert told(verify(plan, {})) == [
        "tables/roc.csv: the file is missing.",
        "tables/best.csv: the report has no such table.",
    ]


def test_a_plan_that_was_changed_after_the_report_makes_the_report_differ(plan: Plan) -> None:
    folder = plan.workspace.root.parent
    arm = plan.workspace.study.arms[0].model_dump(mode="json")
    late = planned(make_workspace(folder, arms=[arm], analysis={"thresholds": ["youden"]}))

    places = {difference.file for difference in verify(late, {}).differences}

    assert {"tables/changes.csv", "tables/operating_points.csv", "report.html"} <= places
    assert not list(plan.workspace.run_store.root.glob("changes/*"))


def test_a_study_without_a_report_is_refused(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    take_in(workspace, lambda _: None)

    with pytest.raises(StudyError, match=r"report.html: there is no report yet; write it with `osteogrid report`"):
        verify(planned(workspace), {})


def test_the_command_ends_with_1_where_something_differs(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    study, store = plan.workspace.root.parent / "study.yaml", plan.workspace.root
    command(study, store, verify=True)
    assert capsys.readouterr().out.startswith("Verified: ")

    (plan.workspace.report / "tables" / "roc.csv").unlink()
    with pytest.raises(typer.Exit) as ended:
        command(study, store, verify=True)
    assert ended.value.exit_code == JOBS_FAILED
    assert "tables/roc.csv: the file is missing." in capsys.readouterr().out
