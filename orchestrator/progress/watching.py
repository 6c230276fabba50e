"""`osteogrid status --watch`: a sweep seen from another terminal or node, through the run store alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.live import Live

from infra.lease import holder_of, was_released
from orchestrator.plan import Plan
from orchestrator.progress.drawing import View
from orchestrator.progress.reading import Reading
from orchestrator.progress.snapshot import Snapshot

Sleep = Callable[[float], None]


def watch(plan: Callable[[], Plan], console: Console, interval: float, *, sleep: Sleep = time.sleep) -> None:
    """Show a running sweep every `interval` seconds until its driver is gone; Ctrl-C ends the view, not the sweep.

    A live view in a terminal, elsewhere a line each time that something changed. `plan` makes the plan anew: while
    radiographs are still being read, the keys of jobs are not known yet.
    """
    made = plan()
    name = made.workspace.study.name
    if holder_of(made.workspace.lease) is None:
        console.print(f"{name}: no sweep runs now; `osteogrid status` tells what is done.", soft_wrap=True)
        return
    screen = _Screen(console) if console.is_terminal else _Lines(console)
    try:
        with screen:
            for title, snapshot in _moments(plan, made, interval, sleep):
                screen.show(title, snapshot)
    except KeyboardInterrupt:
        return
    ended = "the sweep has ended."
    gone = "the sweep's driver is gone before its end; `make sweep` goes on from there."
    console.print(f"{name}: {ended if was_released(made.workspace.lease) else gone}", soft_wrap=True)


def _moments(plan: Callable[[], Plan], made: Plan, interval: float, sleep: Sleep) -> Iterator[tuple[str, Snapshot]]:
    """A title and a snapshot every so often, and once more after the driver is gone."""
    reading, cores = None, float(os.cpu_count() or 1)
    while True:
        holder = holder_of(made.workspace.lease)
        if reading is None or made.not_ingested:
            made = plan()
            reading = Reading(made, cores)
        with suppress(FileNotFoundError):  # an attempt that lost against another was removed while it was read
            snapshot = reading.snapshot()
            waits = f"reading radiographs: {', '.join(made.not_ingested)}"
            notes = (waits, *snapshot.notes) if made.not_ingested else snapshot.notes
            yield _title(made.workspace.study.name, holder), replace(snapshot, notes=notes)
        if holder is None:
            return
        sleep(interval)


def _title(name: str, holder: Mapping[str, Any] | None) -> str:
    return f"{name}: " + (
        f"process {holder['pid']} on {holder['host']}, since {holder['since']}" if holder else "ended"
    )


@dataclass
class _Screen:
    """A terminal: one view that is drawn again and stays when all is over."""

    console: Console
    _live: Live | None = None

    def __enter__(self) -> None:
        self._live = Live(console=self.console, auto_refresh=False, vertical_overflow="crop")
        self._live.start()

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, title: str, snapshot: Snapshot) -> None:
        if self._live is not None:
            self._live.update(View(snapshot, title), refresh=True)


@dataclass
class _Lines:
    """A file or pipe: a line when something changed."""

    console: Console
    _said: str = ""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, title: str, snapshot: Snapshot) -> None:
        said = "; ".join([snapshot.counts(), *snapshot.notes])
        if said != self._said:
            self._said = said
            self.console.print(
                "; ".join([title.split(":")[0] + ": " + snapshot.line(), *snapshot.notes]), soft_wrap=True
            )
