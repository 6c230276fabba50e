"""Figures: a forest of AUCs, drawn by the template without a script, and curves for plotly."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl
from numpy.typing import NDArray

from evaluation.report.context import ReportContext
from evaluation.report.display import Entry, ordered
from evaluation.report.names import cell_heading, cell_label, places
from evaluation.report.numbers import estimate, fraction, is_missing, threshold

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#8C8C8C")
"""Okabe and Ito's colors that differ for every kind of color vision and show on white and on black."""
DASHES = ("solid", "dash", "dot", "dashdot")
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
"""As in style.css: plotly measures its legend with it."""
MOST_POINTS = 200
"""Points of a drawn curve; roc.csv holds all of them."""


@dataclass(frozen=True)
class ForestRow:
    """One cell: an AUC with its interval, positions in percent of the axis; none where there is no estimate."""

    heading: Entry
    estimate: str
    low: float | None
    middle: float | None
    high: float | None


@dataclass(frozen=True)
class ForestArm:
    """The cells of one arm, with the place they were tested at."""

    arm: str
    place: str
    rows: tuple[ForestRow, ...]


@dataclass(frozen=True)
class Forest:
    """AUCs of all cells on one axis; `ticks` are positions in percent and what stands there."""

    arms: tuple[ForestArm, ...]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Axis:
    """A linear axis with a margin of 4 percent on both sides, so that its outer labels have room."""

    low: float
    high: float

    def percent(self, value: float) -> float:
        """Position of a value, from 4 at the lower end to 96 at the upper."""
        return round(4 + 92 * (value - self.low) / (self.high - self.low), 2)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Every tenth, or every twentieth on a short axis."""
        step = 0.1 if self.high - self.low > 0.35 else 0.05
        values = np.arange(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1) * step
        return tuple((self.percent(value), f"{value:.2f}") for value in values.tolist())


def forest(context: ReportContext) -> Forest:
    """Every cell's AUC at its arm's most general place: pooled external once opened, the reserve before."""
    frames = {arm: context.seen.performance.filter(pl.col("arm") == arm) for arm in context.arms}
    found = {arm: places(context, frame) for arm, frame in frames.items()}
    shown = {arm: found[arm][0].rows(frame) for arm, frame in frames.items() if found[arm]}
    axis = _axis(list(shown.values()))
    arms = tuple(
        ForestArm(arm, found[arm][0].name, _forest_rows(context, arm, frame, axis)) for arm, frame in shown.items()
    )
    return Forest(arms, axis.ticks())


def _axis(frames: list[pl.DataFrame]) -> Axis:
    values = [value for frame in frames for name in ("auc", "low", "high") for value in frame[name].to_list()]
    known = [value for value in values if not is_missing(value)] or [0.5, 1.0]
    low = math.floor(min(known) * 20 - 0.2) / 20
    return Axis(max(0.0, min(low, 0.5) if low < 0.65 else low), min(1.0, math.ceil(max(known) * 20 + 0.2) / 20))


def _forest_rows(context: ReportContext, arm: str, frame: pl.DataFrame, axis: Axis) -> tuple[ForestRow, ...]:
    rows = {row["cell"]: row for row in frame.iter_rows(named=True)}
    return tuple(
        ForestRow(
            cell_heading(context, cell),
            estimate(rows[cell]["auc"], rows[cell]["low"], rows[cell]["high"]),
            *(
                None if is_missing(rows[cell][name]) else axis.percent(rows[cell][name])
                for name in ("low", "auc", "high")
            ),
        )
        for cell in ordered(rows, context.cells_of(arm))
    )


@dataclass(frozen=True)
class Figure:
    """Curves of one arm: plotly's JSON, and the choices among which the reader may switch."""

    arm: str
    json: str
    choices: tuple[str, ...]
    asks: str
    """What the reader chooses."""
    spoken: str
    """What a screen reader says instead of the drawing."""
    csv: str


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


def as_json(figure: go.Figure) -> str:
    """A figure as it may stand in a page."""
    return str(figure.to_json()).replace("<", "\\u003c")


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


def legend_name(name: str) -> str:
    """A name that plotly, which reads tags in texts, takes as it is."""
    return html.escape(name, quote=False)


def line(number: int) -> dict[str, Any]:
    """Color and dashes of a curve by its place in the legend."""
    return {"color": COLORS[number % len(COLORS)], "dash": DASHES[number // len(COLORS) % len(DASHES)], "width": 1.8}


def corners(fpr: NDArray[np.float64], tpr: NDArray[np.float64]) -> NDArray[np.intp]:
    """Indices of the points at which a curve turns, first and last included, thinned evenly beyond MOST_POINTS."""
    if len(fpr) < 3:
        return np.arange(len(fpr))
    rise, run = np.diff(tpr), np.diff(fpr)
    turns = ~np.isclose(rise[:-1] * run[1:], rise[1:] * run[:-1], rtol=0, atol=1e-12)
    kept = np.concatenate([[0], np.flatnonzero(turns) + 1, [len(fpr) - 1]])
    if len(kept) <= MOST_POINTS:
        return kept
    return np.asarray(kept[np.unique(np.linspace(0, len(kept) - 1, MOST_POINTS).round().astype(int))])


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


def plain_layout(curves: int, across: str, up: str, legend: str) -> go.Layout:
    """Margins, fonts and a legend beside the drawing; colors of texts come from the style sheet."""
    small = {"font": {"size": 13}}
    return go.Layout(
        template="none",
        height=max(480, 120 + 19 * curves),
        margin={"l": 56, "r": 8, "t": 8, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        xaxis={"title": {"text": across, **small}, "zeroline": False},
        yaxis={"title": {"text": up, **small}, "zeroline": False},
        legend={"x": 1.02, "y": 1, "yanchor": "top", "title": {"text": legend, **small}, "font": {"size": 13}},
        showlegend=True,
        hovermode="closest",
        font={"size": 13, "family": FONT},
    )
