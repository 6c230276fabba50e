"""The single models of a cell on one list of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from evaluation.arrays import Bools, Floats
from evaluation.discrimination.delong import Placements

Replicate = tuple[int, int]
"""Fold and seed."""


@dataclass(frozen=True, eq=False)
class Units:
    """What counts as one draw of the recipe: a fold, whose seeds share training patients, or with one fold a seed."""

    name: str
    means: Floats
    """(units, replicates): averages over the replicates of a unit."""

    @classmethod
    def of(cls, replicates: Sequence[Replicate]) -> Self:
        """Folds where there are several, else seeds."""
        folds = sorted({fold for fold, _ in replicates})
        if len(folds) < 2:
            return cls("seeds", np.eye(len(replicates)))
        member = np.array([[float(of == fold) for of, _ in replicates] for fold in folds])
        return cls("folds", member / member.sum(axis=1, keepdims=True))


@dataclass(frozen=True, eq=False)
class Models:
    """The single models of a cell: one row of scores per replicate, NaN where it did not score an image."""

    replicates: tuple[Replicate, ...]
    scores: Floats

    def at(self, images: Bools) -> Models:
        """The same models on some of the images."""
        return Models(self.replicates, self.scores[:, images])


@dataclass(frozen=True, eq=False)
class Placed:
    """Placements of single models on the same cases: `positive` (replicates, positives), `negative` likewise."""

    auc: Floats
    positive: Floats
    negative: Floats

    @classmethod
    def of(cls, models: Sequence[Placements]) -> Self:
        """At least one model, each placed on the same cases."""
        return cls(
            auc=np.array([model.auc for model in models]),
            positive=np.stack([model.positive for model in models]),
            negative=np.stack([model.negative for model in models]),
        )


def models_of(rows: pl.DataFrame, count: int) -> dict[str, Models]:
    """Models by cell; `rows`: cell, fold, seed, place (of the image), logit, score; `count`: images."""
    values = rows.select("cell", "fold", "seed", "place", value=pl.coalesce("logit", "score")).sort("fold", "seed")
    models = {}
    for (cell,), part in values.partition_by("cell", as_dict=True, maintain_order=True).items():
        each = part.partition_by("fold", "seed", as_dict=True, maintain_order=True)
        scores = np.stack([spread(one, "value", count) for one in each.values()])
        models[str(cell)] = Models(tuple((int(fold), int(seed)) for fold, seed in each), scores)
    return models


def spread(rows: pl.DataFrame, column: str, count: int) -> Floats:
    """A column as one value per image of the panel; NaN where there is none."""
    values: Floats = np.full(count, np.nan)
    values[rows["place"].to_numpy()] = rows[column].to_numpy()
    return values
