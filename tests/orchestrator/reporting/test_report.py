"""From published trainings to what the report says of them: tuning histories, certificates, coefficients."""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from orchestrator.intake import known, take_in
from orchestrator.plan import Plan, make_plan
from orchestrator.reporting.certificates import certificates, trainings
from orchestrator.reporting.coefficients import coefficients, elastic_net_rows
from orchestrator.reporting.contradictions import contradictions
from orchestrator.reporting.histories import trials, tuning_rows
from orchestrator.reporting.report import report
from orchestrator.selection import Selection
from orchestrator.sweep import Request, sweep
from orchestrator.workspace import Workspace
from tests.orchestrator.here import run_here
from tests.orchestrator.places import STUDY, make_workspace, write_center

pytestmark = pytest.mark.slow  # every test runs a small study from ingestion to its records
FAKES = "tests.orchestrator.fake_tasks:TASKS"
LEAKING = "tests.orchestrator.reporting.report_tasks:LEAKING"
RADIOMICS = "tests.orchestrator.reporting.report_tasks:RADIOMICS"
CELL = "classification/test_resnet-none-scratch"


def study_of(folder: Path, **arm: Any) -> Workspace:
    """A study of one scratch cell, ingested."""
    for name in ("a", "b"):
        write_center(folder / "data" / name, patients=12)
    alone = {"backbone": ["test_resnet"], "pretraining": ["none"], "init": ["scratch"]}
    workspace = make_workspace(folder, arms=[{**STUDY["arms"][0], "grid": alone, **arm}])
    take_in(workspace, lambda _: None)
    return workspace


def plan_of(workspace: Workspace) -> Plan:
    return make_plan(workspace, known(workspace), Selection())


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Four trials in batches of two, thinned after the first of three epochs; the last trial fails."""
    workspace = study_of(
        tmp_path_factory.mktemp("tuned"), tune={"trials": 4, "epochs": 3, "parallel": 2, "rungs": [1], "keep": 0.5}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKE_BEHAVIOR", "fail@tune classification/test_resnet-none-scratch-t3")
        run_here(workspace, tasks=FAKES)
    return plan_of(workspace)


def test_every_trial_is_told_with_how_it_ended_and_what_it_tried(tuned: Plan) -> None:
    table = trials(tuned)

    assert table.select("cell", "trial", "state", "epochs_trained").rows() == [
        (CELL, 0, "finished", 3),
        (CELL, 1, "pruned", 1),
        (CELL, 2, "finished", 3),
        (CELL, 3, "failed", 0),
    ]
    assert table["value"].is_null().to_list() == [False, False, False, True]
    assert table["learning_rate"].n_unique() == 4
    assert {"weight_decay", "augmentation"} <= set(table.columns)


def test_the_chosen_trial_is_the_one_that_replicates_follow(tuned: Plan) -> None:
    (row,) = tuning_rows(tuned)

    chosen = trials(tuned).filter(pl.col("chosen"))
    fits = [tuned.finished[job.key] for job in tuned.jobs.values() if job.kind == "fit"]
    assert chosen["trial"].to_list() == [row["chosen"]]
    assert chosen["learning_rate"].to_list() == [fits[0]["hyperparameters"]["learning_rate"]]
    assert (row["trials"], row["epochs"], row["finished"], row["pruned"], row["failed"]) == (4, 3, 2, 1, 1)
    assert (row["epochs_trained"], row["rate_low"], row["rate_high"]) == (7, 1e-5, 1e-1)


def test_a_trial_that_was_mended_later_and_wins_is_not_the_chosen_one(tuned: Plan) -> None:
    key = next(job.key for job in tuned.jobs.values() if job.kind == "tune" and job.trial == 0)
    better = {**tuned.finished[key], "result": {"value": 0.99}}

    (before,) = tuning_rows(tuned)
    (after,) = tuning_rows(replace(tuned, finished={**tuned.finished, key: better}))

    assert before["chosen"] != 0
    assert after["chosen"] == before["chosen"]


def test_the_report_shows_histories_and_certificates(tuned: Plan) -> None:
    page = report(tuned, {}, "osteogrid report", None)

    tables = page.parent / "tables"
    assert pl.read_csv(tables / "trials.csv").height == 4
    assert pl.read_csv(tables / "tuning.csv")["pruned"].to_list() == [1]
    (row,) = pl.read_csv(tables / "certificates.csv").to_dicts()
    assert (row["cell"], row["replicates"], row["init"]) == (CELL, 2, "scratch")
    assert row["checked"] == "nothing loaded; rate read back; trained weights moved"
    assert pl.read_csv(tables / "findings.csv").is_empty()
    assert 'role="alert"' not in page.read_text()


def test_before_a_replicate_is_published_nothing_is_chosen(tmp_path: Path) -> None:
    plan = plan_of(study_of(tmp_path))

    assert trials(plan)["state"].to_list() == ["not run"]
    assert [row["chosen"] for row in tuning_rows(plan)] == [None]
    assert list(certificates(plan, trainings(plan))) == []


def test_trainings_that_leak_into_each_other_are_a_problem_on_top_of_the_report(tmp_path: Path) -> None:
    workspace = study_of(tmp_path, tune={"trials": 2, "epochs": 1, "parallel": 2})
    run_here(workspace, tasks=LEAKING)
    plan = plan_of(workspace)

    found = contradictions(plan)
    page = report(plan, {}, "osteogrid report", None)

    assert {finding.kind for finding in found} == {"alike"}
    assert len(found) == 3  # two trials and two folds: four trainings with one end
    assert 'role="alert"' in page.read_text()
    failures = pl.read_csv(page.parent / "tables" / "failures.csv")
    assert failures["error"].str.contains("ended with the same weights").all()
    assert failures.height == 3


def test_a_sweep_that_ends_with_a_contradiction_has_a_problem_and_says_which(tmp_path: Path) -> None:
    workspace = study_of(tmp_path)
    run_here(workspace, tasks=LEAKING)
    said = StringIO()

    outcome = sweep(workspace, Request(tasks=LEAKING), Console(file=said, width=1000))

    (sentence,) = outcome.contradictions.values()
    assert sentence.startswith(f"{CELL}-f0-s0 and {CELL}-f1-s0 ended with the same weights")
    assert set(outcome.problems.values()) == {sentence}
    assert sentence in said.getvalue()
    assert sentence in unescape(outcome.report.read_text())


def test_elastic_nets_are_summed_up_over_their_replicates(tmp_path: Path) -> None:
    arm = {"task": "radiomics", "labels": STUDY["arms"][0]["labels"], "parts": 2}
    for name in ("a", "b"):
        write_center(tmp_path / "data" / name, patients=24)
        boxes = "".join(f"{patient}.png,4,4,12,12\n" for patient in range(24))
        (tmp_path / "data" / name / "boxes.csv").write_text(f"file,x,y,width,height\n{boxes}")
    workspace = make_workspace(tmp_path, arms=[arm])
    take_in(workspace, lambda _: None)
    run_here(workspace, tasks=RADIOMICS)
    plan = plan_of(workspace)

    assert coefficients(plan).rows() == [
        ("radiomics/elasticnet-none-scratch", "rough", 2, 2, 0.5, 0.5, 0.5),
        ("radiomics/elasticnet-none-scratch", "flat", 2, 1, 0.25, 0.25, 0.25),
    ]
    rows = list(elastic_net_rows(plan))
    assert [(row["fold"], row["C"], row["C_at_bound"], row["selected"]) for row in rows] == [
        (0, 1.0, True, 2),
        (1, 1.0, True, 1),
    ]
    assert list(tuning_rows(plan)) == []
