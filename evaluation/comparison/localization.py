"""How well detectors find the lesions themselves: average precision, FROC and weighted AFROC per cell and center."""

from __future__ import annotations

from itertools import product
from math import nan
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from evaluation.arrays import Floats
from evaluation.comparison.detectors import IMAGE, MEASURES, REPLICATE, Replicate, centers, replicates
from evaluation.detection.froc import sensitivity_at
from evaluation.tables import DETECTIONS, PREDICTIONS, check
from search_spaces.errors import StudyError

LESIONS: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "center": pl.String(),
    "image": pl.String(),
    "x0": pl.Float64(),
    "y0": pl.Float64(),
    "x1": pl.Float64(),
    "y1": pl.Float64(),
}
LOCALIZATION: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "cell": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "images": pl.Int64(),
    "lesion_free_images": pl.Int64(),
    "lesions": pl.Int64(),
    "replicates": pl.Int64(),
    "minimum_iou": pl.Float64(),
    **{name: pl.Float64() for measure in MEASURES for name in (measure, f"{measure}_sd")},
    "afroc_se": pl.Float64(),
    "wafroc_se": pl.Float64(),
    "method": pl.String(),
    "flag": pl.String(),
}
FROC: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "cell": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "false_positives": pl.Float64(),
    "sensitivity": pl.Float64(),
    "sensitivity_sd": pl.Float64(),
    "replicates": pl.Int64(),
}
GRID = np.concatenate(([0.0], 2.0 ** (np.arange(-48, 25) / 8)))
"""False positives per image at which curves of replicates are averaged: 0, then 1/64 … 8, eight per doubling."""
METHOD = "mean over replicates; FROC and AFROC: false positives of all and of lesion-free images; se over cases"
UNEVEN = "replicates scored different images"

_CELLS = dict.fromkeys(("arm", "cell", "task"), pl.String())

Row = dict[str, Any]


class Localization(NamedTuple):
    """Numbers per cell, role and center (LOCALIZATION), and mean FROC curves (FROC)."""

    localization: pl.DataFrame
    froc: pl.DataFrame


def localization(
    detections: pl.DataFrame,
    predictions: pl.DataFrame,
    lesions: pl.DataFrame,
    cells: pl.DataFrame,
    *,
    open_external: bool,
    minimum_iou: float = 0.5,
) -> Localization:
    """Measure each detector against the lesions, per replicate (fold, seed), and give mean and standard deviation.

    `detections` (tables.DETECTIONS): class 0 counts. `predictions` (tables.PREDICTIONS) says which images a replicate
    scored, so that an image without any detection counts too. `lesions` (LESIONS): the target boxes of positive images.
    An image without a lesion here is taken to be lesion-free: the caller leaves out images without a label, and
    positive ones without a box. `cells`: comparing.CELLS, those of task "detection" count.

    Boxes of different replicates are never merged: each replicate is a detector of its own, its scores have a scale of
    their own, and the mean of their numbers is not the number of an ensemble. `*_sd` is the spread over replicates
    (folds and seeds mixed, NaN with one), `afroc_se` and `wafroc_se` the mean standard error of a single replicate,
    clustered by patient. `center` is a name or "all" (pooled). The roles are reserve and, once opened, external.
    Raises StudyError for faulty tables and images scored twice.
    """
    wanted = ["reserve", "external"] if open_external else ["reserve"]
    counts = (pl.col("variant") == "original") & pl.col("role").is_in(wanted)
    scored = _scored(check(predictions, PREDICTIONS, "predictions").filter(counts))
    boxes = check(detections, DETECTIONS, "detections").filter(counts, pl.col("class") == 0)
    marked = check(lesions, LESIONS, "lesions")
    rows: list[Row] = []
    curves = [pl.DataFrame(schema=FROC)]
    detectors = check(cells, _CELLS, "cells").filter(pl.col("task") == "detection").select("arm", "cell")
    for (arm, cell), role in product(detectors.iter_rows(), wanted):
        mine = (pl.col("cell") == cell) & (pl.col("role") == role)
        of_arm = marked.filter(pl.col("arm") == arm)
        images, every = replicates(scored.filter(mine), boxes.filter(mine), of_arm, minimum_iou)
        for center, inside in centers(images):
            who = {"arm": arm, "cell": cell, "role": role, "center": center}
            found = [one.on(inside) for one in every if (one.used & inside).any()]
            rows.append(who | _row(found, minimum_iou))
            curves.append(_curve(who, found))
    return Localization(pl.DataFrame(rows, schema=LOCALIZATION, orient="row"), pl.concat(curves))


def with_reference(
    predictions: pl.DataFrame, labels: pl.DataFrame, lesions: pl.DataFrame, cells: pl.DataFrame
) -> pl.DataFrame:
    """Predictions of detectors on images whose lesions are known: negative ones, and positive ones with a box.

    `labels`: arm, center, image, label (1 or 0). A hit on a positive image without a box would count as false.
    """
    arms = cells.select("cell", "arm")
    marked = lesions.select("arm", "center", "image").unique().with_columns(marked=pl.lit(True))
    known = labels.join(marked, on=["arm", "center", "image"], how="left").filter(
        (pl.col("label") == 0) | pl.col("marked")
    )
    return predictions.join(arms, on="cell").join(known, on=["arm", "center", "image"], how="semi").drop("arm")


def _scored(predictions: pl.DataFrame) -> pl.DataFrame:
    """One row per replicate and image."""
    images = predictions.group_by("cell", *REPLICATE, "role", *IMAGE, maintain_order=True).agg(
        pl.col("patient").first(), pl.col("key").first(), pl.col("key").n_unique().alias("jobs")
    )
    twice = images.filter(pl.col("jobs") > 1)
    if twice.height:
        row = twice.row(0, named=True)
        raise StudyError(
            f"Table 'predictions': image {row['image']!r} was scored by {row['jobs']} jobs of cell {row['cell']!r}, "
            f"fold {row['fold']}, seed {row['seed']}; keep the current job's predictions only."
        )
    return images.drop("jobs")


def _row(found: list[Replicate], minimum_iou: float) -> Row:
    """Counts, means over the replicates and standard deviations."""
    numbers, flags = zip(*(one.measures() for one in found), strict=True)
    columns = {name: np.array([one[name] for one in numbers]) for name in numbers[0]}
    used = np.array([one.used for one in found])
    lesions = np.max([np.bincount(one.lesion_images, minlength=one.used.size) for one in found], axis=0)
    uneven = UNEVEN if (used != used[0]).any() else ""
    return (
        {name: float(values.mean()) for name, values in columns.items()}
        | {f"{name}_sd": _spread(columns[name]) for name in MEASURES}
        | {
            "images": int(used.any(axis=0).sum()),
            "lesion_free_images": int((used.any(axis=0) & (lesions == 0)).sum()),
            "lesions": int(lesions.sum()),
            "replicates": len(found),
            "minimum_iou": minimum_iou,
            "method": METHOD,
            "flag": "; ".join(filter(None, dict.fromkeys([*flags, uneven]))),
        }
    )


def _curve(who: Row, found: list[Replicate]) -> pl.DataFrame:
    """The mean sensitivity of the replicates at each number of false positives per image."""
    sensitivity = np.array([sensitivity_at(one.marks, GRID) for one in found])
    return pl.DataFrame(
        {
            **{name: [value] * GRID.size for name, value in who.items()},
            "false_positives": GRID,
            "sensitivity": sensitivity.mean(axis=0),
            "sensitivity_sd": [_spread(values) for values in sensitivity.T],
            "replicates": [len(found)] * GRID.size,
        },
        schema=FROC,
    )


def _spread(values: Floats) -> float:
    return float(np.std(values, ddof=1)) if values.size > 1 else nan
