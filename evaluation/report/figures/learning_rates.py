"""Learning rates of all tuning trials for plotly, with the range that was searched."""

from __future__ import annotations

import math

import plotly.graph_objects as go
import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import ordered
from evaluation.report.figures.drawing import COLORS, Figure, as_json, legend_name, plain_layout
from evaluation.report.names import cell_label
from evaluation.report.numbers import scientific

SYMBOLS = {"finished": "circle", "pruned": "circle-open", "failed": "x"}
CHOSEN = "star"
HEIGHT = 360


def rates(context: ReportContext, arm: str) -> Figure | None:
    """Value against learning rate of every trial of an arm, by init; None where no rate was tuned."""
    tuned = context.tuning.filter(pl.col("arm") == arm, pl.col("rate_low").is_not_null())
    frame = context.trials.filter(pl.col("arm") == arm, pl.col("value").is_not_null())
    if tuned.is_empty() or frame.is_empty() or "learning_rate" not in frame.columns:
        return None
    low, high = tuned["rate_low"][0], tuned["rate_high"][0]
    searched = f"searched from {scientific(low)} to {scientific(high)}"
    return Figure(
        arm,
        as_json(_drawn(context, frame, low, high)),
        (searched,),
        asks="",
        spoken=f"Value against learning rate of the trials of {arm}, {searched}; the numbers are in the tables below",
        csv="trials",
    )


def _drawn(context: ReportContext, frame: pl.DataFrame, low: float, high: float) -> go.Figure:
    inits = {cell: str(context.by_cell[cell]["init"]) for cell in frame["cell"].unique() if cell in context.by_cell}
    layout = plain_layout(len(set(inits.values())), "Learning rate", "Value", "Init")
    layout.update(height=HEIGHT, shapes=[_bound(low), _bound(high)])
    layout.xaxis.update(type="log", range=[math.log10(low) - 0.15, math.log10(high) + 0.15], exponentformat="power")
    figure = go.Figure(layout=layout)
    for number, init in enumerate(ordered(context.cells["init"], [])):
        of_init = frame.filter(pl.col("cell").is_in([cell for cell, found in inits.items() if found == init]))
        if of_init.height:
            figure.add_traces([_legend(init, number), _points(context, of_init, init, number)])
    return figure


def _legend(init: str, number: int) -> go.Scatter:
    """The plain mark of an init; the legend would show the first trial's, be it hollow or a star."""
    marker = {"color": COLORS[number % len(COLORS)], "size": 8}
    return go.Scatter(x=[None], y=[None], mode="markers", name=legend_name(init), legendgroup=init, marker=marker)


def _points(context: ReportContext, frame: pl.DataFrame, init: str, number: int) -> go.Scatter:
    rows = frame.to_dicts()
    return go.Scatter(
        x=[row["learning_rate"] for row in rows],
        y=[round(row["value"], 4) for row in rows],
        text=[legend_name(f"{cell_label(context, row['cell'])}, trial {row['trial']}, {row['state']}") for row in rows],
        mode="markers",
        legendgroup=init,
        showlegend=False,
        visible=True,
        marker={
            "color": COLORS[number % len(COLORS)],
            "symbol": [CHOSEN if row["chosen"] else SYMBOLS.get(row["state"], "x") for row in rows],
            "size": [13 if row["chosen"] else 8 for row in rows],
        },
        hovertemplate="%{text}<br>learning rate %{x:.3g}<br>value %{y:.3f}<extra></extra>",
    )


def _bound(rate: float) -> dict[str, object]:
    line = {"width": 1, "color": "#8C8C8C", "dash": "dot"}
    return {"type": "line", "x0": rate, "x1": rate, "y0": 0, "y1": 1, "yref": "paper", "layer": "below", "line": line}
