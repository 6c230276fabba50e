"""Reads from the run store alone how far a sweep has come: finished and failed records, attempts, journals."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.environment import code_version
from infra.lease import newest_number
from orchestrator.forecast import Sizes, estimate
from orchestrator.lock import Lock, read_lock
from orchestrator.plan import Plan
from orchestrator.progress.snapshot import (
    Failure,
    Running,
    Snapshot,
    cells_of,
    clock,
    seconds_left,
    shown_metric,
    work_of,
)
from orchestrator.schedule import State
from search_spaces.job import Job

Record = Mapping[str, Any]


@dataclass
class Reading:
    """The run store of a plan, read again and again: what cannot change any more is read once.

    Takes no lease and writes nothing. `parallel`: core-seconds per second until the sweep itself tells its pace.
    """

    plan: Plan
    parallel: float
    _finished: dict[str, Record] = field(default_factory=dict)
    _failed: dict[str, tuple[float, Record]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        study, sizes = self.plan.workspace.study, Sizes.of_study(self.plan.workspace.study, self.plan.cohort.sizes)
        self._estimates = {key: estimate(study, job, sizes) for key, job in self.plan.jobs.items()}
        self._root = self.plan.workspace.run_store.root

    def snapshot(self) -> Snapshot:
        """Where the study stands now."""
        self._read_records()
        since, now = _sweep_started(self.plan.workspace.lease), time.time()
        started = {key: attempt for key, attempt in self._attempts() if _time_of(attempt) >= since}
        failed = {key: record for key, record in self._counting(since) if not _is_later(started.get(key), record)}
        running = {key: path for key, path in started.items() if key not in failed and not self._waits(key, path)}
        states = self._states(running, failed)
        done = [key for key, record in self._finished.items() if float(record["ended"]) >= since]
        first = min([*map(_time_of, started.values()), *(float(self._finished[key]["started"]) for key in done), now])
        values = {key: value for key, record in self._finished.items() if (value := _value(record)) is not None}
        waiting = [key for key, state in states.items() if state in {State.WAITING, State.RUNNING}]
        passed = now - first
        return Snapshot(
            work=work_of(self.plan.jobs.values(), states),
            running=tuple(self._running(key, path, now) for key, path in sorted(running.items(), key=_by_start)),
            failures=tuple(self._failures(failed, since, now)),
            cells=cells_of(self.plan.jobs.values(), states, values),
            seconds=passed,
            seconds_left=seconds_left(waiting, self._estimates, done, passed=passed, parallel=self.parallel),
            per_minute=60 * len(done) / passed if done and passed else None,
            notes=(_seal(read_lock(self.plan.workspace), self.plan.jobs, states),),
        )

    def _read_records(self) -> None:
        for key, path in self._files("finished"):
            if key not in self._finished:
                self._finished[key] = json.loads(path.read_text())
        for key, path in self._files("failed"):
            changed = path.stat().st_mtime
            if key not in self._finished and self._failed.get(key, (0.0,))[0] != changed:
                self._failed[key] = (changed, json.loads(path.read_text()))
        for key in self._failed.keys() & self._finished.keys():
            del self._failed[key]

    def _files(self, kind: str) -> Iterator[tuple[str, Path]]:
        """Key and record file of the jobs of this plan; another plan's results may lie in the same store."""
        for path in (self._root / kind).glob("[!.]*.json"):
            if path.stem in self.plan.jobs:
                yield path.stem, path

    def _attempts(self) -> Iterator[tuple[str, Path]]:
        """The newest attempt of every job that was started and is not finished."""
        store = self.plan.workspace.run_store
        for folder in (self._root / "jobs").glob("*"):
            if folder.name in self.plan.jobs and folder.name not in self._finished:
                attempt = store.newest_attempt(folder.name)
                if attempt is not None:
                    yield folder.name, attempt

    def _counting(self, since: float) -> Iterator[tuple[str, Record]]:
        """Failures of this sweep, and earlier ones that it does not try again."""
        for key, (_, record) in self._failed.items():
            for_good = record["deterministic"] and record["code"] == code_version()
            if for_good or float(record["ended"]) >= since:
                yield key, record

    def _waits(self, key: str, attempt: Path) -> bool:
        """Whether a trial has come to a rung and waits there for its batch."""
        return any(rung["attempt"] == attempt.name for rung in self.plan.workspace.run_store.rungs(key).values())

    def _states(self, running: Iterable[str], failed: Mapping[str, Record]) -> dict[str, State]:
        states = dict.fromkeys(self.plan.jobs, State.WAITING)
        states |= dict.fromkeys(running, State.RUNNING)
        states |= dict.fromkeys(failed, State.FAILED) | dict.fromkeys(self._finished, State.FINISHED)
        for key, job in self.plan.jobs.items():  # they stand in the order of their needs
            if states[key] is State.WAITING and _is_lost(job, states):
                states[key] = State.BLOCKED
        return states

    def _failures(self, failed: Mapping[str, Record], since: float, now: float) -> Iterator[Failure]:
        """Those of this sweep, the newest first."""
        for key, record in sorted(failed.items(), key=lambda entry: -float(entry[1]["ended"])):
            if float(record["ended"]) >= since:
                ago = clock(now - float(record["ended"]))
                yield Failure(f"{self.plan.jobs[key].name}, {ago} ago", str(record["error"]))

    def _running(self, key: str, attempt: Path, now: float) -> Running:
        job, epoch, metrics = self.plan.jobs[key], 0, {}
        newest = max((attempt / "journal").glob("[0-9]*.json"), default=None)
        if newest is not None:
            row = json.loads(newest.read_text())
            epoch, metrics = int(row["epoch"]), row["metrics"]
        return Running(job.name, epoch, job.epochs, shown_metric(metrics), now - _time_of(attempt))


def _sweep_started(lease: Path) -> float:
    """No earlier than the last heartbeat of the driver before this one: attempts from before belong to its sweep."""
    before = lease / f"{newest_number(lease) - 1:06d}.json"
    return float(json.loads(before.read_text())["heartbeat"]) if before.exists() else 0.0


def _time_of(attempt: Path) -> float:
    """Seconds since 1970 at the start of an attempt: its name begins with them."""
    return int(attempt.name.split("-")[0]) / 1e9


def _by_start(entry: tuple[str, Path]) -> str:
    return entry[1].name


def _is_later(attempt: Path | None, failure: Record) -> bool:
    """Whether an attempt started after a failure, which is then history."""
    return attempt is not None and _time_of(attempt) > float(failure["ended"])


def _is_lost(job: Job, states: Mapping[str, State]) -> bool:
    """Whether what a job needs has failed or is blocked."""
    lost = {State.FAILED, State.BLOCKED}
    return any(states.get(key) in lost for key in job.needs) or (
        bool(job.trials) and all(states.get(key) in lost for key in job.trials)
    )


def _value(record: Record) -> float | None:
    """The validation value of a training."""
    value = record["result"].get("value")
    return float(value) if isinstance(value, int | float) else None


def _seal(lock: Lock | None, jobs: Mapping[str, Job], states: Mapping[str, State]) -> str:
    """Whether external results are open, and what they wait for."""
    if lock is None:
        return "not locked yet; external results are sealed"
    if lock.opened_at:
        return f"external results open since {lock.opened_at}"
    locked = lock.keys(jobs.values())
    left = sum(states[key] in {State.WAITING, State.RUNNING} for key in locked)
    return f"external results sealed: {left} of {len(locked)} locked replicates to go"
