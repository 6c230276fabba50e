from __future__ import annotations

import time

import pytest

from infra.environment import code_version
from infra.lease import Lease
from infra.store import replace, to_json
from orchestrator.intake import known, take_in
from orchestrator.lock import write_lock, write_opened
from orchestrator.plan import make_plan
from orchestrator.progress.reading import Reading
from orchestrator.schedule import State
from orchestrator.selection import Selection
from tests.orchestrator.places import make_workspace


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    workspace = make_workspace(tmp_path_factory.mktemp("watched"))
    take_in(workspace, lambda _: None)
    return workspace


@pytest.fixture
def plan(ingested, tmp_path):
    """A run store of its own for each test, on the same ingested centers."""
    (tmp_path / "cohorts").symlink_to(ingested.root / "cohorts")
    workspace = type(ingested)(tmp_path, ingested.study)
    return make_plan(workspace, known(workspace), Selection())


def job_of(plan, kind):
    return next(job for job in plan.jobs.values() if job.kind == kind)


def start(plan, job, *epochs):
    attempt = plan.workspace.run_store.start_attempt(job.to_dict(), {})
    for epoch, auc in enumerate(epochs, 1):
        row = {"epoch": epoch, "time_ms": 0, "metrics": {"validation/auc": auc}}
        replace(attempt / "journal" / f"{epoch:06d}.json", to_json(row))
    return attempt


def finish(plan, job, **result):
    record = {"started": time.time(), "ended": time.time(), "result": result}
    plan.workspace.run_store.publish(job.key, start(plan, job), record)


def fail(plan, job, *, deterministic=True, code=None, ended=None):
    facts = {"error": "ValueError: no such tensor", "deterministic": deterministic, "code": code or code_version()}
    plan.workspace.run_store.record_failure(job.key, {**facts, "ended": ended or time.time()})


def test_a_job_that_runs_is_told_with_its_newest_epoch(plan):
    job = job_of(plan, "pretrain")
    start(plan, job, 0.6, 0.7)

    found = Reading(plan, 2.0).snapshot()

    (running,) = found.running
    assert (running.name, running.epoch, running.epochs, running.metric) == (job.name, 2, job.epochs, "auc 0.700")
    assert found.count(State.RUNNING) == 1
    assert found.count() == len(plan.jobs)


def test_what_finished_counts_for_its_cell_with_its_best_value(plan):
    trials = [job for job in plan.jobs.values() if job.kind == "tune"]
    finish(plan, trials[0], value=0.7)
    fits = [job for job in plan.jobs.values() if job.kind == "fit" and job.cell == trials[0].cell]
    finish(plan, fits[0], value=0.8)

    reading = Reading(plan, 2.0)
    before = reading.snapshot()
    finish(plan, fits[1], value=0.75)
    after = reading.snapshot()

    cell = next(cell for cell in before.cells if cell.cell == trials[0].cell)
    assert (cell.trials, cell.replicates, cell.replicates_planned, cell.best) == (1, 1, 2, 0.8)
    assert after.count(State.FINISHED) == before.count(State.FINISHED) + 1 == 3


def test_a_failure_of_this_sweep_is_told_and_blocks_what_needs_it(plan):
    job = job_of(plan, "pretrain")
    fail(plan, job)

    found = Reading(plan, 2.0).snapshot()

    assert found.failures[0].name.startswith(f"{job.name}, 0:0")
    assert found.failures[0].error == "ValueError: no such tensor"
    assert found.count(State.FAILED) == 1
    assert found.count(State.BLOCKED) > 0


def test_attempts_and_failures_of_an_earlier_sweep_are_history(plan):
    lost, failed = job_of(plan, "pretrain"), job_of(plan, "tune")
    start(plan, lost)
    fail(plan, failed, deterministic=False)
    with Lease(plan.workspace.lease):
        pass
    with Lease(plan.workspace.lease):
        found = Reading(plan, 2.0).snapshot()

    assert found.running == ()
    assert found.failures == ()
    assert found.count(State.WAITING) == len(plan.jobs)


def test_a_job_that_is_tried_again_after_a_failure_runs(plan):
    job = job_of(plan, "pretrain")
    fail(plan, job, ended=time.time() - 5)
    start(plan, job)

    found = Reading(plan, 2.0).snapshot()

    assert [running.name for running in found.running] == [job.name]
    assert found.count(State.FAILED) == 0


def test_a_trial_that_waits_at_a_rung_does_not_run(plan):
    job = job_of(plan, "tune")
    attempt = start(plan, job, 0.6)
    plan.workspace.run_store.record_rung(job.key, 1, {"value": 0.6, "attempt": attempt.name})

    assert Reading(plan, 2.0).snapshot().running == ()


def test_the_seal_says_how_many_locked_replicates_it_waits_for(plan):
    notes = Reading(plan, 2.0).snapshot().notes
    write_lock(plan.workspace, plan.expansion.cells, plan.jobs.values(), plan.cohort.fingerprints)
    finish(plan, job_of(plan, "fit"), value=0.8)
    locked = Reading(plan, 2.0).snapshot().notes
    write_opened(plan.workspace, [])

    assert notes == ("not locked yet; external results are sealed",)
    assert locked == ("external results sealed: 3 of 4 locked replicates to go",)
    assert Reading(plan, 2.0).snapshot().notes[0].startswith("external results open since 2")


def test_reading_writes_nothing(plan):
    start(plan, job_of(plan, "pretrain"), 0.5)
    root = plan.workspace.run_store.root
    before = sorted((path, path.stat().st_mtime_ns) for path in root.rglob("*"))

    Reading(plan, 2.0).snapshot()

    assert sorted((path, path.stat().st_mtime_ns) for path in root.rglob("*")) == before
