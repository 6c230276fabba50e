"""Decision curves of planned cells for plotly: net benefit over the risk from which one acts."""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import ordered
from evaluation.report.figures.drawing import Figure, as_json, legend_name, line, plain_layout
from evaluation.report.names import cell_label, places
from evaluation.report.tables.calibration import RECALIBRATIONS, risks_label

DEEPEST = -0.05
"""Lowest net benefit of the drawing; acting on everyone falls far below it."""
NEUTRAL = "#8C8C8C"


def decision_curves(context: ReportContext, arm: str) -> Figure | None:
    """The cells of planned pairs at the arm's most general place, as predicted and recalibrated; None without any."""
    pairs = context.seen.net_benefit
    planned = {*pairs["first"], *pairs["second"]}
    frame = context.seen.decision_curves.filter(pl.col("arm") == arm, pl.col("cell").is_in(list(planned)))
    found = places(context, frame)
    if not found:
        return None
    shown = found[0].rows(frame)
    names = ordered(shown["recalibration"], list(RECALIBRATIONS))
    return Figure(
        arm,
        as_json(_drawn(context, arm, shown, names)),
        tuple(f"Risks {risks_label(name)}" for name in names),
        asks=f"{found[0].name}:",
        spoken=f"Decision curves of {arm}; differences of net benefit are in the tables below",
        csv="decision_curves",
    )


def _drawn(context: ReportContext, arm: str, frame: pl.DataFrame, names: list[str]) -> go.Figure:
    cells = ordered(frame["cell"], context.cells_of(arm))
    figure = go.Figure(layout=_layout(frame, len(cells) + 2))
    for choice, name in enumerate(names):
        inside = frame.filter(pl.col("recalibration") == name)
        curves = {cell: inside.filter(pl.col("cell") == cell) for cell in cells}
        known = {cell: curve for cell, curve in curves.items() if curve.height}
        drawn = [
            _curve(curve, "net_benefit", cell_label(context, cell), line(cells.index(cell)))
            for cell, curve in known.items()
        ]
        first = next(iter(known.values()))
        drawn += [
            _curve(first, "treat_all", "everyone", {"color": NEUTRAL, "width": 1.2}),
            _curve(first, "treat_none", "no one", {"color": NEUTRAL, "width": 1.2, "dash": "dot"}),
        ]
        figure.add_traces([trace.update(meta=choice, visible=choice == 0) for trace in drawn])
    return figure


def _curve(frame: pl.DataFrame, column: str, name: str, style: dict[str, object]) -> go.Scatter:
    kept = frame.filter(pl.col(column) >= 2 * DEEPEST)
    return go.Scatter(
        x=kept["threshold"].to_list(),
        y=kept[column].round(4).to_list(),
        name=legend_name(name),
        mode="lines",
        line=style,
        hovertemplate="from a risk of %{x:.0%}<br>net benefit %{y:.3f}",
    )


def _layout(frame: pl.DataFrame, curves: int) -> go.Layout:
    highest = max(float(frame.select(pl.max_horizontal("net_benefit", "treat_all").max()).item()), 0.1)
    layout = plain_layout(curves, "Risk from which one acts", "Net benefit", "Cell, or acting on")
    layout.update(
        xaxis={"range": [0, 1], "tickformat": ".0%"},
        yaxis={"range": [DEEPEST, 1.05 * highest], "tickformat": ".2f"},
        margin={"l": 64},
    )
    return layout
