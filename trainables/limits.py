"""Ends a job that holds more memory or runs longer than its arm allows, from outside of its process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

from infra.environment import code_version
from infra.store import RunStore

LOOK_EVERY_SECONDS = 0.5


@dataclass(frozen=True)
class Excess:
    """What a job was ended for."""

    type: str
    sentence: str


@dataclass
class Watch:
    """A thread that looks at a process and its children; a limit on addresses (RLIMIT_AS) would break CUDA.

    Memory is what they hold for themselves: pages of mapped files, such as the pixel store's, are not counted, since
    the system takes them back when it needs to.
    """

    job: dict[str, Any]
    memory_gb: float | None
    hours: float | None
    excess: Excess | None = None
    _began: float = field(default_factory=time.monotonic)
    _stop: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, payload: dict[str, Any]) -> Self:
        """The limits that a payload names."""
        limits = payload.get("limits", {})
        return cls(payload["job"], limits.get("memory_gb"), limits.get("hours"))

    @contextmanager
    def over(self, pid: int) -> Iterator[None]:
        """Watch a process until the block ends; nothing is started where there is no limit."""
        if self.memory_gb is None and self.hours is None:
            yield
            return
        thread = threading.Thread(target=self._keep_looking, args=(pid,), name="limits", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _keep_looking(self, pid: int) -> None:
        while not self._stop.wait(LOOK_EVERY_SECONDS):
            self.excess = self._look(pid)
            if self.excess is not None:
                _kill(pid)
                return

    def _look(self, pid: int) -> Excess | None:
        hours, arm = (time.monotonic() - self._began) / 3600, self.job["arm"]["name"]
        if self.hours is not None and hours > self.hours:
            return Excess(
                "TimeLimitError",
                f"Arm {arm!r}: the job ran {hours:.3g} hours, over its limit resources.hours of {self.hours:g}; raise "
                "it in the study, or run the sweep again: the job goes on from its checkpoint.",
            )
        if self.memory_gb is not None and (held := held_gigabytes(pid)) > self.memory_gb:
            return Excess(
                "MemoryLimitError",
                f"Arm {arm!r}: the job held {held:.3g} GB of main memory, over its limit resources.memory_gb of "
                f"{self.memory_gb:g}; raise it in the study, or lower batch_size or image_size.",
            )
        return None


def held_gigabytes(pid: int) -> float:
    """Main memory (10^9 bytes) that a process and its children hold for themselves; 0 once it is gone."""
    return sum(_held(process) for process in _family(pid)) / 1e9


def record_excess(store: RunStore, job: dict[str, Any], excess: Excess, seconds: float) -> None:
    """Keep the failure of a job that can no longer do so itself; the next sweep tries it again.

    A job that was published just before it was ended has not failed.
    """
    if store.finished_record(job["key"]) is not None:
        return
    attempt = store.newest_attempt(job["key"])
    ended = time.time()
    record = {
        "name": job["name"],
        "kind": job["kind"],
        "started": ended - seconds,
        "ended": ended,
        "code": code_version(),
        "hyperparameters": job["hyperparameters"],
        "attempt": attempt.name if attempt else None,
        "type": excess.type,
        "error": excess.sentence,
        "traceback": _log_of(attempt),
        "deterministic": False,
    }
    store.record_failure(job["key"], record)


def _log_of(attempt: Path | None) -> str:
    """What the ended attempt logged last; where it was, nobody can ask it any more."""
    path = None if attempt is None else attempt / "log.txt"
    return "" if path is None or not path.exists() else path.read_text(encoding="utf-8", errors="replace")[-4000:]


def _held(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        memory = process.memory_info()
        return int(memory.rss - getattr(memory, "shared", 0))
    return 0


def _family(pid: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _kill(pid: int) -> None:
    """End a process and its children, which would otherwise hold its connection open."""
    for process in _family(pid):
        with suppress(psutil.Error):
            process.kill()
