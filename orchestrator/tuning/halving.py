"""Successive halving within a batch of trials: who goes on after a rung, decided once all of them have come there.

After Jamieson & Talwalkar (2016), inside one cell and one batch only, so that every cell of an arm has the same budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from infra.store import RunStore
from search_spaces.arms import Tune
from search_spaces.job import Job, key_of

Rank = tuple[float, int]
"""Value at a rung, and minus the number of the trial: of two equal values the earlier trial is the better one."""


@dataclass(frozen=True)
class Stage:
    """What a job trains now: up to which epoch, and whether only to publish what it has, because it was pruned."""

    until: int
    pruned: bool = False


@dataclass
class Halving:
    """Where each trial stands, from the records of the run store: the same for whoever asks, and after any restart.

    A rung is decided when every trial of the batch has a value there or has ended. The decision, the rank of the last
    trial that was kept, is written once: a trial that comes later, after a failure, is measured by it.
    """

    jobs: Mapping[str, Job]
    store: RunStore
    _values: dict[str, dict[int, float]] = field(default_factory=dict)
    _bars: dict[tuple[str, int], Rank] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._batches: dict[str, list[Job]] = {}
        for job in self.jobs.values():
            if rungs_of(job):
                self._batches.setdefault(batch_of(job), []).append(job)

    def stage(self, key: str, has_ended: Callable[[str], bool]) -> Stage | None:
        """What a job trains next; None while its batch is on its way to the rung where it waits."""
        job = self.jobs[key]
        for rung in rungs_of(job):
            if rung not in self.values(key):
                return Stage(rung)
            bar = self._bar(batch_of(job), rung, has_ended)
            if bar is None:
                return None
            if self._rank(job, rung) < bar:
                return Stage(rung, pruned=True)
        return Stage(job.epochs)

    def has_come(self, key: str) -> bool:
        """Whether a trial has a value at a further rung than when this was last looked up."""
        before = self._values.pop(key, {})
        return len(self.values(key)) > len(before)

    def values(self, key: str) -> dict[int, float]:
        """Rung -> value of one trial, as far as it has come."""
        if key not in self._values:
            self._values[key] = {rung: float(record["value"]) for rung, record in self.store.rungs(key).items()}
        return self._values[key]

    def _bar(self, batch: str, rung: int, has_ended: Callable[[str], bool]) -> Rank | None:
        """The rank from which on trials go on; None while a trial of the batch is still on its way."""
        if (batch, rung) not in self._bars:
            there = [job for job in self._batches[batch] if rung in self.values(job.key)]
            absent = [job for job in self._batches[batch] if job not in there]
            kept = self.store.kept_once(f"bars/{batch}/{rung:06d}")
            if kept is None:
                if not all(has_ended(job.key) or self._was_pruned(job, rung, has_ended) for job in absent):
                    return None
                kept = self._decide(batch, rung, there)
            self._bars[batch, rung] = (float(kept["value"]), -int(kept["trial"]))
        return self._bars[batch, rung]

    def _was_pruned(self, job: Job, rung: int, has_ended: Callable[[str], bool]) -> bool:
        """Whether a trial that has not come to a rung was pruned at an earlier one, published or not."""
        stage = self.stage(job.key, has_ended)
        return stage is not None and stage.pruned and stage.until < rung

    def _decide(self, batch: str, rung: int, there: list[Job]) -> dict[str, float]:
        ranks = sorted((self._rank(job, rung) for job in there), reverse=True)
        value, number = ranks[kept_of(len(ranks), there[0].recipe["tune"]["keep"]) - 1]
        return self.store.once(f"bars/{batch}/{rung:06d}", lambda: {"value": value, "trial": -number, "of": len(ranks)})

    def _rank(self, job: Job, rung: int) -> Rank:
        value = self.values(job.key)[rung]
        return (-math.inf if math.isnan(value) else value, -(job.trial or 0))


def rungs_of(job: Job) -> tuple[int, ...]:
    """Epochs at which a job is judged: of tuning trials only."""
    return tuple(job.recipe.get("tune", {}).get("rungs", ())) if job.kind == "tune" else ()


def batch_of(job: Job) -> str:
    """Name of the batch a trial was asked in: trials of one cell and one budget."""
    assert job.trial is not None
    rest = {name: value for name, value in job.recipe.items() if name != "trial"}
    return key_of({**rest, "kind": "batch", "batch": job.trial // job.recipe["tune"]["parallel"]})


def kept_of(number: int, share: float) -> int:
    """How many of so many trials go on after a rung: at least one."""
    return max(1, math.ceil(share * number - 1e-9))


def mean_epochs(tune: Tune) -> float:
    """Epochs that a trial trains on average, if none fails."""
    ends = (*tune.rungs, tune.epochs)
    total = 0
    for first in range(0, tune.trials, tune.parallel):
        number = min(tune.parallel, tune.trials - first)
        for before, end in zip((0, *ends), ends, strict=False):
            total += number * (end - before)
            number = kept_of(number, tune.keep)
    return total / tune.trials if tune.trials else 0.0
