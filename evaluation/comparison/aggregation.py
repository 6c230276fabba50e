"""From predictions of replicates to one score per cell and image, joined with the labels."""

from __future__ import annotations

import polars as pl

from evaluation.tables import PREDICTIONS, check
from search_spaces.errors import StudyError

ROLES = ("reserve", "validation", "external")
"""Roles that are evaluated, in the order of every frame."""

SCORES: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "cell": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "patient": pl.String(),
    "image": pl.String(),
    "label": pl.Int64(),
    "score": pl.Float64(),
    "logit": pl.Float64(),  # NaN for cells that have none; sigmoid(37) is already 1, so images are ordered by it
    "replicates": pl.Int64(),
}
LABELS: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "center": pl.String(),
    "image": pl.String(),
    "label": pl.Int64(),
}

_IMAGE = ("arm", "cell", "role", "center", "patient", "image", "label")
_REPLICATE = ("fold", "seed")


def replicate_scores(
    predictions: pl.DataFrame, labels: pl.DataFrame, cells: pl.DataFrame, *, open_external: bool
) -> pl.DataFrame:
    """One row per replicate and image: the highest score over its regions, with the label of the cell's arm.

    Only unperturbed predictions count. Where every prediction of a cell has a logit, `logit` is filled and `score`
    is its sigmoid. Images without a label in the arm are left out; so is the external role until it is opened.
    Raises StudyError for a cell that is not in `cells`, a replicate scored twice, or faulty labels.
    """
    opened = ROLES if open_external else ROLES[:2]
    table = check(predictions, PREDICTIONS, "predictions").filter(
        pl.col("variant") == "original", pl.col("role").is_in(opened)
    )
    refuse_unknown_cells(table, cells)
    regions = table.with_columns(
        logit=pl.when(pl.col("logit").is_null().any().over("cell")).then(None).otherwise("logit")
    )
    images = regions.group_by("cell", *_REPLICATE, "role", "center", "patient", "image").agg(
        pl.col("score").max(), pl.col("logit").max(), pl.col("key").n_unique().alias("jobs")
    )
    _refuse_scored_twice(images)
    return (
        images.drop("jobs")
        .with_columns(score=pl.coalesce(_sigmoid(pl.col("logit")), "score"))
        .join(cells.select("cell", "arm"), on="cell")
        .join(checked_labels(labels), on=["arm", "center", "image"])
    )


def image_scores(replicates: pl.DataFrame) -> pl.DataFrame:
    """One row per cell and image (SCORES): mean over the replicates of logits where they exist, else of scores.

    A validation image meets only the replicates whose fold held it out; a reserve or external image meets all.
    """
    return (
        replicates.sort(*_REPLICATE)
        .group_by(_IMAGE, maintain_order=True)
        .agg(
            pl.coalesce(_sigmoid(pl.col("logit").mean()), pl.col("score").mean()).alias("score"),
            pl.col("logit").mean().fill_null(float("nan")).alias("logit"),
            pl.len().cast(pl.Int64).alias("replicates"),
        )
        .select(list(SCORES))
        .sort("arm", "cell", "role", "center", "image")
    )


def checked_labels(labels: pl.DataFrame) -> pl.DataFrame:
    """Labels with their schema; raises StudyError for a label other than 0 and 1 or an image labeled twice."""
    table = check(labels, LABELS, "labels")
    other = table.filter(~pl.col("label").is_in([0, 1]))
    if other.height:
        row = other.row(0, named=True)
        raise StudyError(
            f"Table 'labels': image {row['image']!r} of arm {row['arm']!r} has label {row['label']}; "
            "positive is 1, negative is 0, and other images are left out."
        )
    twice = table.filter(table.select("arm", "center", "image").is_duplicated())
    if twice.height:
        row = twice.row(0, named=True)
        raise StudyError(
            f"Table 'labels': image {row['image']!r} of center {row['center']!r} stands more than once in arm "
            f"{row['arm']!r}; give each image one label."
        )
    return table


def refuse_unknown_cells(table: pl.DataFrame, cells: pl.DataFrame) -> None:
    """Raise StudyError for predictions of a cell that is not in `cells`."""
    unknown = table.filter(~pl.col("cell").is_in(cells["cell"].implode()))
    if unknown.height:
        raise StudyError(
            f"Table 'predictions' holds cell {unknown['cell'][0]!r}, which is none of the study's {cells.height} "
            "cells; leave out the results of cells that the study no longer has."
        )


def _refuse_scored_twice(images: pl.DataFrame) -> None:
    twice = images.filter(pl.col("jobs") > 1)
    if twice.height:
        row = twice.row(0, named=True)
        raise StudyError(
            f"Table 'predictions': image {row['image']!r} was scored by {row['jobs']} jobs of cell {row['cell']!r}, "
            f"fold {row['fold']}, seed {row['seed']}; keep the current job's predictions only."
        )


def _sigmoid(logit: pl.Expr) -> pl.Expr:
    return 1.0 / (1.0 + (-logit).exp())
