"""ROC curves for plotly: all cells at every place of an arm, and planned pairs with bands and operating points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import plotly.graph_objects as go
import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.figures.drawing import Figure, corners, legend_name, plain_layout
from evaluation.report.figures.points import marks, rules_legend
from evaluation.report.figures.views import (
    Curves,
    View,
    band,
    curve,
    faint_entry,
    figure_of,
    labels,
    pooled_rows,
    styles,
)
from evaluation.report.numbers import count, estimate, fraction, threshold

Measured = dict[tuple[str, str, str], dict[str, Any]]
"""Rows of `performance` by cell, role and center."""


def roc(context: ReportContext, arm: str) -> Figure | None:
    """All cells at every place of an arm, the most general one visible, and its planned pairs; None without a curve."""
    spoken = "ROC curves of {arm}; AUCs are in the tables under Discrimination, counts under Operating points"
    return figure_of(context, arm, Curves("roc", _layout, _view, spoken))


def measured(context: ReportContext) -> Measured:
    """AUCs, average precisions and class counts."""
    rows = context.seen.performance.iter_rows(named=True)
    return {(row["cell"], row["role"], row["center"]): row for row in rows}


def _view(context: ReportContext, view: View, most: int) -> Iterator[go.Scatter]:
    inside, look, named = view.place.rows(context.seen.roc), styles(context, view), labels(context, view)
    known = measured(context)
    if view.close:
        yield from bands(context, view, "roc")
    for cell, style in look.items():
        row = known.get((cell, view.place.role, view.place.center), {})
        whole = estimate(row.get("auc"), row.get("low"), row.get("high"))
        name = f"{named[cell]}  {whole if view.close else fraction(row.get('auc'))}"
        points = inside.filter(pl.col("cell") == cell)
        points = points[corners(points["fpr"].to_numpy(), points["tpr"].to_numpy(), most)]
        yield curve(style, legend_name(name), cell).update(
            x=points["fpr"].round(3).to_list(),
            y=points["tpr"].round(3).to_list(),
            text=[threshold(value) for value in points["threshold"].to_list()],
            hovertemplate=f"sensitivity %{{y:.3f}} of {count(row.get('n_positive'))} positive<br>1 − specificity "
            f"%{{x:.3f}} of {count(row.get('n_negative'))} negative<br>threshold %{{text}}",
        )
    yield from faint_entry(look)
    if view.close:
        yield from marks(context, view, look, "roc")
        yield from rules_legend(context, view)


def bands(context: ReportContext, view: View, which: str) -> Iterator[go.Scatter]:
    """The pointwise bands of the cells that have one."""
    frame = pooled_rows(context, view.place, context.seen.curve_bands).filter(pl.col("curve") == which)
    for cell, style in styles(context, view).items():
        mine = frame.filter(pl.col("cell") == cell)
        if mine.height:
            yield band(mine, "at", style["color"], cell)


def _layout(curves: int) -> go.Layout:
    axis = {"range": [-0.01, 1.01], "tickformat": ".1f", "dtick": 0.2, "constrain": "domain"}
    chance = {"type": "line", "x0": 0, "y0": 0, "x1": 1, "y1": 1, "layer": "below"}
    layout = plain_layout(curves, "1 − specificity", "Sensitivity", "Cell and AUC")
    layout.update(
        xaxis={**axis, "scaleanchor": "y", "constraintoward": "left"},
        yaxis={**axis, "constraintoward": "top"},
        shapes=[{**chance, "line": {"width": 1, "color": "#8C8C8C", "dash": "dot"}}],
    )
    return layout
