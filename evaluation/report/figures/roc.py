"""ROC curves of all cells for plotly, at every place of an arm."""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import ordered
from evaluation.report.figures.drawing import Figure, as_json, corners, legend_name, line, plain_layout
from evaluation.report.names import cell_label, places
from evaluation.report.numbers import fraction, threshold


def roc(context: ReportContext, arm: str) -> Figure | None:
    """All cells at every place of an arm, the most general one visible; None without a curve."""
    frame = context.seen.roc.filter(pl.col("arm") == arm)
    found = places(context, frame)
    if not found:
        return None
    aucs = {
        (row["cell"], row["role"], row["center"]): row["auc"] for row in context.seen.performance.iter_rows(named=True)
    }
    cells = ordered(frame["cell"].to_list(), context.cells_of(arm))
    figure = go.Figure(layout=_layout(len(cells)))
    for choice, place in enumerate(found):
        inside = place.rows(frame)
        for number, cell in enumerate(cells):
            curve = inside.filter(pl.col("cell") == cell)
            name = f"{cell_label(context, cell)}  {fraction(aucs.get((cell, place.role, place.center)))}"
            if curve.height:
                figure.add_trace(_curve(curve, name, number).update(meta=choice, visible=choice == 0))
    return Figure(
        arm,
        as_json(figure),
        tuple(place.name for place in found),
        asks="Tested on",
        spoken=f"ROC curves of {arm}; the AUCs are in the tables under Discrimination",
        csv="roc",
    )


def _curve(frame: pl.DataFrame, name: str, number: int) -> go.Scatter:
    points = frame[corners(frame["fpr"].to_numpy(), frame["tpr"].to_numpy())]
    return go.Scatter(
        x=points["fpr"].round(4).to_list(),
        y=points["tpr"].round(4).to_list(),
        text=[threshold(value) for value in points["threshold"].to_list()],
        name=legend_name(name),
        mode="lines",
        line=line(number),
        hovertemplate="sensitivity %{y:.3f}<br>1 − specificity %{x:.3f}<br>threshold %{text}",
    )


def _layout(curves: int) -> go.Layout:
    axis = {"range": [-0.01, 1.01], "tickformat": ".1f", "dtick": 0.2, "constrain": "domain"}
    chance = {"type": "line", "x0": 0, "y0": 0, "x1": 1, "y1": 1, "layer": "below"}
    layout = plain_layout(curves, "1 − specificity", "Sensitivity", "Cell and AUC")
    layout.update(
        xaxis={**axis, "scaleanchor": "y", "constraintoward": "left"},
        yaxis=axis,
        shapes=[{**chance, "line": {"width": 1, "color": "#8C8C8C", "dash": "dot"}}],
    )
    return layout
