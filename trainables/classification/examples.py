"""Labeled regions, resident on the training device, and their batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import polars as pl
import torch

from cohorts.regions import compose, crop, squares_of
from trainables.classification.augmentation import Augmentation, adjust
from trainables.classification.model import ModelCard
from trainables.sampling import RegionStack

if TYPE_CHECKING:
    from trainables.data import JobData

LARGEST_BATCH = 32
AT_ONCE = 64
"""Inputs per forward pass without gradients."""


@dataclass(frozen=True)
class Examples:
    """Regions of one role with their pixels; `labels` is None where the job may not know them."""

    card: ModelCard
    regions: pl.DataFrame
    stack: RegionStack
    labels: torch.Tensor | None

    @classmethod
    def load(cls, card: ModelCard, regions: pl.DataFrame, data: JobData, device: str, reach: float = 1.0) -> Self:
        """Read and cut the regions; `reach` as in RegionStack."""
        stack = RegionStack.load(regions, data.pixels, size=card.image_size, reach=reach, device=device)
        known = "label" in regions.columns
        labels = torch.tensor(regions["label"].to_list(), dtype=torch.int64, device=device) if known else None
        return cls(card, regions, stack, labels)

    def in_order(self) -> Iterator[torch.Tensor]:
        """Normalized inputs of the unchanged regions, (up to AT_ONCE, 1, size, size) at a time."""
        grids = self.stack.grids(crop(squares_of(self.regions)))
        for rows in torch.split(torch.arange(len(self.stack), device=grids.device), AT_ONCE):
            yield self.card.normalization(self.stack.sample(rows, grids[rows], self.card.image_size))

    def shuffled(
        self, augmentation: Augmentation, random: np.random.Generator
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """One epoch of random views: normalized inputs and labels, batch after batch."""
        assert self.labels is not None
        device = self.stack.pixels.device
        order = torch.from_numpy(random.permutation(len(self.stack))).to(device)
        views = augmentation.draw(random, len(self.stack))
        grids = self.stack.grids(compose(crop(squares_of(self.regions)), views.matrices))
        gamma = torch.from_numpy(views.gamma.astype(np.float32)).to(device)
        for rows in order.tensor_split(batches(len(self.stack))):
            inputs = self.stack.sample(rows, grids[rows], self.card.image_size)
            if augmentation.gamma:
                inputs = adjust(inputs, gamma[rows])
            yield self.card.normalization(inputs), self.labels[rows]


def batches(count: int) -> int:
    """Into how many batches of nearly equal size an epoch is cut.

    A short last batch of one region would leave batch norm without a variance; equal ones never get that small.
    """
    return -(-count // LARGEST_BATCH)
