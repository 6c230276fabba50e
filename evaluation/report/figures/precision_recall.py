"""Precision-recall curves for plotly, at the pooled places of an arm."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import plotly.graph_objects as go
import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.figures.drawing import Figure, legend_name, plain_layout
from evaluation.report.figures.points import marks, rules_legend
from evaluation.report.figures.roc import Measured, bands, measured
from evaluation.report.figures.views import Curves, View, curve, faint_entry, figure_of, labels, styles
from evaluation.report.numbers import count, estimate, fraction, percent, threshold


def precision_recall(context: ReportContext, arm: str) -> Figure | None:
    """All cells at the pooled places of an arm, and its planned pairs with bands; None without a curve."""
    spoken = "Precision-recall curves of {arm}; average precisions are in performance.csv"
    return figure_of(context, arm, Curves("precision_recall", _layout, _view, spoken))


def _view(context: ReportContext, view: View, most: int) -> Iterator[go.Scatter]:
    inside = view.place.rows(context.seen.precision_recall)
    look, named, known = styles(context, view), labels(context, view), measured(context)
    if view.close:
        yield from bands(context, view, "precision-recall")
    for cell, style in look.items():
        row = known.get((cell, view.place.role, view.place.center), {})
        names = ("average_precision", "average_precision_low", "average_precision_high")
        whole = estimate(*(row.get(name) for name in names))
        shown = whole if view.close else fraction(row.get("average_precision"))
        points = inside.filter(pl.col("cell") == cell)
        points = points[np.unique(np.linspace(0, points.height - 1, most).round().astype(int))]
        yield curve(style, legend_name(f"{named[cell]}  {shown}"), cell).update(
            x=points["recall"].round(3).to_list(),
            y=points["precision"].round(3).to_list(),
            text=[threshold(value) for value in points["threshold"].to_list()],
            hovertemplate=f"precision (PPV) %{{y:.3f}}<br>recall (sensitivity) %{{x:.3f}} of "
            f"{count(row.get('n_positive'))} positive<br>threshold %{{text}}",
        )
    yield from faint_entry(look)
    yield from _prevalence(view, known)
    if view.close:
        yield from marks(context, view, look, "precision-recall")
        yield from rules_legend(context, view)


def _prevalence(view: View, known: Measured) -> Iterator[go.Scatter]:
    """The precision of a score without skill, where all cells share their images."""
    rows = [row for cell in view.cells if (row := known.get((cell, view.place.role, view.place.center)))]
    shares = {row["n_positive"] / (row["n_positive"] + row["n_negative"]) for row in rows}
    if len(shares) == 1:
        share = shares.pop()
        style = {"width": 1, "color": "#8C8C8C", "dash": "dot"}
        name = f"without skill  {percent(share)}"
        yield go.Scatter(x=[0, 1], y=[share, share], mode="lines", line=style, name=name, hoverinfo="skip")


def _layout(curves: int) -> go.Layout:
    axis = {"range": [-0.01, 1.01], "tickformat": ".1f", "dtick": 0.2, "constrain": "domain"}
    layout = plain_layout(curves, "Recall (sensitivity)", "Precision (PPV)", "Cell and average precision")
    layout.update(
        xaxis={**axis, "scaleanchor": "y", "constraintoward": "left"}, yaxis={**axis, "constraintoward": "top"}
    )
    return layout
