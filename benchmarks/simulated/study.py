"""The predictions of a study of many cells, as its jobs would publish them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import polars as pl
from scipy.special import expit

from evaluation.comparison.comparing import CELLS
from evaluation.tables import PREDICTIONS
from search_spaces.study import Analysis, Primary

ARM = "classification"
BACKBONES = ("resnet50", "inceptionv3", "densenet121", "convnext")
SOURCES = ("imagenet", "chest", "bone", "hand", "knee", "mixed", "spine")
CENTERS = ("b", "c", "d", "e")
LABELS = {"arm": pl.String(), "center": pl.String(), "image": pl.String(), "label": pl.Int64()}
PREVALENCE, SKILL, PAYOFF = 0.4, 1.2, 0.3
"""Share of positives, how far their logits lie above the others', and how much further from one source."""


@dataclass(frozen=True, eq=False)
class Study:
    """What `compare` takes."""

    predictions: pl.DataFrame
    labels: pl.DataFrame
    cells: pl.DataFrame
    plan: Analysis


def study(replicates: int, per_center: int = 2000, reserve: int = 400, seed: int = 0) -> Study:
    """60 cells (4 backbones from scratch or from 7 sources, transferred or frozen) on a reserve and 4 centers."""
    random = np.random.default_rng(seed)
    cells = _cells(replicates)
    places = [("a", "reserve", reserve), *((center, "external", per_center) for center in CENTERS)]
    labels, predictions = zip(*(_place(random, cells, *place) for place in places), strict=True)
    plan = Analysis(primary=Primary(comparisons=((SOURCES[1], SOURCES[0]),)))
    return Study(pl.concat(predictions), pl.concat(labels), cells, plan)


def _cells(replicates: int) -> pl.DataFrame:
    starts = [("none", "scratch"), *product(SOURCES, ("transfer", "frozen"))]
    rows = [
        (f"{ARM}/{backbone}-{source}-{init}", ARM, ARM, backbone, source, init, replicates, False, "given")
        for backbone, (source, init) in product(BACKBONES, starts)
    ]
    return pl.DataFrame(rows, schema=CELLS, orient="row")


def _place(
    random: np.random.Generator, cells: pl.DataFrame, center: str, role: str, size: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Labels, and predictions whose logits share a part per image, one per cell and image, and one of their own."""
    replicates = int(cells["replicates_planned"][0])
    shape = (cells.height, replicates, size)
    labels = (random.random(size) < PREVALENCE).astype(np.int64)
    skill = SKILL + PAYOFF * (cells["pretraining"] == SOURCES[1]).to_numpy()
    logits = (
        skill[:, None, None] * labels + 0.8 * random.normal(size=size) + 0.5 * random.normal(size=(shape[0], 1, size))
    )
    logits = logits + 0.5 * random.normal(size=shape) + 0.1 * random.normal(size=(*shape[:2], 1))
    cell, fold, case = (index.ravel() for index in np.indices(shape))
    images = pl.Series([f"{center}-{number}" for number in range(size)])
    names = cells["cell"].gather(cell)
    fits = names + pl.Series(fold).cast(pl.String())
    predictions = pl.DataFrame(
        {
            "key": fits + center,
            "fit_key": fits,
            "cell": names,
            "fold": fold,
            "seed": 0,
            "center": center,
            "patient": images.gather(case),
            "image": images.gather(case),
            "region": -1,
            "role": role,
            "variant": "original",
            "score": expit(logits.ravel()),
            "logit": logits.ravel(),
        },
        schema=PREDICTIONS,
    )
    return pl.DataFrame({"arm": ARM, "center": center, "image": images, "label": labels}, schema=LABELS), predictions
