"""What a network is trained for, and the value by which its best epoch is chosen."""

from __future__ import annotations

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
    """How much more a positive region counts, so that both classes weigh the same in training."""
    name: str = "auc"

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Binary cross entropy with the positive class weighted."""
        weight = logits.new_tensor(self.positive_weight)
        return F.binary_cross_entropy_with_logits(logits[:, 0], labels.to(logits.dtype), pos_weight=weight)

    def facts(self) -> dict[str, Any]:
        """For the certificate."""
        return {"loss": "binary cross entropy", "positive_weight": self.positive_weight}

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


def malignancy(train: pl.DataFrame, validation: pl.DataFrame) -> Malignancy:
    """Weighted by the training regions; raises StudyError unless both classes occur in both parts."""
    for role, regions in (("train", train), ("validation", validation)):
        positives, total = int((regions["label"] == 1).sum()), regions.height
        if not 0 < positives < total:
            raise StudyError(
                f"Role {role} holds {total} regions, {positives} of them positive; classification needs both classes "
                "there. Use fewer folds, a smaller reserve, or other labels."
            )
    positives = int((train["label"] == 1).sum())
    return Malignancy(positive_weight=(train.height - positives) / positives)
