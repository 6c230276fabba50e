"""What a person sees while a sweep runs: counts, running jobs, time left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.schedule import Schedule, State

_METRICS = ("validation/auc", "validation/accuracy", "validation/map50", "train/loss", "train/box_loss")
_PLAIN_INTERVAL = 30.0


@dataclass
class Running:
    """A job that runs now."""

    since: float
    epoch: int = 0
    metric: str = ""


@dataclass
class Progress:
    """A live table in a terminal; a plain line every half minute elsewhere."""

    schedule: Schedule
    console: Console
    estimates: Mapping[str, float]
    parallel: float
    running: dict[str, Running] = field(default_factory=dict)
    started_at: float = field(default_factory=time.monotonic)
    _live: Live | None = None
    _last_line: float = 0.0
    _done_work: float = 0.0

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
        self.running[key] = Running(time.monotonic())
        self._say()

    def advanced(self, key: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """A job finished an epoch."""
        job = self.running.get(key)
        if job is not None:
            name = next((name for name in _METRICS if name in metrics), None)
            job.epoch, job.metric = epoch, "" if name is None else f"{name.split('/')[1]} {metrics[name]:.3f}"

    def paused(self, key: str) -> None:
        """A trial came to a rung and waits for the others of its batch."""
        self.running.pop(key, None)
        self._say()

    def ended(self, key: str) -> None:
        """A job ended, in whatever way."""
        self.running.pop(key, None)
        self._done_work += self.estimates.get(key, 0.0)
        if self.schedule.states[key] is State.FAILED:
            # As Text: brackets in an error are no markup, and some would end the sweep as an error of rich.
            self.console.print(
                Text.assemble(("failed", "red"), f" {self.schedule.jobs[key].name}: {self.schedule.reasons[key]}")
            )
        self._say()

    def line(self) -> str:
        """One line: counts, time passed and left."""
        count = self.schedule.count
        parts = [
            f"{count(State.FINISHED)}/{len(self.schedule.jobs)} jobs done",
            f"{count(State.RUNNING)} running",
            f"{count(State.WAITING)} waiting",
            f"{count(State.FAILED)} failed",
        ]
        if count(State.BLOCKED):
            parts.append(f"{count(State.BLOCKED)} blocked")
        return ", ".join(parts) + f"; {_clock(time.monotonic() - self.started_at)} passed{self._left()}"

    def render(self) -> Group:
        """The live view."""
        table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
        for column in ("running", "epoch", "metric", "time"):
            table.add_column(column, overflow="ellipsis", no_wrap=True)
        for key, job in list(self.running.items())[:12]:
            named = self.schedule.jobs[key]
            epoch = f"{job.epoch}/{named.epochs}" if named.epochs else named.kind
            table.add_row(f"{named.kind} {named.name}", epoch, job.metric, _clock(time.monotonic() - job.since))
        done, total = self.schedule.count(State.FINISHED), len(self.schedule.jobs)
        bar = Table.grid()  # a bare bar ends without a line break
        bar.add_row(ProgressBar(total=max(total, 1), completed=done, width=60))
        return Group(Text(self.line()), bar, *([table] if self.running else []))

    def _left(self) -> str:
        waiting = [key for key, state in self.schedule.states.items() if state in {State.WAITING, State.RUNNING}]
        if not waiting:
            return ""
        work = sum(self.estimates.get(key, 1.0) for key in waiting)
        passed = time.monotonic() - self.started_at
        # Estimates are rough; the pace of this run corrects them once enough of it is done.
        pace = self._done_work / passed if self._done_work > 20 and passed > 20 else self.parallel
        return f", about {_clock(work / max(pace, 0.1))} left"

    def _say(self) -> None:
        now = time.monotonic()
        if self._live is None and now - self._last_line >= _PLAIN_INTERVAL:
            self._last_line = now
            self.console.print(self.line())


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
