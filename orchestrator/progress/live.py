"""What the terminal of a sweep shows while it runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.text import Text

from orchestrator.progress.drawing import View
from orchestrator.progress.snapshot import (
    Failure,
    Running,
    Snapshot,
    cells_of,
    seconds_left,
    shown_metric,
    validation_value,
    work_of,
)
from orchestrator.schedule import Schedule, State

_PLAIN_INTERVAL = 30.0
_LEFT = {State.WAITING, State.RUNNING}


@dataclass
class _Started:
    """A job that was handed to a worker."""

    since: float
    epoch: int = 0
    metric: str = ""
    best: float | None = None


@dataclass
class Progress:
    """A live table in a terminal; a plain line every half minute elsewhere."""

    schedule: Schedule
    console: Console
    estimates: Mapping[str, float]
    parallel: float
    running: dict[str, _Started] = field(default_factory=dict)
    started_at: float = field(default_factory=time.monotonic)
    _live: Live | None = None
    _last_line: float = 0.0
    _done: list[str] = field(default_factory=list)
    _values: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> Progress:
        if self.console.is_terminal:
            self._live = Live(get_renderable=self.render, console=self.console, refresh_per_second=2, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
        self.console.print(self.line())

    def started(self, key: str) -> None:
        """A job was handed to a worker."""
        self.running[key] = _Started(time.monotonic())
        self._say()

    def advanced(self, key: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """A job finished an epoch."""
        job = self.running.get(key)
        if job is not None:
            job.epoch, job.metric = epoch, shown_metric(metrics)
            value = validation_value(metrics)
            job.best = job.best if value is None else max(value, job.best or value)

    def paused(self, key: str) -> None:
        """A trial came to a rung and waits for the others of its batch."""
        self.running.pop(key, None)
        self._say()

    def ended(self, key: str) -> None:
        """A job ended, in whatever way."""
        job = self.running.pop(key, None)
        self._done.append(key)
        if self.schedule.states[key] is State.FINISHED and job is not None and job.best is not None:
            self._values[key] = job.best
        if self.schedule.states[key] is State.FAILED:
            # As Text: brackets in an error are no markup, and some would end the sweep as an error of rich.
            self.console.print(
                Text.assemble(("failed", "red"), f" {self.schedule.jobs[key].name}: {self.schedule.reasons[key]}")
            )
        self._say()

    def line(self) -> str:
        """One line: counts, time passed and left."""
        return self.snapshot().line()

    def render(self) -> View:
        """The live view."""
        return View(self.snapshot())

    def snapshot(self) -> Snapshot:
        """How far the sweep has come."""
        jobs, states, now = self.schedule.jobs, self.schedule.states, time.monotonic()
        passed = now - self.started_at
        waiting = [key for key, state in states.items() if state in _LEFT]
        running = [(jobs[key], job) for key, job in list(self.running.items())]
        failed = [key for key in reversed(self._done) if states[key] is State.FAILED]
        return Snapshot(
            work=work_of(jobs.values(), states),
            running=tuple(
                Running(named.name, job.epoch, named.epochs, job.metric, now - job.since) for named, job in running
            ),
            failures=tuple(Failure(jobs[key].name, self.schedule.reasons[key]) for key in failed),
            cells=cells_of(jobs.values(), states, self._values),
            seconds=passed,
            seconds_left=seconds_left(waiting, self.estimates, self._done, passed=passed, parallel=self.parallel),
            per_minute=60 * len(self._done) / passed if self._done else None,
        )

    def _say(self) -> None:
        now = time.monotonic()
        if self._live is None and now - self._last_line >= _PLAIN_INTERVAL:
            self._last_line = now
            self.console.print(self.line())
