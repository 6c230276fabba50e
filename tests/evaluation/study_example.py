"""Small studies for the comparison: two arms, four cells, scores that can be checked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import Any

import polars as pl

from evaluation.comparison.aggregation import image_scores, replicate_scores
from evaluation.comparison.comparing import CELLS, Comparison, compare
from evaluation.comparison.panels import Panel, panels
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


def logit_series(cell: str, center: str, logits: Sequence[float], **changes: Any) -> list[dict[str, Any]]:
    """As `series`, from logits."""
    return [
        prediction(cell, f"{center}{place}", sigmoid(logit), logit=logit, **changes)
        for place, logit in enumerate(logits)
    ]


def scored(scores: dict[str, dict[str, Sequence[float]]], **changes: Any) -> pl.DataFrame:
    """Predictions of cells by center: "a" is the reserve, "v" validation, every other center external."""
    roles = {"a": "reserve", "v": "validation"}
    return predictions(
        *(
            row
            for cell, centers in scores.items()
            for center, values in centers.items()
            for row in series(cell, center, values, role=roles.get(center, "external"), **changes)
        )
    )


def two_per_patient(table: pl.DataFrame) -> pl.DataFrame:
    """The same predictions where images 0 and 1, 2 and 3, … of a center belong to one patient."""
    place = pl.col("image").str.slice(1).cast(pl.Int64)
    return table.with_columns(patient=pl.col("center") + (place // 2).cast(pl.String))


def bits(text: str) -> list[int]:
    """Labels or decisions written as "110 01"."""
    return [int(sign) for sign in text if sign != " "]


def calls(text: str) -> list[float]:
    """Scores that the threshold .5 calls positive where the text has a 1."""
    return [0.6 if bit else 0.3 for bit in bits(text)]


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


def boards(table: pl.DataFrame, truth: pl.DataFrame) -> list[Panel]:
    """The panels that the comparison is made of, external ones included."""
    replicates = replicate_scores(table, truth, cells(), open_external=True)
    return list(panels(image_scores(replicates), replicates))


def sigmoid(logit: float) -> float:
    """Probability of a logit."""
    return 1 / (1 + exp(-logit))
