"""Marks of small sets of images: those that R wrote into golden/detection/, and random ones."""

from __future__ import annotations

from math import inf

import numpy as np
import polars as pl

from evaluation.detection.free_response import Marks
from tests.evaluation.reference import golden


def marks(name: str) -> Marks:
    """One set of golden/detection/lesions.csv and false.csv."""
    lesions, false = (golden(f"detection/{part}").filter(set=name) for part in ("lesions", "false"))
    scores = lesions["score"].cast(pl.Float64, strict=False).fill_null(-inf)  # NA: nothing marked the lesion
    return Marks.of(lesions["count"][0], lesions["image"], scores, false["image"], false["score"])


def weights(name: str) -> pl.Series:
    """The weight of each lesion of a set."""
    return golden("detection/lesions").filter(set=name)["weight"]


def generated(seed: int, count: int = 40) -> Marks:
    """Random marks with ties and unmarked lesions; the second half of the images is lesion-free."""
    rng = np.random.default_rng(seed)
    images = np.sort(rng.integers(0, count // 2, 25))
    scores = np.where(rng.random(25) < 0.2, -inf, rng.integers(2, 9, 25))
    return Marks.of(count, images, scores, rng.integers(0, count, 50), rng.integers(0, 7, 50))
