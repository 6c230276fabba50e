from __future__ import annotations

import json

import polars as pl
import pytest

from orchestrator.intake import known, take_in
from orchestrator.lock import read_lock
from orchestrator.plan import Plan, make_plan
from orchestrator.reporting.results import compare_cells, predictions
from orchestrator.schedule import State
from orchestrator.selection import Selection
from orchestrator.workspace import Workspace
from tests.contracts.cohort import workspace_of
from tests.orchestrator.here import run_here
from trainables import TASKS


@pytest.fixture(scope="module")
def cohort_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sealed")


@pytest.mark.slow
@pytest.mark.parametrize("task", sorted(TASKS))
def test_every_task_runs_to_its_external_predictions_without_the_external_labels(cohort_folder, task):
    workspace = workspace_of(cohort_folder, task)
    take_in(workspace, lambda _: None)
    hidden = workspace.center("b") / "labels.parquet"
    hidden.rename(hidden.with_suffix(".hidden"))
    try:
        schedule, payloads = run_here(workspace)
    finally:
        hidden.with_suffix(".hidden").rename(hidden)

    assert schedule.reasons == {}
    assert set(schedule.states.values()) == {State.FINISHED}
    external = [
        payload for payload in payloads if payload["job"]["center"] == "b" and payload["job"]["kind"] == "predict"
    ]
    assert external
    assert all(str(hidden) not in json.dumps(payload) for payload in payloads)

    table = predictions(plan_of(workspace), open_external=True)
    scores = table.filter(pl.col("role") == "external")["score"]
    assert len(scores) > 0
    assert scores.is_between(0, 1).all()
    asked = {variant for job in plan_of(workspace).jobs.values() for variant in job.recipe.get("variants", [])}
    assert set(table.filter(pl.col("role") == "external")["variant"]) == asked


@pytest.mark.slow
def test_while_the_seal_is_closed_no_external_label_is_read_though_predictions_are_there(cohort_folder):
    workspace = workspace_of(cohort_folder, "radiomics")
    take_in(workspace, lambda _: None)
    run_here(workspace)
    fit = next(job for job in plan_of(workspace).jobs.values() if job.kind == "fit")
    (workspace.run_store.root / "finished" / f"{fit.key}.json").unlink()
    assert "external" in predictions(plan_of(workspace), open_external=True)["role"]

    hidden = workspace.center("b") / "labels.parquet"
    hidden.rename(hidden.with_suffix(".hidden"))
    try:
        comparison = compare_cells(plan_of(workspace), read_lock(workspace))
    finally:
        hidden.with_suffix(".hidden").rename(hidden)

    assert comparison.scores.height > 0
    assert "external" not in comparison.scores["role"]


def plan_of(workspace: Workspace) -> Plan:
    return make_plan(workspace, known(workspace), Selection())
