"""What MLflow holds of a tuned study, read back with its own client."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.intake import known
from orchestrator.journal import job_records
from orchestrator.lock import read_lock
from orchestrator.plan import make_plan
from orchestrator.recording import Recorder
from orchestrator.resources import Capacity
from orchestrator.selection import Selection
from tests.orchestrator.fake_tasks import curve
from tests.orchestrator.here import run_here
from tests.orchestrator.tuning.test_halving import FAKES, Kill, halved


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A study that was run, with a choice and a number tuned and one value fixed, at its upper bound."""
    fixed = {"weight_decay": 0.0999, "ema": "0.99"}
    space = halved(tmp_path_factory.mktemp("study"), search=["learning_rate", "schedule"], fixed=fixed)
    run_here(space, tasks=FAKES)
    return space


@pytest.fixture(scope="module")
def runs(workspace):
    """Runs of the experiment by level and kind, as the client returns them."""
    from mlflow import MlflowClient

    plan = make_plan(workspace, known(workspace), Selection())
    said = []
    recorder = Recorder(workspace.mlflow_uri, lambda: plan, None, said.append)
    assert recorder.replay(), said
    recorder.close()
    client = MlflowClient(workspace.mlflow_uri)
    found = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    return {
        kind: [run for run in found if kind in (run.data.tags.get("kind"), run.data.tags["level"])]
        for kind in ("tune", "fit", "cell")
    }


@pytest.mark.slow
def test_every_trial_has_all_hyperparameters_as_params_its_value_and_whether_it_was_pruned(runs):
    trials = sorted(runs["tune"], key=lambda run: int(run.data.tags["trial"]))

    tuned = [{name: run.data.params[name] for name in run.data.params if name not in AXES} for run in trials]
    assert {frozenset(params) for params in tuned} == {frozenset({"learning_rate", "schedule", "weight_decay", "ema"})}
    assert len({float(params["learning_rate"]) for params in tuned}) == 4
    assert [run.data.tags["pruned"] for run in trials] == ["false", "false", "true", "true"]
    assert [run.data.metrics["value"] for run in trials] == pytest.approx(
        [curve(0, 1), curve(1, 3), curve(2, 1), curve(3, 1)]
    )
    assert [run.data.metrics["epochs_trained"] for run in trials] == [3, 3, 1, 1]


AXES = {"backbone", "pretraining", "init", "task"}


@pytest.mark.slow
def test_replicates_and_their_cell_carry_the_choice_and_the_cell_what_of_it_lies_near_a_bound(runs):
    (winner,) = [run for run in runs["tune"] if run.data.tags["trial"] == "1"]
    (cell,) = runs["cell"]

    chosen = {name: value for name, value in winner.data.params.items() if name not in AXES}
    assert len(runs["fit"]) == 2
    for fit in runs["fit"]:
        assert {name: value for name, value in fit.data.params.items() if name not in AXES} == chosen
    assert {name: cell.data.tags[f"tuned_{name}"] for name in chosen} == chosen
    rate = float(chosen["learning_rate"])
    near = not 1e-5 * (1e4**0.05) <= rate <= 1e-1 / (1e4**0.05)
    assert cell.data.tags["near_bound"] == ("learning_rate" if near else "none")  # a fixed value is no optimum


@pytest.mark.slow
def test_a_curve_that_was_paused_is_in_one_piece(workspace, runs):
    from mlflow import MlflowClient

    (winner,) = [run for run in runs["tune"] if run.data.tags["trial"] == "1"]

    history = MlflowClient(workspace.mlflow_uri).get_metric_history(winner.info.run_id, "validation/auc")

    assert [(point.step, point.value) for point in history] == [(n, pytest.approx(curve(1, n))) for n in (1, 2, 3)]
    assert winner.info.status == "FINISHED"


def test_a_trial_that_waits_at_its_rung_is_running_with_its_hyperparameters_as_long_as_the_sweep_is(tmp_path):
    space = halved(tmp_path)

    def hear(message):
        if message["state"] == "paused":
            raise Kill

    with pytest.raises(Kill):
        run_here(space, tasks=FAKES, hear=hear)
    plan = make_plan(space, known(space), Selection())
    live = plan.schedule(Capacity(2), read_lock(space))

    (during,) = job_records(plan, live)
    (ended,) = job_records(plan, live, is_over=True)  # as after LIMIT, when nothing is left of the batch
    (after,) = job_records(plan, None)

    assert (during.status, ended.status, after.status) == ("running", "failed", "failed")
    assert set(during.hyperparameters) == {"learning_rate", "weight_decay", "augmentation"}
    assert not during.pruned


def test_a_trial_that_failed_once_and_waits_at_its_rung_now_carries_no_error(tmp_path, monkeypatch):
    space = halved(tmp_path)
    monkeypatch.setenv("FAKE_BEHAVIOR", "break@-t0")
    run_here(space, tasks=FAKES, selection=Selection(only={"kind": ("tune",)}))
    monkeypatch.setenv("FAKE_BEHAVIOR", "")

    def hear(message):
        if message["state"] == "paused":
            raise Kill

    with pytest.raises(Kill):
        run_here(space, tasks=FAKES, hear=hear)
    plan = make_plan(space, known(space), Selection())

    records = job_records(plan, plan.schedule(Capacity(2), read_lock(space)))

    (waits,) = [record for record in records if record.trial == 0]
    assert (waits.status, waits.error, waits.ended_ms) == ("running", "", None)


def test_replicates_carry_license_and_commercial_use_of_the_source(workspace):
    plan = make_plan(workspace, known(workspace), Selection())
    fits = {key: replace(job, pretraining="imagenet") for key, job in plan.jobs.items() if job.kind == "fit"}

    records = list(job_records(replace(plan, jobs={**plan.jobs, **fits}), None))

    terms = {record.kind: record.terms for record in records}
    assert terms["fit"]["license"] == "BSD-3-Clause weights, non-commercial images"
    assert terms["fit"]["commercial_use"] == "unknown"
    assert terms["tune"] == {}


def test_jobs_name_the_centers_that_they_learned_from_and_predictions_their_purpose(workspace):
    plan = make_plan(workspace, known(workspace), Selection())

    records = list(job_records(plan, None))

    used = {record.kind: [(each.name, each.context) for each in record.datasets] for record in records}
    assert used == {"tune": [("a", "training")], "fit": [("a", "training")], "predict": []}
    assert {record.purpose for record in records if record.kind == "predict"} == {"scores"}
    assert {record.purpose for record in records if record.kind == "fit"} == {""}
    (fit, *_) = [record for record in records if record.kind == "fit"]
    assert plan.cohort.fingerprints["a"]["images"].startswith(fit.datasets[0].digest)
