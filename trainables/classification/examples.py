"""Labeled regions, on or beside the training device, and their batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import polars as pl
import torch

from cohorts.regions import Matrices, compose, crop, squares_of
from trainables.classification.augmentation import Augmentation, adjust
from trainables.classification.model import ModelCard
from trainables.sampling import RegionStack

if TYPE_CHECKING:
    from trainables.data import JobData

AT_ONCE = 64
"""Inputs per forward pass without gradients."""


@dataclass(frozen=True)
class Batches:
    """How an epoch is cut into optimizer steps, and a step into parts."""

    size: int = 32
    """At most so many regions per optimizer step; one more where pairs would leave a single one."""
    parts: int = 1
    """In which a batch's gradient is gathered."""

    def divided(self, further: int) -> Batches:
        """Each part in so many smaller ones."""
        return replace(self, parts=self.parts * further)

    def per_epoch(self, count: int) -> int:
        """Into how many batches of nearly equal size an epoch is cut.

        A batch of one region would leave batch norm without a variance, so each holds at least two.
        """
        return max(1, min(-(-count // self.size), count // 2))

    def of_step(self, count: int) -> int:
        """Into how many parts a batch is cut; each holds at least two regions, again for batch norm."""
        return max(1, min(self.parts, count // 2))


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
        """Normalized inputs of the unchanged regions, (up to AT_ONCE, channels, size, size) at a time."""
        grids = self.stack.grids(self._squares)
        rows = torch.arange(len(self.stack), device=self.stack.pixels.device).split(AT_ONCE)
        for part, of_part in zip(rows, grids.split(AT_ONCE), strict=True):
            yield self.card.inputs(self.stack.sample(part, of_part, self.card.image_size))

    def shuffled(
        self, augmentation: Augmentation, random: np.random.Generator, batches: Batches
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """One epoch of random views: normalized inputs and labels, batch after batch."""
        assert self.labels is not None
        order = torch.from_numpy(random.permutation(len(self.stack)))
        views = augmentation.draw(random, len(self.stack))
        # All is brought to the device and into the epoch's order at once: batches are then slices.
        there = order.to(self.stack.device)
        grids = self.stack.grids(compose(self._squares, views.matrices))[there]
        gamma = torch.from_numpy(views.gamma.astype(np.float32)).to(self.stack.device)[there]
        labels = self.labels[there]
        count = batches.per_epoch(len(self.stack))
        parts = (each.tensor_split(count) for each in (order.to(self.stack.pixels.device), grids, gamma, labels))
        for rows, of_rows, exponents, known in zip(*parts, strict=True):
            inputs = self.stack.sample(rows, of_rows, self.card.image_size)
            if augmentation.gamma:
                inputs = adjust(inputs, exponents)
            yield self.card.inputs(inputs), known

    @cached_property
    def _squares(self) -> Matrices:
        """The network's coordinates in stored pixels, of each region."""
        return crop(squares_of(self.regions))
