"""The search for hyperparameters: what each cell chose, every trial, and whether the range was wide enough."""

from __future__ import annotations

import math

import plotly.graph_objects as go
import polars as pl

from evaluation.report.context import TRIALS, ReportContext
from evaluation.report.display import (
    Column,
    Entry,
    Facts,
    Footnotes,
    Group,
    Part,
    Table,
    filled,
    headings_of,
    lines,
    ordered,
    text,
)
from evaluation.report.figures import COLORS, Figure, as_json, legend_name, plain_layout
from evaluation.report.names import arm_box, cell_heading, cell_label
from evaluation.report.numbers import MISSING, count, fraction, scientific

NEAR = "within 5% of a bound of its range: a wider range might do better"
SYMBOLS = {"finished": "circle", "pruned": "circle-open", "failed": "x"}
CHOSEN = "star"
HEIGHT = 360


def choices(context: ReportContext) -> Table:
    """One row per tuned cell: its budget, the trial it chose, and whether that lies near a bound."""
    notes = Footnotes()
    parts = (
        Part(Column("Cell"), lambda row: cell_heading(context, row["cell"])),
        Part.number("Trials × epochs", lambda row: f"{count(row['trials'])} × {count(row['epochs'])}"),
        Part.number("Finished", lambda row: count(row["finished"])),
        Part.number("Pruned", lambda row: count(row["pruned"])),
        Part.number("Failed", lambda row: Entry(count(row["failed"]), tone="caution" if row["failed"] else "")),
        Part.number("Epochs trained", _epochs, "of all planned"),
        Part.number("Chosen", lambda row: count(row["chosen"]), "number of the trial"),
        Part.number("Value", lambda row: fraction(row["value"]), title="on the validation patients of tuning"),
        Part(Column("Chosen hyperparameters"), lambda row: _choice(row, notes)),
    )
    groups = tuple(
        Group(Entry(f"{arm}, {arm_box(context, arm)}"), filled(context.tuning.filter(pl.col("arm") == arm), parts))
        for arm in context.arms
    )
    return Table(
        id="tuning-choices",
        caption="What each cell chose",
        columns=headings_of(parts),
        groups=groups,
        csv="tuning",
        notes=notes.listed(),
        explanation="All cells of an arm are given the same number of trials, the same epochs and the same ranges.",
        empty="No cell is tuned.",
    )


def trials(context: ReportContext, arm: str) -> list[Table]:
    """One table per tuned cell of an arm: every trial with all that it tried."""
    frame = context.trials.filter(pl.col("arm") == arm)
    return [_trials(context, cell, frame.filter(pl.col("cell") == cell)) for cell in ordered(frame["cell"], [])]


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


def _epochs(row: Facts) -> Entry:
    return Entry(count(row["epochs_trained"]), (f"of {count(row['trials'] * row['epochs'])}",))


def _choice(row: Facts, notes: Footnotes) -> Entry:
    near = f"{row['near_bound']}: {NEAR}" if row["near_bound"] else ""
    first, *others = (row["hyperparameters"] or MISSING).split(", ")
    return Entry(
        first,
        lines(*others, f"near its bound: {row['near_bound']}" if near else ""),
        mark=notes.mark(near),
        tone="caution" if near else "",
    )


def _trials(context: ReportContext, cell: str, frame: pl.DataFrame) -> Table:
    tried = [name for name in frame.columns if name not in TRIALS and frame[name].is_not_null().any()]
    parts = (
        Part(Column("Trial"), lambda row: Entry(count(row["trial"]), tags=("chosen",) if row["chosen"] else ())),
        Part(Column("Ended"), lambda row: Entry(row["state"], tone="caution" if row["state"] == "failed" else "")),
        Part.number("Value", lambda row: fraction(row["value"])),
        Part.number("Epochs", lambda row: count(row["epochs_trained"])),
        *(_hyperparameter(name, frame[name].dtype.is_numeric()) for name in tried),
    )
    return Table(
        id=f"trials-{cell}".replace("/", "-").replace("_", "-"),
        caption=f"Trials: {cell_label(context, cell)}",
        label=f"Trials of {cell}",
        columns=headings_of(parts),
        groups=(Group(None, filled(frame, parts)),),
        csv="trials",
    )


def _hyperparameter(name: str, numeric: bool) -> Part:
    heading = Column(name.replace("_", " "), numeric)
    return Part(heading, lambda row: scientific(row[name]) if numeric else text(row[name]))


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
