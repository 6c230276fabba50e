"""What the run store holds of a study, as plain records that a tracker can replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Status = Literal["running", "finished", "failed", "blocked"]
"""Blocked: a job it needs has failed, so it was never started."""

Context = Literal["pretraining", "training", "external"]
"""What a dataset was for. Training: a development center with its folds to train and validate, and its reserve."""


class TrackingError(RuntimeError):
    """MLflow is not level with the run store; nothing is lost, replay again later."""


class PrivacyError(TrackingError):
    """A record holds something that may not leave the center; nothing of the replay was logged."""


@dataclass(frozen=True, kw_only=True)
class EpochRow:
    """One line of a job's journal."""

    epoch: int
    time_ms: int
    """Milliseconds since 1970, when the epoch ended."""
    metrics: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class DatasetRecord:
    """A center or corpus that a run used, as it may be told: no path, and nothing about labels."""

    name: str
    digest: str
    """First 16 hex digits of the fingerprint of its images."""
    context: Context
    images: int


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """One job that has been started, or is blocked; identified by its key."""

    key: str
    kind: str
    name: str
    arm: str
    task: str
    cell: str
    """Id of the cell, or "" for what several cells share (features, pretrain)."""
    backbone: str
    pretraining: str
    init: str
    fold: int
    seed: int
    center: str | None
    trial: int | None
    status: Status
    started_ms: int
    ended_ms: int | None
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    epochs: list[EpochRow] = field(default_factory=list)
    """The journal of the newest attempt, oldest row first."""
    metrics: dict[str, float] = field(default_factory=dict)
    """The published result."""
    used_by: list[str] = field(default_factory=list)
    """Ids of the cells that need a shared job."""
    certificate: dict[str, Any] | None = None
    error: str = ""
    attempt: int = 1
    pruned: bool = False
    """A trial that was taken out at a rung; its value is the best up to there."""
    terms: Mapping[str, str] = field(default_factory=dict)
    """`license` and `commercial_use` of what the weights started from; empty where nothing travels with them."""
    purpose: str = ""
    """Of a prediction and of features: scores, perturbed or saliency."""
    datasets: tuple[DatasetRecord, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CenterRecord:
    """The aggregated results of one cell at one center."""

    center: str
    role: str
    """external, reserve or validation."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Empty while nothing is computed, as for a cell."""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class CellRecord:
    """The aggregated results of one cell; identified by its id."""

    cell: str
    arm: str
    task: str
    backbone: str
    pretraining: str
    init: str
    metrics: dict[str, float]
    """Empty while nothing is computed yet, which leaves what was there; a missing one of several is withdrawn."""
    replicates_published: int
    replicates_planned: int
    tuned: dict[str, Any] = field(default_factory=dict)
    """Hyperparameters the search chose."""
    near_bound: tuple[str, ...] = ()
    """Those of them within 5 % of a bound of their range."""
    terms: Mapping[str, str] = field(default_factory=dict)
    """As of a job."""
    exploratory: bool = False
    note: str = ""
    """Markdown. One that begins like the one that was there leaves it, as a replay without results does."""
    centers: tuple[CenterRecord, ...] = ()
    """Every center that the cell is measured at, also before it is."""
    datasets: tuple[DatasetRecord, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Every planned replicate is published."""
        return 0 < self.replicates_planned <= self.replicates_published


@dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """The study as a whole: its description, leaderboard and report."""

    study: str
    description: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, Path] = field(default_factory=dict)
    """Where a file shall lie, such as tables/cohort.csv -> a file of that name. None at all leaves what was there."""
    note: str = ""
    """Markdown, such as the leaderboard; an empty one leaves what was there."""
    datasets: tuple[DatasetRecord, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What one replay did, in runs."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    superseded: int = 0
    """Runs of an earlier plan, newly marked."""
