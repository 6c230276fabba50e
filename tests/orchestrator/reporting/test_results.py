from __future__ import annotations

import polars as pl
import pytest
from typer.testing import CliRunner

from infra.privacy import check_metrics
from orchestrator.cli import app
from orchestrator.intake import known, take_in
from orchestrator.journal import job_records
from orchestrator.lock import read_lock
from orchestrator.plan import make_plan
from orchestrator.recording import cell_metrics, cell_records
from orchestrator.reporting.notes import leaderboard
from orchestrator.reporting.report import report
from orchestrator.reporting.results import compare_cells
from orchestrator.selection import Selection, parse_selection
from tests.orchestrator.here import run_here
from tests.orchestrator.places import make_workspace, write_center

pytestmark = pytest.mark.slow  # every test runs a small study from ingestion to the comparison
FAKES = "tests.orchestrator.fake_tasks:TASKS"
SCRATCH = "classification/test_resnet-none-scratch"


@pytest.fixture
def workspace(tmp_path):
    for name, patients in (("a", 24), ("b", 12)):
        write_center(tmp_path / "data" / name, patients=patients)
    found = make_workspace(tmp_path)
    take_in(found, lambda _: None)
    return found


def plan_of(workspace):
    return make_plan(workspace, known(workspace), Selection())


def compared(workspace):
    return compare_cells(plan_of(workspace), read_lock(workspace))


def test_after_a_whole_run_every_cell_has_its_external_auc(workspace):
    run_here(workspace, tasks=FAKES)

    metrics = cell_metrics(compared(workspace))

    assert set(metrics) == {SCRATCH, "classification/test_resnet-chest-transfer"}
    assert {"external/auc", "external/auc_ci_low", "b/auc", "reserve/auc"} <= set(metrics[SCRATCH])
    assert 0 <= metrics[SCRATCH]["external/auc"] <= 1
    names = ("average_precision", "single_auc_mean", "single_auc_sd", "brier", "calibration_slope")
    assert {f"{place}/{name}" for place in ("external", "reserve") for name in names} <= set(metrics[SCRATCH])
    rates = ("sensitivity", "specificity", "ppv", "npv")
    assert {f"external/{rate}_at_sensitivity_0.90" for rate in rates} <= set(metrics[SCRATCH])


def test_metrics_may_be_logged_and_come_from_raw_scores_and_carried_thresholds(workspace):
    run_here(workspace, tasks=FAKES)
    comparison = compared(workspace)

    metrics = cell_metrics(comparison)[SCRATCH]

    check_metrics(metrics)
    pooled = (pl.col("cell") == SCRATCH) & (pl.col("role") == "external") & (pl.col("center") == "all")
    raw = comparison.calibration.filter(pooled, pl.col("recalibration") == "none")
    assert metrics["external/brier"] == raw["brier"].item()
    first = comparison.operating_points.filter(
        pooled, pl.col("source") != "test", pl.col("rule") == "sensitivity>=0.90"
    )
    assert metrics["external/npv_at_sensitivity_0.90"] == pytest.approx(first["npv"].item(), nan_ok=True)


def test_the_leaderboard_is_a_table_with_average_precision(workspace):
    run_here(workspace, tasks=FAKES)

    heading, rule, *rows = leaderboard(compared(workspace)).splitlines()

    assert heading == "| cell | external AUC | 95 % interval | average precision | n+ / n- |"
    assert {line.count("|") for line in (heading, rule, *rows)} == {6}


def test_while_locked_replicates_are_missing_nothing_external_is_shown(workspace):
    run_here(workspace, tasks=FAKES)
    fit = next(job for job in plan_of(workspace).jobs.values() if job.kind == "fit")
    (workspace.run_store.root / "finished" / f"{fit.key}.json").unlink()

    comparison = compared(workspace)

    assert "external" not in comparison.performance["role"]
    assert "external" not in comparison.scores["role"]
    assert not any(name.startswith(("external", "b/")) for name in cell_metrics(comparison)[SCRATCH])
    assert "reserve AUC" in leaderboard(comparison)


def test_a_restricted_run_leaves_the_external_centers_closed(workspace):
    selection = parse_selection(workspace.study, "pretraining=none", "")

    schedule, payloads = run_here(workspace, tasks=FAKES, selection=selection)

    assert {payload["job"]["center"] for payload in payloads if payload["job"]["kind"] == "predict"} == {"a"}
    assert {job.center for job in schedule.held()} == {"b"}
    assert not workspace.opened.exists()


def test_the_opening_of_the_external_centers_is_dated_before_the_first_external_prediction(workspace):
    _, payloads = run_here(workspace, tasks=FAKES)

    first = next(payload["job"]["key"] for payload in payloads if payload["job"]["sealed"])
    started = (workspace.run_store.newest_attempt(first) / "job.json").stat().st_mtime
    assert workspace.opened.stat().st_mtime <= started


def test_all_replicates_of_a_cell_follow_the_selection_that_the_first_of_them_made(workspace):
    selection = parse_selection(workspace.study, "pretraining=none fold=0", "")
    run_here(workspace, tasks=FAKES, selection=selection)
    plan = plan_of(workspace)
    trial = next(job for job in plan.jobs.values() if job.kind == "tune" and job.pretraining == "none")
    path = workspace.run_store.root / "finished" / f"{trial.key}.json"
    path.write_text(path.read_text().replace('"learning_rate": 0.001', '"learning_rate": 0.05'))

    run_here(workspace, tasks=FAKES)

    fits = [job for job in plan.jobs.values() if job.kind == "fit" and job.pretraining == "none"]
    chosen = [workspace.run_store.finished_record(job.key)["hyperparameters"]["learning_rate"] for job in fits]
    assert chosen == [0.001, 0.001]


def test_every_job_becomes_one_record_with_its_journal(workspace):
    run_here(workspace, tasks=FAKES)

    records = list(job_records(plan_of(workspace), None))

    assert len(records) == 15
    assert {record.status for record in records} == {"finished"}
    assert all(len(record.epochs) == 1 for record in records)
    shared = next(record for record in records if record.kind == "pretrain")
    assert shared.used_by == ["classification/test_resnet-chest-transfer"]


def test_a_failed_job_is_recorded_as_failed_and_what_needs_it_as_blocked(workspace, monkeypatch):
    monkeypatch.setenv("FAKE_BEHAVIOR", "fail@pretrain")
    schedule, _ = run_here(workspace, tasks=FAKES)

    records = {record.name: record for record in job_records(plan_of(workspace), schedule)}

    assert records["pretrain-test_resnet-chest"].status == "failed"
    assert records["pretrain-test_resnet-chest"].error == "ValueError"
    assert records["classification/test_resnet-chest-transfer-f0-s0"].status == "blocked"


def test_a_cell_counts_its_published_replicates(workspace):
    run_here(workspace, tasks=FAKES)

    (first, _) = cell_records(plan_of(workspace), compared(workspace))

    assert (first.cell, first.replicates_published, first.replicates_planned) == (SCRATCH, 2, 2)


def test_quarantined_files_are_named_in_the_center_and_withheld_from_what_is_shared(tmp_path):
    write_center(tmp_path / "data" / "a", patients=24)
    (tmp_path / "data" / "a" / "5.png").write_bytes(b"\x89PNG broken")
    workspace = make_workspace(tmp_path)
    take_in(workspace, lambda _: None)
    run_here(workspace, tasks=FAKES)
    shared: list[str] = []

    class Listener:
        def replay(self, comparison, artifacts):
            shared.extend(path.read_text() for path in artifacts.values())

        def close(self):
            """Nothing to close."""

    page = report(plan_of(workspace), {}, "osteogrid report", Listener())

    assert "5.png" in page.read_text()
    assert shared
    assert not any("5.png" in text for text in shared)


def test_of_an_error_only_its_type_is_shared(workspace):
    run_here(workspace, tasks=FAKES)
    plan = plan_of(workspace)
    first, second = list(plan.jobs)[:2]
    problems = {first: "FileNotFoundError: no /srv/films/jane.dcm", second: "/srv/films/jane.dcm: has no pixels."}
    shared: list[str] = []

    class Listener:
        def replay(self, comparison, artifacts):
            shared.extend(path.read_text() for path in artifacts.values())

        def close(self):
            """Nothing to close."""

    page = report(plan, problems, "osteogrid report", Listener())

    assert "jane.dcm" in page.read_text()
    assert any("FileNotFoundError" in text for text in shared)
    assert not any("jane" in text for text in shared)


def test_a_report_names_the_command_without_the_place_of_the_study(workspace):
    run_here(workspace, tasks=FAKES)
    place = workspace.root.parent

    done = CliRunner().invoke(app, ["report", str(place / "study.yaml"), "--store", str(workspace.root)])

    assert done.exit_code == 0, done.exception
    page = (workspace.report / "report.html").read_text()
    assert "osteogrid report study.yaml" in page
    assert str(place) not in page


def test_two_runs_of_the_same_study_give_the_same_comparison(tmp_path):
    frames = []
    for name in ("one", "two"):
        workspace = make_workspace(tmp_path / name)
        take_in(workspace, lambda _: None)
        run_here(workspace, tasks=FAKES)
        frames.append(compared(workspace).performance)

    assert frames[0].equals(frames[1], null_equal=True)


def test_the_report_of_a_sealed_study_says_what_it_waits_for(workspace):
    run_here(workspace, tasks=FAKES, selection=parse_selection(workspace.study, "pretraining=none", ""))

    page = report(plan_of(workspace), {}, "osteogrid report", None)

    assert "2 of 4 locked replicates are neither finished nor failed for good" in page.read_text()
    table = pl.read_csv(workspace.report / "tables" / "performance.csv")
    assert "external" not in table["role"]
