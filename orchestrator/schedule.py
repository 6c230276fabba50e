"""Which job may run next: needs, the seal, capacity, retries. No Ray in here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.forecast import longest_paths
from orchestrator.resources import Capacity, Shape
from orchestrator.tuning.halving import Halving
from search_spaces.job import Job

MAX_TRIES = 3
"""A job whose process or node was lost is tried so often; one that raised an error is not tried again."""


class State(StrEnum):
    """Where a job stands in this run."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    BLOCKED = "blocked"


ENDED = {State.FINISHED, State.FAILED, State.BLOCKED}


@dataclass
class Schedule:
    """The jobs of one run and how far each has come.

    `settled_elsewhere`: locked replicates that this run does not contain but that are finished or failed for good.
    """

    jobs: Mapping[str, Job]
    shapes: Mapping[str, Shape]
    capacity: Capacity
    finished: Collection[str] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    locked_fits: Collection[str] = ()
    settled_elsewhere: Collection[str] = ()
    halving: Halving | None = None
    """Where tuning trials stand; without it there are no rungs."""
    states: dict[str, State] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    retriable: set[str] = field(default_factory=set)
    """Jobs that failed or are blocked in this run, but not for good: the next sweep tries them again."""
    tries: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.states = {key: State.FINISHED if key in self.finished else State.WAITING for key in self.jobs}
        self._settled_before = set(self.finished) | set(self.settled_elsewhere)
        paths = longest_paths(self.jobs.values())
        self._order = sorted(self.jobs, key=lambda key: -paths[key])
        for key, reason in self.failed.items():
            if self.states.get(key) is State.WAITING:
                self.fail(key, reason)

    def next(self) -> Job | None:
        """Start the most urgent job that is ready and fits; None if there is none at this moment."""
        free = self.capacity.minus(self.shapes[key] for key in self.running)
        seal_open = self.seal_is_open
        for key in self._order:
            job = self.jobs[key]
            if self.states[key] is State.WAITING and free.holds(self.shapes[key]) and self._is_ready(job, seal_open):
                self.states[key] = State.RUNNING
                self.tries[key] = self.tries.get(key, 0) + 1
                return job
        return None

    @property
    def running(self) -> list[str]:
        """Keys of the jobs that run now."""
        return [key for key, state in self.states.items() if state is State.RUNNING]

    @property
    def seal_is_open(self) -> bool:
        """Whether every locked replicate is finished or failed for good, and there is one at all."""
        return bool(self.locked_fits) and not self.open_locks()

    def open_locks(self) -> list[str]:
        """Locked replicates that are not settled."""
        return [key for key in self.locked_fits if not self.is_settled(key)]

    def is_settled(self, key: str) -> bool:
        """Whether a job is finished or failed for good: no later sweep would run it."""
        return key in self._settled_before or (self.states.get(key) in ENDED and key not in self.retriable)

    def finish(self, key: str) -> None:
        """A job has a published result."""
        self.states[key] = State.FINISHED
        self.reasons.pop(key, None)

    def pause(self, key: str) -> bool:
        """Let a trial wait if it came to a rung since it was started; what it did counts, so its tries start anew."""
        if self.halving is None or not self.halving.has_come(key):
            return False
        self.states[key] = State.WAITING
        self.tries[key] = 0
        return True

    def lose(self, key: str, reason: str) -> None:
        """A job's process or node was lost: try again, a few times."""
        if self.tries[key] < MAX_TRIES:
            self.states[key] = State.WAITING
        else:
            self.fail(key, f"{reason} ({MAX_TRIES} tries)", for_good=False)

    def fail(self, key: str, reason: str, *, for_good: bool = True) -> None:
        """A job failed, for good or for this run; what needs it is blocked."""
        self.states[key] = State.FAILED
        self.reasons[key] = reason
        if not for_good:
            self.retriable.add(key)
        self._block_dependents()

    def count(self, state: State) -> int:
        """How many jobs are in a state."""
        return sum(1 for other in self.states.values() if other is state)

    def held(self) -> list[Job]:
        """External predictions that wait for locked replicates which this run does not contain."""
        if self.seal_is_open:
            return []
        return [job for key, job in self.jobs.items() if job.sealed and self.states[key] is State.WAITING]

    def _is_ready(self, job: Job, seal_open: bool) -> bool:
        if job.sealed and not seal_open:
            return False
        if any(self._state(key) is not State.FINISHED for key in job.needs):
            return False
        return all(self._has_ended(key) for key in job.trials) and self._may_go_on(job)

    def _may_go_on(self, job: Job) -> bool:
        """Whether a trial does not wait at a rung for the others of its batch."""
        return self.halving is None or self.halving.stage(job.key, self._has_ended) is not None

    def _has_ended(self, key: str) -> bool:
        return self._state(key) in ENDED

    def _state(self, key: str) -> State:
        return self.states.get(key, State.FINISHED if key in self.finished else State.WAITING)

    def _block_dependents(self) -> None:
        """Mark everything blocked that can no longer get what it needs."""
        changed = True
        while changed:
            changed = False
            for key, job in self.jobs.items():
                if self.states[key] is State.WAITING and (causes := self._lost(job)):
                    self.states[key], changed = State.BLOCKED, True
                    self.reasons[key] = _why(self.jobs[causes[0]], job)
                    if self.retriable & set(causes):
                        self.retriable.add(key)

    def _lost(self, job: Job) -> list[str]:
        """The failed or blocked jobs because of which a job can never start in this run."""
        lost = {State.FAILED, State.BLOCKED}
        needs = [key for key in job.needs if self._state(key) in lost]
        trials = [key for key in job.trials if self._state(key) in lost]
        return needs or (trials if len(trials) == len(job.trials) else [])


def _why(cause: Job, job: Job) -> str:
    return f"needs {cause.name}" if cause.key in job.needs else "none of its tuning trials finished"


def close_over_needs(wanted: Iterable[Job], jobs: Mapping[str, Job]) -> dict[str, Job]:
    """The wanted jobs and everything that they need, in the order of the study."""
    keys: set[str] = set()
    stack = [job.key for job in wanted]
    while stack:
        key = stack.pop()
        if key not in keys:
            keys.add(key)
            stack.extend((*jobs[key].needs, *jobs[key].trials))
    return {key: job for key, job in jobs.items() if key in keys}
