"""Keeps MLflow level with the run store while a sweep runs; a dead server costs nothing but the view."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from infra.environment import code_version, commit
from infra.records import CellRecord, CenterRecord, StudyRecord, TrackingError
from orchestrator.datasets import datasets_of_cell, datasets_of_study
from orchestrator.journal import job_records
from orchestrator.lock import read_lock
from orchestrator.plan import Plan
from orchestrator.reporting.licenses import terms_of_cell
from orchestrator.reporting.notes import cell_note, center_note, study_note
from orchestrator.schedule import Schedule
from orchestrator.tuning.proposals import near_bound, space_of

if TYPE_CHECKING:
    from evaluation.comparison.comparing import Comparison
    from infra.tracking import Tracker
    from search_spaces.grid import Cell

INTERVAL_SECONDS = 15.0


@dataclass
class Recorder:
    """The one writer of a study's runs: a thread of the driver that replays the run store every few seconds."""

    uri: str
    plan: Callable[[], Plan]
    """The plan as of now: finished jobs are read anew each time."""
    schedule: Schedule | None
    say: Callable[[str], None]
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _tracker: Tracker | None = None
    is_behind: bool = False
    """MLflow could not be reached at the last try."""

    def __enter__(self) -> Recorder:
        self._thread = threading.Thread(target=self._keep_level, name="recorder", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def replay(self, comparison: Comparison | None = None, artifacts: Mapping[str, Path] | None = None) -> bool:
        """Make MLflow level once; False, with a word to the user, if it cannot be reached."""
        from infra.tracking import Tracker

        plan = self.plan()
        try:
            self._tracker = self._tracker or Tracker(self.uri, plan.workspace.study.name)
            jobs = list(job_records(plan, self.schedule, is_over=self._stop.is_set()))
            self._tracker.replay(jobs, cell_records(plan, comparison), study_record(plan, comparison, artifacts or {}))
        except TrackingError as error:
            if not self.is_behind:
                self.say(f"MLflow is behind: {error} Nothing is lost; `make track` makes it level later.")
            self.is_behind = True
            return False
        self.is_behind = False
        return True

    def close(self) -> None:
        """Let go of the tracker."""
        if self._tracker is not None:
            self._tracker.close()
            self._tracker = None

    def _keep_level(self) -> None:
        while not self._stop.wait(INTERVAL_SECONDS):
            try:
                self.replay()
            except Exception as error:  # the view may fail, the sweep and the next round go on
                self.say(f"MLflow was not made level this time: {type(error).__name__}: {error}")


def cell_records(plan: Plan, comparison: Comparison | None) -> Iterator[CellRecord]:
    """One record per cell; metrics once there is a comparison, and external ones only when the seal is open."""
    lock = read_lock(plan.workspace)
    exploratory = set() if lock is None else lock.exploratory(plan.jobs.values())
    found = {} if comparison is None else cell_metrics(comparison)
    arms = {arm.name: arm for arm in plan.workspace.study.arms}
    datasets = datasets_of_cell(plan)
    for cell in plan.expansion.cells:
        fits = [job for job in plan.jobs.values() if job.cell == cell.id and job.kind == "fit"]
        done = [plan.finished[job.key] for job in fits if job.key in plan.finished]
        tuned = dict(done[0]["hyperparameters"]) if done else {}
        yield CellRecord(
            cell=cell.id,
            arm=cell.arm,
            task=cell.task,
            backbone=cell.backbone,
            pretraining=cell.pretraining,
            init=cell.init,
            metrics=_without_rates_of_centers(found.get(cell.id, {})),
            replicates_published=len(done),
            replicates_planned=len(fits),
            tuned=tuned,
            near_bound=tuple(near_bound(space_of(arms[cell.arm]), tuned)),
            terms=terms_of_cell(plan.workspace.study, cell.pretraining, cell.backbone),
            exploratory=cell.id in exploratory,
            note=cell_note(cell, comparison, exploratory=cell.id in exploratory),
            centers=tuple(_center_records(plan, cell, comparison, found.get(cell.id, {}))),
            datasets=datasets,
        )


def _center_records(
    plan: Plan, cell: Cell, comparison: Comparison | None, metrics: Mapping[str, float]
) -> Iterator[CenterRecord]:
    """One per external center, then the development centers, on their reserve where there is one."""
    study = plan.workspace.study
    held = "reserve" if study.split.reserve else "validation"
    alone = len(study.cohort.development) == 1
    roles = {**dict.fromkeys(study.cohort.external, "external"), **dict.fromkeys(study.cohort.development, held)}
    for center, role in roles.items():
        place = center if role == "external" else role if alone else f"{center}_{role}"
        yield CenterRecord(
            center=center,
            role=role,
            metrics={name.split("/")[1]: value for name, value in metrics.items() if name.split("/")[0] == place},
            note=center_note(cell, center, role, comparison),
        )


def cell_metrics(comparison: Comparison) -> dict[str, dict[str, float]]:
    """cell -> flat metrics: external/auc, external/auc_ci_low, center_b/auc, reserve/auc, external/sensitivity_at_…"""
    found: dict[str, dict[str, float]] = {}
    for row in _telling(comparison.performance).iter_rows(named=True):
        _add(found, row, {name: row[column] for name, column in DISCRIMINATION.items()})
    raw = comparison.calibration.filter(pl.col("recalibration") == "none")
    for row in _telling(raw).iter_rows(named=True):
        _add(found, row, {"brier": row["brier"], "calibration_slope": row["slope"]})
    carried = comparison.operating_points.filter(pl.col("source") != "test")
    for row in _telling(carried).iter_rows(named=True):
        rule = row["rule"].replace(">=", "_")
        _add(found, row, {f"{rate}_at_{rule}": row[rate] for rate in ("sensitivity", "specificity", "ppv", "npv")})
    return found


def _without_rates_of_centers(metrics: Mapping[str, float]) -> dict[str, float]:
    """Sensitivities and the like of single centers are in the centers' own rows: the page draws a chart per metric."""
    return {name: value for name, value in metrics.items() if "_at_" not in name or name.split("/")[0] in _POOLED}


_POOLED = ("external", "reserve", "validation")

DISCRIMINATION = {
    "auc": "auc",
    "auc_ci_low": "low",
    "auc_ci_high": "high",
    "n_positive": "n_positive",
    "n_negative": "n_negative",
    "average_precision": "average_precision",
    "single_auc_mean": "single_mean",
    "single_auc_sd": "single_sd",
}
"""Metrics and the columns of the comparison that they come from."""


def _add(found: dict[str, dict[str, float]], row: dict[str, Any], values: dict[str, float]) -> None:
    place = _place(row["role"], row["center"])
    found.setdefault(row["cell"], {}).update({f"{place}/{name}": value for name, value in values.items()})


def _telling(frame: pl.DataFrame) -> pl.DataFrame:
    """Without the rows of a development center that is the only one: the pooled row says the same."""
    develop = frame.filter((pl.col("role") != "external") & (pl.col("center") != "all"))
    if develop["center"].n_unique() != 1:
        return frame
    return frame.filter((pl.col("role") == "external") | (pl.col("center") == "all"))


def study_record(plan: Plan, comparison: Comparison | None, artifacts: Mapping[str, Path]) -> StudyRecord:
    """The study as a whole, with a leaderboard in its note."""
    study = plan.workspace.study
    lock = read_lock(plan.workspace)
    tags = {
        "development": ", ".join(study.cohort.development),
        "external": ", ".join(study.cohort.external),
        "commit": commit(),
        "code": code_version(),
        "locked": "" if lock is None else lock.plan_hash,
        "phantom": str(study.cohort.phantom is not None).lower(),
    }
    return StudyRecord(
        study=study.name,
        description=study.description,
        tags={name: value for name, value in tags.items() if value},
        artifacts=artifacts,
        note="" if comparison is None else study_note(comparison),
        datasets=datasets_of_study(plan),
        metrics={"jobs_finished": float(len(plan.finished)), "jobs": float(len(plan.jobs))},
    )


def _place(role: str, center: str) -> str:
    if center == "all":
        return role
    return f"{role}_stratified" if center == "stratified" else center if role == "external" else f"{center}_{role}"
