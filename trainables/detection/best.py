"""The best epoch so far, and its weights."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.weights.loading import Tensors

Rank = tuple[float, float]
"""How an epoch is ranked: image AUC (-1 where undefined), then mAP at IoU 0.5."""


@dataclass(frozen=True)
class Best:
    """An epoch, counted from 1, its rank and the averaged weights at its end."""

    epoch: int
    rank: Rank
    tensors: Tensors

    def result(self) -> dict[str, float | str]:
        """The value by which trials and replicates are compared: the AUC, or the mAP where one class is missing."""
        auc, map50 = self.rank
        value, metric = (map50, "validation/map50") if auc < 0 else (auc, "validation/auc")
        return {"value": value, "metric": metric, "epoch": self.epoch}
