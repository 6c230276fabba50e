"""One unit of work, and the key by which its result is found again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

RESULT_VERSION = 3
"""Raised when the code of a job changes what it computes; old results are then computed anew."""

Kind = Literal["features", "pretrain", "tune", "fit", "predict"]
KINDS: tuple[Kind, ...] = ("features", "pretrain", "tune", "fit", "predict")
"""In the order in which a cell goes through them."""
Purpose = Literal["scores", "perturbed", "saliency"]
"""scores: of images as they are; perturbed: of images whose boxes were moved; saliency: maps of what scores rest on."""


def in_order(work: str) -> tuple[int, str]:
    """Where a `Job.work` stands in lists: by kind, of a kind plain scores first."""
    return [work.startswith(kind) for kind in KINDS].index(True), work


@dataclass(frozen=True)
class Job:
    """One unit of work: plain values only, so that it can cross into Ray as a dict."""

    key: str
    kind: Kind
    name: str
    """Readable, from the grid only, unique within a study."""
    task: str
    arm: str
    cell: str | None
    """The cell's id; None for jobs that several cells share."""
    backbone: str
    pretraining: str
    init: str
    epochs: int
    needs: tuple[str, ...] = ()
    """Keys that must be finished before."""
    trials: tuple[str, ...] = ()
    """Tuning trials that must have ended before; at least one of them finished, the best is taken."""
    fold: int = 0
    seed: int = 0
    trial: int | None = None
    center: str | None = None
    purpose: Purpose = "scores"
    """What a `predict` job computes, and a `features` job measures for."""
    sealed: bool = False
    """An external prediction: waits for every locked replicate."""
    recipe: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def work(self) -> str:
        """Its kind, and what for where it is not plain scores: `predict perturbed`."""
        return self.kind if self.purpose == "scores" else f"{self.kind} {self.purpose}"

    def to_dict(self) -> dict[str, Any]:
        """The job as plain data."""
        return asdict(self)


def key_of(recipe: Mapping[str, Any]) -> str:
    """First 20 hex digits of the sha256 of a recipe in canonical JSON."""
    text = json.dumps({"version": RESULT_VERSION, **recipe}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:20]
