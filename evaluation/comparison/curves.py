"""ROC and precision-recall curves of every cell on every center."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from evaluation.comparison.cases import Cases
from evaluation.comparison.panels import Panel
from evaluation.discrimination.areas import roc_points
from evaluation.discrimination.precision_recall import precision_recall_points

_WHERE: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "cell": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "threshold": pl.Float64(),
}
ROC: dict[str, pl.DataType] = {**_WHERE, "fpr": pl.Float64(), "tpr": pl.Float64()}
PRECISION_RECALL: dict[str, pl.DataType] = {**_WHERE, "recall": pl.Float64(), "precision": pl.Float64()}
MOST_POINTS = 400
"""Points of a precision-recall curve; it bends at every image, so a thinned one is for the eye."""

Draw = Callable[[Panel, str, Cases], pl.DataFrame]


def roc(boards: Sequence[Panel], cells: pl.DataFrame) -> pl.DataFrame:
    """Corners of the ROC curves (ROC)."""
    return _curves(boards, cells, ROC, _roc)


def precision_recall(boards: Sequence[Panel], cells: pl.DataFrame) -> pl.DataFrame:
    """Precision and recall over falling thresholds (PRECISION_RECALL), pooled centers only, thinned for drawing."""
    return _curves([panel for panel in boards if panel.pooled], cells, PRECISION_RECALL, _precision_recall)


def _curves(boards: Sequence[Panel], cells: pl.DataFrame, schema: dict[str, pl.DataType], draw: Draw) -> pl.DataFrame:
    drawn = [
        draw(panel, cell, panel.cases(cell)).select(
            pl.lit(panel.arms[cell]).alias("arm"),
            pl.lit(cell).alias("cell"),
            pl.lit(panel.role).alias("role"),
            pl.lit(panel.center).alias("center"),
            pl.all(),
        )
        for cell in cells["cell"]
        for panel in boards
        if cell in panel.scores and not panel.cases(cell).one_class
    ]
    return pl.concat([pl.DataFrame(schema=schema), *drawn])


def _roc(panel: Panel, cell: str, cases: Cases) -> pl.DataFrame:
    points = roc_points(cases.labels, panel.score(cell, cases))
    return pl.DataFrame({"threshold": panel.shown(cell, points.threshold), "fpr": points.fpr, "tpr": points.tpr})


def _precision_recall(panel: Panel, cell: str, cases: Cases) -> pl.DataFrame:
    points = precision_recall_points(cases.labels, panel.score(cell, cases))
    kept = np.unique(np.linspace(0, points.recall.size - 1, MOST_POINTS).round().astype(np.int64))
    thresholds = panel.shown(cell, points.threshold)
    columns = {"threshold": thresholds, "recall": points.recall, "precision": points.precision}
    return pl.DataFrame({name: values[kept] for name, values in columns.items()})
