"""Small studies for the comparison: two arms, four cells, scores that can be checked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import Any

import polars as pl

from evaluation.comparison import CELLS, Comparison, compare
from evaluation.tables import PREDICTIONS
from search_spaces.study import Analysis

IMAGENET, CHEST, SCRATCH = (
    f"classification/resnet18-{source}" for source in ("imagenet-transfer", "chest-transfer", "none-scratch")
)
RADIOMICS = "radiomics/elasticnet-none-scratch"


def cells(*, planned: int = 1, exploratory: Sequence[str] = ()) -> pl.DataFrame:
    """Three networks and the baseline."""
    rows = []
    for cell in (IMAGENET, CHEST, SCRATCH, RADIOMICS):
        arm, name = cell.split("/")
        backbone, pretraining, init = name.split("-")
        given = "given" if arm == "radiomics" else "not given"
        rows.append((cell, arm, arm, backbone, pretraining, init, planned, cell in exploratory, given))
    return pl.DataFrame(rows, schema=CELLS, orient="row")


def prediction(cell: str, image: str, score: float, **changes: Any) -> dict[str, Any]:
    """One row of a reserve prediction; an image "b3" belongs to patient "b3" of center "b"."""
    row: dict[str, Any] = {
        "cell": cell, "fold": 0, "seed": 0, "center": image[0], "patient": image, "image": image, "region": -1,
        "role": "reserve", "variant": "original", "score": score, "logit": None,
    } | changes  # fmt: skip
    fit = f"fit {cell} {row['fold']} {row['seed']}"
    return {"key": f"{fit} {row['center']}", "fit_key": fit} | row


def predictions(*rows: dict[str, Any]) -> pl.DataFrame:
    """A table of rows."""
    return pl.DataFrame(list(rows), schema=PREDICTIONS)


def series(cell: str, center: str, scores: Sequence[float], **changes: Any) -> list[dict[str, Any]]:
    """Predictions of images <center>0, <center>1, … in order."""
    return [prediction(cell, f"{center}{place}", score, **changes) for place, score in enumerate(scores)]


def labels(values: dict[str, Sequence[int]], arm: str = "classification") -> pl.DataFrame:
    """Labels of images <center>0, <center>1, … in order."""
    rows = [
        (arm, center, f"{center}{place}", label)
        for center, of_center in values.items()
        for place, label in enumerate(of_center)
    ]
    return pl.DataFrame(rows, schema=["arm", "center", "image", "label"], orient="row")


def compared(table: pl.DataFrame, truth: pl.DataFrame, **changes: Any) -> Comparison:
    """The comparison with what a test does not care about filled in."""
    arguments = {"plan": Analysis(), "cells": cells(), "open_external": True} | changes
    return compare(table, truth, **arguments)


def sigmoid(logit: float) -> float:
    """Probability of a logit."""
    return 1 / (1 + exp(-logit))
