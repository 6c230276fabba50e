"""The search of every cell for plotly: the best value so far over the trials, and each cell's trials."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from math import isnan, nan

import plotly.graph_objects as go
import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Facts, ordered
from evaluation.report.figures.drawing import COLORS, Figure, as_json, legend_name, plain_layout
from evaluation.report.figures.learning_rates import CHOSEN, SYMBOLS
from evaluation.report.figures.views import View, colored, curve, faint_entry, only, styles
from evaluation.report.names import Place, cell_label

EVERY = "all cells, best value so far"


def history(context: ReportContext, arm: str) -> Figure | None:
    """The best value so far of all cells of an arm, and the trials of each cell; None where none has a value."""
    frame = context.trials.filter(pl.col("arm") == arm).sort("trial", maintain_order=True)
    cells = tuple(ordered(frame.filter(pl.col("value").is_not_null())["cell"], context.cells_of(arm)))
    if not cells:
        return None
    rows = {cell: frame.filter(pl.col("cell") == cell).to_dicts() for cell in cells}
    own = colored(context, cells)
    figure = go.Figure(layout=_layout(min(len(cells), len(own) + 1), max(len(of_cell) for of_cell in rows.values())))
    figure.add_traces([trace.update(meta=0, visible=True) for trace in _every(context, rows)])
    for choice, cell in enumerate(own, start=1):
        figure.add_traces([trace.update(meta=choice, visible=False) for trace in _one(rows[cell])])
    return Figure(
        arm,
        as_json(figure),
        (EVERY, *(cell_label(context, cell) for cell in own)),
        asks=f"Shown{only(cells, own)}:",
        spoken=f"Tuning history of {arm}: value over trials; the numbers are in the tables below",
        csv="trials",
    )


def _every(context: ReportContext, rows: dict[str, list[Facts]]) -> Iterator[go.Scatter]:
    look = styles(context, View(EVERY, Place("validation", "all"), tuple(rows), close=False))
    for cell, style in look.items():
        yield _best(rows[cell], curve(style, legend_name(cell_label(context, cell)), cell))
    yield from faint_entry(look)


def _one(rows: list[Facts]) -> Iterator[go.Scatter]:
    yield _best(rows, curve({"color": COLORS[0], "width": 1.8}, "best so far", "best"))
    for state, symbol in SYMBOLS.items():
        known = [row for row in rows if row["state"] == state and row["value"] is not None]
        if known:
            yield _trials(known, state, symbol)


def _best(rows: list[Facts], trace: go.Scatter) -> go.Scatter:
    """A step at each trial that did better; those that were pruned or failed are not chosen and leave it as it is."""
    values: list[float] = [
        row["value"] if row["state"] == "finished" and row["value"] is not None else nan for row in rows
    ]
    best = list(accumulate(values, _better))
    epochs = list(accumulate(row["epochs_trained"] for row in rows))
    return trace.update(
        x=[row["trial"] for row in rows],
        y=[None if isnan(value) else round(value, 4) for value in best],
        text=[str(number) for number in epochs],
        line={"shape": "hv"},
        hovertemplate="trial %{x}<br>best value so far %{y:.3f}<br>after %{text} epochs in all",
    )


def _better(so_far: float, value: float) -> float:
    return so_far if isnan(value) or value < so_far else value


def _trials(rows: list[Facts], state: str, symbol: str) -> go.Scatter:
    return go.Scatter(
        x=[row["trial"] for row in rows],
        y=[round(row["value"], 4) for row in rows],
        text=[f"{row['epochs_trained']} epochs{', chosen' if row['chosen'] else ''}" for row in rows],
        mode="markers",
        name=state,
        marker={
            "color": COLORS[1],
            "symbol": [CHOSEN if row["chosen"] else symbol for row in rows],
            "size": [13 if row["chosen"] else 8 for row in rows],
        },
        hovertemplate="trial %{x}<br>value %{y:.3f}<br>%{text}",
    )


def _layout(curves: int, trials: int) -> go.Layout:
    layout = plain_layout(curves, "Trial", "Value on the validation patients of tuning", "Cell")
    ticks = {"tickformat": "d", "dtick": max(1, trials // 10), "range": [-0.3, trials - 0.7]}
    layout.update(height=max(360, 140 + 19 * curves), xaxis=ticks, margin={"l": 64})
    return layout
