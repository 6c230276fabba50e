"""The comparison of a study's cells: everything the report and the tracker show, as frames."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from evaluation.comparison.aggregation import image_scores, replicate_scores
from evaluation.comparison.contrasts import contrasts
from evaluation.comparison.operating_points import operating_points
from evaluation.comparison.panels import Panel, panels
from evaluation.comparison.performance import performance
from evaluation.discrimination import roc_points
from evaluation.tables import check
from search_spaces.errors import StudyError
from search_spaces.study import Analysis

CELLS: dict[str, pl.DataType] = {
    "cell": pl.String(),
    "arm": pl.String(),
    "task": pl.String(),
    "backbone": pl.String(),
    "pretraining": pl.String(),
    "init": pl.String(),
    "replicates_planned": pl.Int64(),
    "exploratory": pl.Boolean(),
    "box": pl.String(),
}
ROC: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "cell": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "threshold": pl.Float64(),
    "fpr": pl.Float64(),
    "tpr": pl.Float64(),
}


@dataclass(frozen=True)
class Comparison:
    """What was found, one frame per question; a number that cannot be estimated is NaN, never null.

    Columns: `aggregation.SCORES`, `performance.PERFORMANCE`, `operating_points.OPERATING_POINTS`,
    `contrasts.CONTRASTS` and `ROC`. `center` is a center's name, "all" (pooled) or "stratified".
    """

    scores: pl.DataFrame
    performance: pl.DataFrame
    operating_points: pl.DataFrame
    contrasts: pl.DataFrame
    roc: pl.DataFrame


def compare(
    predictions: pl.DataFrame, labels: pl.DataFrame, plan: Analysis, cells: pl.DataFrame, *, open_external: bool
) -> Comparison:
    """Join predictions with labels, aggregate the replicates of each cell, and compare the cells.

    `labels`: arm, center, image, label (1 or 0); images of an arm without a label are left out. `cells`: CELLS, whose
    order is the order of every frame. Until `open_external`, no frame has an external row. Raises StudyError for
    faulty tables and for primary comparisons that name nothing.
    """
    known = _checked_cells(cells)
    replicates = replicate_scores(predictions, labels, known, open_external=open_external)
    scores = image_scores(replicates)
    boards = list(panels(scores))
    return Comparison(
        scores=scores,
        performance=performance(boards, replicates, known),
        operating_points=operating_points(boards, plan, known),
        contrasts=contrasts(boards, plan, known),
        roc=_roc(boards, known),
    )


def _checked_cells(cells: pl.DataFrame) -> pl.DataFrame:
    known = check(cells, CELLS, "cells")
    if known["cell"].is_duplicated().any():
        raise StudyError("Table 'cells' names a cell more than once; each cell has one row.")
    return known


def _roc(boards: list[Panel], cells: pl.DataFrame) -> pl.DataFrame:
    curves = [_curve(panel, cell) for cell in cells["cell"] for panel in boards if cell in panel.scores]
    return pl.concat([pl.DataFrame(schema=ROC), *curves])


def _curve(panel: Panel, cell: str) -> pl.DataFrame:
    cases = panel.cases(cell)
    if cases.one_class:
        return pl.DataFrame(schema=ROC)
    points = roc_points(cases.labels, panel.score(cell, cases))
    return pl.DataFrame(
        {"threshold": panel.shown(cell, points.threshold), "fpr": points.fpr, "tpr": points.tpr}
    ).select(
        pl.lit(panel.arms[cell]).alias("arm"),
        pl.lit(cell).alias("cell"),
        pl.lit(panel.role).alias("role"),
        pl.lit(panel.center).alias("center"),
        "threshold",
        "fpr",
        "tpr",
    )
