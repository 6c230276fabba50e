"""How far a sweep has come at one moment, as plain values that any view can draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import nan

from orchestrator.schedule import State
from search_spaces.job import Job, in_order

METRICS = ("validation/auc", "validation/accuracy", "validation/map50", "train/loss", "train/box_loss")
"""What is shown of an epoch: the first of these that it has."""
_RISES = METRICS[:3]


@dataclass(frozen=True)
class Work:
    """The jobs of one kind and purpose, by state."""

    name: str
    states: Mapping[State, int]

    def count(self, *states: State) -> int:
        """How many are in one of the states; of all if none is given."""
        return sum(self.states[state] for state in states or State)


@dataclass(frozen=True)
class Running:
    """A job that runs now; `metric` as text, `seconds` since it started."""

    name: str
    epoch: int
    epochs: int
    metric: str
    seconds: float


@dataclass(frozen=True)
class Failure:
    """A job that failed, and why."""

    name: str
    error: str


@dataclass(frozen=True)
class CellProgress:
    """Replicates and trials of a cell that are finished, and the best validation value so far; NaN for none."""

    cell: str
    replicates: int
    replicates_planned: int
    trials: int
    trials_planned: int
    best: float = nan


@dataclass(frozen=True)
class Snapshot:
    """One moment. Seconds are of this sweep; `seconds_left` is None where nothing is left or nothing can be said."""

    work: tuple[Work, ...]
    running: tuple[Running, ...]
    failures: tuple[Failure, ...]
    """The newest first."""
    cells: tuple[CellProgress, ...]
    seconds: float
    seconds_left: float | None = None
    per_minute: float | None = None
    """Jobs that finished in a minute of this sweep."""
    notes: tuple[str, ...] = ()
    """Who runs it, the seal, what is being read."""

    def count(self, *states: State) -> int:
        """Jobs in one of the states, or all."""
        return sum(part.count(*states) for part in self.work)

    def counts(self) -> str:
        """Jobs by state in one line, the same as long as nothing happens."""
        parts = [f"{self.count(State.FINISHED)}/{self.count()} jobs done"]
        parts += [f"{self.count(state)} {state}" for state in (State.RUNNING, State.WAITING, State.FAILED)]
        if self.count(State.BLOCKED):
            parts.append(f"{self.count(State.BLOCKED)} blocked")
        return ", ".join(parts)

    def line(self) -> str:
        """The counts, time passed, the rate and time left."""
        rate = "" if self.per_minute is None else f", {self.per_minute:.1f} jobs a minute"
        left = "" if self.seconds_left is None else f", about {clock(self.seconds_left)} left"
        return f"{self.counts()}; {clock(self.seconds)} passed{rate}{left}"


def work_of(jobs: Iterable[Job], states: Mapping[str, State]) -> tuple[Work, ...]:
    """Jobs counted by kind and purpose, in the order in which they run."""
    counted: dict[str, Counter[State]] = {}
    for job in jobs:
        counted.setdefault(job.work, Counter())[states[job.key]] += 1
    return tuple(Work(name, counted[name]) for name in sorted(counted, key=in_order))


def cells_of(jobs: Iterable[Job], states: Mapping[str, State], values: Mapping[str, float]) -> tuple[CellProgress, ...]:
    """One per cell in the order of the study; `values`: validation value of a finished trial or replicate."""
    by_cell: dict[str, list[Job]] = {}
    for job in jobs:
        if job.cell and job.kind in {"tune", "fit"}:
            by_cell.setdefault(job.cell, []).append(job)
    return tuple(_cell(cell, found, states, values) for cell, found in by_cell.items())


def _cell(cell: str, jobs: list[Job], states: Mapping[str, State], values: Mapping[str, float]) -> CellProgress:
    done, planned = Counter[str](), Counter(job.kind for job in jobs)
    done.update(job.kind for job in jobs if states[job.key] is State.FINISHED)
    best = max((values[job.key] for job in jobs if job.key in values), default=nan)
    return CellProgress(cell, done["fit"], planned["fit"], done["tune"], planned["tune"], best)


def seconds_left(
    waiting: Iterable[str], estimates: Mapping[str, float], done: Iterable[str], *, passed: float, parallel: float
) -> float | None:
    """Estimated seconds for the jobs that wait or run; the pace of this sweep corrects rough estimates.

    `done`: jobs that ended in this sweep, `passed`: its seconds so far, `parallel`: core-seconds per second until
    enough of it is done to tell.
    """
    keys = list(waiting)
    if not keys:
        return None
    work = sum(estimates.get(key, 1.0) for key in keys)
    finished = sum(estimates.get(key, 0.0) for key in done)
    enough = finished > min(20.0, 0.1 * (work + finished)) and passed > 20
    pace = finished / passed if enough else parallel
    return work / max(pace, 0.1)


def shown_metric(metrics: Mapping[str, float]) -> str:
    """The number of an epoch that is shown, such as "auc 0.735"; empty without any."""
    name = next((name for name in METRICS if name in metrics), None)
    return "" if name is None else f"{name.split('/')[1]} {metrics[name]:.3f}"


def validation_value(metrics: Mapping[str, float]) -> float | None:
    """The validation metric of an epoch, if it has one of which more is better."""
    return next((metrics[name] for name in _RISES if name in metrics), None)


def clock(seconds: float) -> str:
    """Minutes and seconds, hours before them once there are any."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
