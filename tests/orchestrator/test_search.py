"""Tune's view of a schedule, without a cluster."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from infra.store import RunStore
from orchestrator.progress.live import Progress
from orchestrator.schedule import State
from tests.orchestrator.tuning.test_halving import Batch

pytestmark = pytest.mark.slow  # importing Ray Tune takes seconds


class Sweep:
    """A searcher over one batch of trials; the test plays Tune."""

    def __init__(self, folder) -> None:
        from orchestrator.search import StudySearcher

        self.batch = Batch(RunStore(folder), trials=2, parallel=2, rungs=[1])
        self.schedule = self.batch.schedule
        console = Console(file=io.StringIO())
        progress = Progress(self.schedule, console, {}, parallel=2)
        self.searcher = StudySearcher(self.schedule, lambda job: {"key": job.key}, self.batch.store, progress)
        self.started = 0

    def start(self) -> str:
        """What Tune is given: the key of a job, or what it is told instead."""
        self.started += 1
        config = self.searcher.suggest(f"trial{self.started}")
        return json.loads(config["payload"])["key"] if isinstance(config, dict) else str(config)

    def end(self, number: int, **message) -> None:
        self.searcher.on_trial_complete(f"trial{number}", {"message": json.dumps(message)})

    def come(self, number: int, value: float) -> None:
        """A trial's process ends at its rung."""
        self.batch.store.record_rung(f"t{number}", 1, {"value": value})
        self.end(number + 1, state="paused", epoch=1)


@pytest.fixture
def sweep(tmp_path) -> Sweep:
    found = Sweep(tmp_path)
    assert [found.start(), found.start()] == ["t0", "t1"]
    return found


def test_a_paused_trial_is_not_lost_and_goes_on_when_its_batch_has_come_there(sweep):
    sweep.come(0, 0.9)

    assert sweep.start() == "None"  # a live job may release it
    sweep.come(1, 0.8)

    assert [sweep.start(), sweep.start()] == ["t0", "t1"]
    assert sweep.schedule.tries == {"t0": 1, "t1": 1}
    assert sweep.schedule.reasons == {}


def test_a_trial_whose_process_died_after_it_had_recorded_its_rung_is_not_lost(sweep):
    sweep.batch.store.record_rung("t0", 1, {"value": 0.9})

    sweep.end(1, state="lost", error="the job's process ended with code -9")

    assert sweep.schedule.tries["t0"] == 0
    assert sweep.schedule.states["t0"] is State.WAITING


def test_a_trial_that_was_ended_at_a_limit_is_left_to_the_next_sweep_and_holds_up_nobody(sweep):
    sweep.end(1, state="failed", error="over its limit resources.hours", deterministic=False)
    sweep.come(1, 0.8)

    assert sweep.start() == "t1"
    assert sweep.schedule.states["t0"] is State.FAILED
    assert "t0" in sweep.schedule.retriable
    assert sweep.start() == "None"


def test_tune_is_told_to_end_only_when_nothing_waits_at_a_rung(sweep):
    sweep.come(0, 0.9)
    sweep.come(1, 0.8)
    assert [sweep.start(), sweep.start()] == ["t0", "t1"]
    for number in (3, 4, 5, 6):
        sweep.searcher.on_trial_complete(f"trial{number}", {}, error=True)
        sweep.start()

    for number in (7, 8):
        sweep.end(number, state="failed", error="x", deterministic=True)

    assert sweep.start() == "FINISHED"
