"""What a network is trained for, and the value by which its best epoch is chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name

from evaluation.discrimination.delong import placements
from search_spaces.errors import StudyError

Logits = npt.NDArray[np.float64]


class Objective(Protocol):
    """A loss over regions and a value over images."""

    @property
    def name(self) -> str:
        """Of the value, as it stands in the journal."""

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean loss of regions: logits (n, outputs), labels (n,) int64."""

    def facts(self) -> dict[str, Any]:
        """For the certificate."""

    def value(self, logits: Logits, regions: pl.DataFrame) -> float:
        """Higher is better: logits (n, outputs) of the regions, which name image and label."""


@dataclass(frozen=True)
class Malignancy:
    """One logit per region; an image's is the highest of its regions."""

    positive_weight: float
    """How much more a positive region counts in training, where the classes are unequal."""
    label_smoothing: float = 0.0
    """Labels are moved so far towards one half: by this for both classes together (Szegedy et al., 2016)."""
    name: str = "auc"

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Binary cross entropy with the positive class weighted."""
        targets = labels.to(logits.dtype) * (1 - self.label_smoothing) + self.label_smoothing / 2
        weight = logits.new_full((), self.positive_weight)  # filled on the device: nothing waits for a copy
        return F.binary_cross_entropy_with_logits(logits[:, 0], targets, pos_weight=weight)

    def facts(self) -> dict[str, Any]:
        """For the certificate."""
        return {
            "loss": "binary cross entropy",
            "positive_weight": self.positive_weight,
            "label_smoothing": self.label_smoothing,
        }

    def value(self, logits: Logits, regions: pl.DataFrame) -> float:
        """AUC over images."""
        scored = regions.select("image", "label").with_columns(logit=logits[:, 0])
        images = scored.group_by("image", maintain_order=True).agg(pl.col("label").first(), pl.col("logit").max())
        return placements(images["label"].to_numpy(), images["logit"].to_numpy()).auc


@dataclass(frozen=True)
class Classes:
    """One logit per class of a pretraining corpus."""

    name: str = "accuracy"

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Cross entropy."""
        return F.cross_entropy(logits, labels)

    def facts(self) -> dict[str, Any]:
        """For the certificate."""
        return {"loss": "cross entropy"}

    def value(self, logits: Logits, regions: pl.DataFrame) -> float:
        """Share of images whose class has the highest logit."""
        return float(np.mean(logits.argmax(axis=1) == regions["label"].to_numpy()))


WEIGHTS: dict[str, Callable[[float], float]] = {
    "balanced": lambda ratio: ratio,
    "square_root": lambda ratio: ratio**0.5,
    "none": lambda ratio: 1.0,
}
"""Class weighting -> weight of a positive region, of how many negative ones there are for each."""


def malignancy(
    train: pl.DataFrame, validation: pl.DataFrame, *, class_weighting: str = "balanced", label_smoothing: float = 0.0
) -> Malignancy:
    """Weighted by the training regions; raises StudyError unless both classes occur in both parts."""
    for role, regions in (("train", train), ("validation", validation)):
        positives, total = int((regions["label"] == 1).sum()), regions.height
        if not 0 < positives < total:
            raise StudyError(
                f"Role {role} holds {total} regions, {positives} of them positive; classification needs both classes "
                "there. Use fewer folds, a smaller reserve, or other labels."
            )
    positives = int((train["label"] == 1).sum())
    return Malignancy(WEIGHTS[class_weighting]((train.height - positives) / positives), label_smoothing)
