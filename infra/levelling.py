"""What is still missing of a run that MLflow holds; plain data, no MLflow."""

from __future__ import annotations

import math
from dataclasses import dataclass

from infra.records import EpochRow
from infra.runs import STUDY, Run

NOTE, PARENT = "mlflow.note.content", "mlflow.parentRunId"


@dataclass(kw_only=True)
class Known:
    """A run as MLflow holds it."""

    run_id: str
    name: str
    status: str
    started_ms: int
    ended_ms: int | None
    deleted: bool
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]
    """Newest value of each."""


@dataclass(frozen=True)
class Point:
    """One value of a metric's history."""

    key: str
    value: float
    time_ms: int
    step: int


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What has to be logged to make a known run what it shall be."""

    points: list[Point]
    params: dict[str, str]
    tags: dict[str, str]

    def __bool__(self) -> bool:
        return bool(self.points or self.params or self.tags)


def missing(run: Run, known: Known, parent_id: str, now_ms: int) -> Missing:
    """The difference between a run as it shall be and as it is; empty once they are level."""
    goes_on = known.tags.get("attempt", "") == run.tags.get("attempt", "")
    replayed = _count(known, "replayed_epochs") if goes_on else 0
    last_step = max([_count(known, "last_step"), run.step, *(row.epoch for row in run.epochs)])
    results = _result_points(run, known, last_step, now_ms)
    tags = {**run.tags, PARENT: parent_id, NOTE: run.note, "replayed_epochs": "", "last_step": str(last_step)}
    if run.epochs:
        tags["replayed_epochs"] = str(len(run.epochs))
    if _finite(run.results):
        tags["results"] = "true"
    changed = {name: value for name, value in run.params.items() if known.params.get(name, value) != value}
    if changed:  # MLflow refuses to change a param; keep it and say so
        tags["changed_params"] = ", ".join(f"{name}={value}" for name, value in sorted(changed.items()))
    return Missing(
        points=[*_epoch_points(run.epochs[replayed:]), *results],
        params={name: value for name, value in run.params.items() if name not in known.params},
        tags={name: value for name, value in tags.items() if known.tags.get(name, "") != value},
    )


def identity_of(tags: dict[str, str]) -> str | None:
    """Whose run this is, from its tags; None for a run that somebody else made in the experiment."""
    level = tags.get("level")
    if level == "study":
        return STUDY
    name = tags.get({"job": "key", "cell": "cell"}.get(level or "", ""))
    return f"{level} {name}" if name else None


def is_settled(run: Run, known: Known) -> bool:
    """Name, status and end are as they shall be."""
    if (run.name, run.status) != (known.name, known.status):
        return False
    return run.status == "RUNNING" or run.ended_ms is None or run.ended_ms == known.ended_ms


def _count(known: Known, tag: str) -> int:
    value = known.tags.get(tag, "")
    return int(value) if value.isdigit() else 0


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    return {key: float(value) for key, value in metrics.items() if math.isfinite(value)}


def _epoch_points(rows: list[EpochRow]) -> list[Point]:
    return [Point(key, value, row.time_ms, row.epoch) for row in rows for key, value in _finite(row.metrics).items()]


def _result_points(run: Run, known: Known, last_step: int, now_ms: int) -> list[Point]:
    """The results as history: at their own time when they are new, at the present time when they change a value.

    MLflow shows the value with the highest step and, within a step, the latest time. A result that is no longer
    there is withdrawn with NaN, since MLflow cannot forget one.
    """
    results = _finite(run.results)
    has_results = known.tags.get("results") == "true"
    known_results = _finite(known.metrics) if has_results else {}
    if not has_results or run.step > _count(known, "last_step"):
        points = [Point(key, value, run.ended_ms or now_ms, last_step) for key, value in results.items()]
    else:
        changed = {key: value for key, value in results.items() if known_results.get(key) != value}
        points = [Point(key, value, now_ms, last_step) for key, value in changed.items()]
    kept = results.keys() | {key for row in run.epochs for key in row.metrics}
    return points + [Point(key, math.nan, now_ms, last_step) for key in known_results if key not in kept]
