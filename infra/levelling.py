"""What is still missing of a run that MLflow holds; plain data, no MLflow."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.records import EpochRow
from infra.runs import STUDY, Run

NOTE, PARENT = "mlflow.note.content", "mlflow.parentRunId"

IDENTIFYING = {"job": ("key",), "cell": ("cell",), "center": ("cell", "center")}
"""Tags that make the identity of a run, by its level."""


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
    datasets: set[tuple[str, str]]
    """Name and digest."""

    @classmethod
    def of(cls, run: Any) -> Known:
        """From the run as MLflow's client returns it."""
        info, data = run.info, run.data
        inputs = run.inputs.dataset_inputs if run.inputs else []
        return cls(
            run_id=info.run_id,
            name=info.run_name,
            status=info.status,
            started_ms=info.start_time,
            ended_ms=info.end_time,
            deleted=info.lifecycle_stage == "deleted",
            tags=dict(data.tags),
            params=dict(data.params),
            metrics=dict(data.metrics),
            datasets={(each.dataset.name, each.dataset.digest) for each in inputs},
        )


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


@dataclass(frozen=True)
class Mark:
    """How far a run has been replayed; kept in its tag `replayed`."""

    epochs: int = 0
    """Rows of the journal."""
    until_ms: int = 0
    """Time of the last of them; another attempt's journal has another."""
    step: int = 0
    """Where results stand; 0, except in databases of before, where MLflow goes on to show the highest."""
    results: int = 0
    """1 once results were logged."""

    @classmethod
    def of(cls, tags: dict[str, str]) -> Mark:
        """Read from a run's tags; what cannot be read counts as not replayed, which costs time and no duplicates."""
        found = re.fullmatch(r"epochs=(\d+) until=(\d+) step=(\d+) results=([01])", tags.get("replayed", ""))
        return cls(*map(int, found.groups())) if found else cls()

    def __str__(self) -> str:
        return f"epochs={self.epochs} until={self.until_ms} step={self.step} results={self.results}"

    def rest_of(self, rows: list[EpochRow]) -> list[EpochRow]:
        """The rows still to be replayed; all of them if the journal is not the one that was replayed before."""
        goes_on = 0 < self.epochs <= len(rows) and rows[self.epochs - 1].time_ms == self.until_ms
        return rows[self.epochs :] if goes_on else rows


def missing(run: Run, known: Known, parent_id: str, now_ms: int) -> Missing:
    """The difference between a run as it shall be and as it is; empty once they are level."""
    before = Mark.of(known.tags)
    after = Mark(
        epochs=len(run.epochs),
        until_ms=run.epochs[-1].time_ms if run.epochs else 0,
        step=before.step,
        results=max(before.results, int(bool(_finite(run.results)))),
    )
    note = newer_note(known.tags, run.note)
    tags = {**run.tags, PARENT: parent_id, NOTE: note, "replayed": str(after)}
    changed = {name: value for name, value in run.params.items() if known.params.get(name, value) != value}
    if changed:  # MLflow refuses to change a param; keep it and say so
        tags["changed_params"] = ", ".join(f"{name}={value}" for name, value in sorted(changed.items()))
    return Missing(
        points=[
            *_epoch_points(before.rest_of(run.epochs)),
            *_result_points(run, known, before, now_ms),
        ],
        params={name: value for name, value in run.params.items() if name not in known.params},
        tags={name: value for name, value in tags.items() if known.tags.get(name, "") != value},
    )


def newer_note(tags: dict[str, str], note: str) -> str:
    """The note, unless the one in the tags goes on where it ends: a replay without results has nothing newer to say."""
    held = tags.get(NOTE, "")
    return held if held.startswith(note) else note


def identity_of(tags: dict[str, str]) -> str | None:
    """Whose run this is, from its tags; None for a run that somebody else made in the experiment."""
    level = tags.get("level")
    if level == "study":
        return STUDY
    names = [tags.get(tag, "") for tag in IDENTIFYING.get(level or "", ())]
    return " ".join([str(level), *names]) if names and all(names) else None


def is_settled(run: Run, known: Known) -> bool:
    """Name, status and end are as they shall be."""
    if (run.name, run.status) != (known.name, known.status):
        return False
    return run.status == "RUNNING" or run.ended_ms is None or run.ended_ms == known.ended_ms


def _finite(metrics: Mapping[str, float | None]) -> dict[str, float]:
    return {key: float(value) for key, value in metrics.items() if value is not None and math.isfinite(value)}


def _epoch_points(rows: list[EpochRow]) -> list[Point]:
    return [Point(key, value, row.time_ms, row.epoch) for row in rows for key, value in _finite(row.metrics).items()]


def _result_points(run: Run, known: Known, before: Mark, now_ms: int) -> list[Point]:
    """The results as history: at their own time when they are new, at the present time when they change a value.

    At step 0 the page draws them as bars, at any later one as curves of a single point. MLflow shows the value with the
    highest step and, within a step, the latest time. A result that is no longer among the others is withdrawn with
    NaN, since MLflow cannot forget one; no results at all leave what is there.
    """
    results = _finite(run.results)
    if not results:
        return []
    logged = _finite(known.metrics) if before.results else {}
    new = {key: value for key, value in results.items() if logged.get(key) != value}
    at = now_ms if before.results else run.ended_ms or now_ms
    kept = results.keys() | {key for row in run.epochs for key in row.metrics}
    withdrawn = {key: math.nan for key in logged if key not in kept}
    return [
        *(Point(key, value, at, before.step) for key, value in new.items()),
        *(Point(key, value, now_ms, before.step) for key, value in withdrawn.items()),
    ]
