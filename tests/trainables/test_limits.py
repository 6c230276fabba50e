"""Limits of memory and time, on real processes with tasks that only pretend."""

from __future__ import annotations

import os
import re

import pytest

from orchestrator.assignment import Assigner
from orchestrator.intake import known, take_in
from orchestrator.plan import make_plan
from orchestrator.resources import Shape
from orchestrator.selection import Selection
from tests.orchestrator.places import STUDY, make_workspace
from trainables.child import run_in_child
from trainables.limits import held_gigabytes

pytestmark = pytest.mark.slow


@pytest.fixture
def trial(tmp_path):
    """A workspace and what it takes to run its first tuning trial, of a hundred epochs, in a child."""
    grid = {"backbone": ["test_resnet"], "pretraining": ["none"], "init": ["scratch"]}
    tune = {"trials": 1, "epochs": 100, "parallel": 1}
    workspace = make_workspace(tmp_path, arms=[{**STUDY["arms"][0], "grid": grid, "tune": tune}])
    take_in(workspace, lambda text: None)
    plan = make_plan(workspace, known(workspace), Selection())
    shapes = dict.fromkeys(plan.jobs, Shape())
    assign = Assigner(workspace, plan.cohort, plan.jobs, shapes, "tests.orchestrator.fake_tasks:TASKS")
    (job,) = (job for job in plan.jobs.values() if job.kind == "tune")

    def payload(behavior: str = "", *, epoch_seconds: float = 0, **limits: float):
        environment = {
            "FAKE_BEHAVIOR": behavior,
            "FAKE_EPOCH_SECONDS": str(epoch_seconds),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }
        return {**assign(job), "device": "cpu", "limits": limits, "environment": environment}

    return workspace.run_store, job, payload


def test_a_job_that_holds_too_much_memory_is_ended_and_the_study_told_what_to_change(trial):
    store, job, payload = trial

    *_, last = run_in_child(payload("hoard900@tune", memory_gb=0.7))

    assert (last["state"], last["deterministic"]) == ("failed", False)
    record = store.failed()[job.key]
    assert record["error"] == last["error"]
    held = re.search(r"held ([\d.]+) GB", record["error"])
    assert held is not None
    assert 0.7 < float(held.group(1)) < 1.3  # seen on the way to 0.9 and what the libraries hold
    assert "over its limit resources.memory_gb of 0.7; raise it in the study, or lower batch_size" in record["error"]
    assert (record["type"], record["deterministic"]) == ("MemoryLimitError", False)
    assert record["attempt"] == store.newest_attempt(job.key).name
    assert job.name in record["traceback"]


def test_a_job_that_runs_too_long_is_ended_and_goes_on_from_its_checkpoint(trial):
    store, job, payload = trial

    *heard, last = run_in_child(payload(epoch_seconds=0.4, hours=4 / 3600))

    assert (last["state"], last["deterministic"]) == ("failed", False)
    record = store.failed()[job.key]
    assert record["type"] == "TimeLimitError"
    assert "over its limit resources.hours of 0.00111" in record["error"]
    reached = heard[-1]["epoch"]
    assert reached >= 1
    again = run_in_child(payload(epoch_seconds=0.01))
    assert next(again)["epoch"] in {reached, reached + 1}
    again.close()


def test_a_trial_that_came_to_its_rung_before_it_was_ended_has_not_failed(trial):
    store, job, payload = trial
    asked = payload("linger60@tune", hours=4 / 3600)
    asked["job"]["until"] = 1

    *_, last = run_in_child(asked)

    assert last == {"state": "paused", "epoch": 1}
    assert list(store.rungs(job.key)) == [1]
    assert store.failed() == {}


def test_a_job_within_its_limits_is_left_alone(trial):
    store, _, payload = trial

    *_, last = run_in_child(payload(epoch_seconds=0.02, memory_gb=4, hours=1))

    assert last["state"] == "finished"
    assert store.failed() == {}


def test_pages_of_a_mapped_file_are_not_counted_as_held(tmp_path):
    import numpy as np

    path = tmp_path / "shard.npy"
    np.save(path, np.ones((300, 1000, 1000), dtype=np.uint8))
    before = held_gigabytes(os.getpid())

    mapped = np.load(path, mmap_mode="r")
    assert int(mapped.sum(dtype=np.int64)) == 300_000_000
    after_mapping = held_gigabytes(os.getpid())
    own = np.ones(300_000_000, dtype=np.uint8)
    after_copy = held_gigabytes(os.getpid())

    assert after_mapping - before < 0.1
    assert after_copy - after_mapping > 0.2
    assert own.nbytes == mapped.nbytes
