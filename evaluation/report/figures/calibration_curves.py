"""Calibration curves for plotly: one cell at a time, as predicted and recalibrated, above a histogram of its scores."""

from __future__ import annotations

from collections.abc import Iterator

import plotly.graph_objects as go
import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import ordered
from evaluation.report.figures.drawing import COLORS, DASHES, Figure, as_json, plain_layout
from evaluation.report.figures.views import band, colored, only
from evaluation.report.names import Place, cell_label, places
from evaluation.report.tables.calibration import RECALIBRATIONS, risks_label

SHARE = 0.16
"""Of the drawing's height, for the histogram."""
CLASSES = (("positive", "#D55E00"), ("negative", "#56B4E9"))


def calibration_curves(context: ReportContext, arm: str) -> Figure | None:
    """The cells of an arm at its most general place, one to be chosen; of many cells those of planned pairs."""
    frame = context.seen.calibration_curves.filter(pl.col("arm") == arm)
    found = places(context, frame)
    if not found:
        return None
    shown = found[0].rows(frame)
    every = tuple(ordered(shown["cell"], context.cells_of(arm)))
    cells = colored(context, every)
    figure = go.Figure(layout=_layout())
    for choice, cell in enumerate(cells):
        traces = _cell(shown.filter(pl.col("cell") == cell))
        figure.add_traces([trace.update(meta=choice, visible=choice == 0) for trace in traces])
    return Figure(
        arm,
        as_json(figure),
        tuple(cell_label(context, cell) for cell in cells),
        asks=f"{_called(context, found[0])}{only(every, cells)}:",
        spoken=f"Calibration curves of {arm}; slope, intercept and the other measures are in the tables below",
        csv="calibration_curves",
    )


def _called(context: ReportContext, place: Place) -> str:
    """A lone external center by its name."""
    centers = context.centers("external")
    return Place("external", centers[0]).name if place.role == "external" and len(centers) == 1 else place.name


def _cell(frame: pl.DataFrame) -> Iterator[go.Scatter | go.Bar]:
    names = ordered(frame["recalibration"], list(RECALIBRATIONS))
    for number, name in enumerate(names):
        part = frame.filter(pl.col("recalibration") == name)
        yield from _curve(part.filter(pl.col("part") == "curve"), name, number)
    raw = frame.filter(pl.col("recalibration") == names[0])
    yield _groups(raw.filter(pl.col("part") == "group"))
    yield from _histogram(raw.filter(pl.col("part") == "histogram"))


def _curve(frame: pl.DataFrame, name: str, number: int) -> Iterator[go.Scatter]:
    known = frame.filter(pl.col("observed").is_finite())
    x, y, low, high = (known[column].round(3).to_list() for column in ("predicted", "observed", "low", "high"))
    banded = known.filter(pl.col("low").is_finite())
    if number == 0 and banded.height:
        yield band(banded, "predicted", COLORS[0], name)
    yield go.Scatter(
        x=x,
        y=y,
        text=[f"{one:.3f} to {other:.3f}" for one, other in zip(low, high, strict=True)],
        name=risks_label(name),
        legendgroup=name,
        mode="lines",
        line={"color": COLORS[number], "dash": DASHES[number], "width": 2},
        hovertemplate="risk %{x:.3f}<br>frequency %{y:.3f}<br>95% band %{text}",
    )


def _groups(frame: pl.DataFrame) -> go.Scatter:
    above, below = (frame["high"] - frame["observed"]).round(3), (frame["observed"] - frame["low"]).round(3)
    return go.Scatter(
        x=frame["predicted"].round(3).to_list(),
        y=frame["observed"].round(3).to_list(),
        error_y={"array": above.to_list(), "arrayminus": below.to_list(), "width": 0, "thickness": 1.2},
        text=[f"{positive} of {n}" for positive, n in frame.select("n_positive", "n").iter_rows()],
        name="tenths, as predicted",
        mode="markers",
        marker={"color": COLORS[0], "size": 7},
        hovertemplate="mean risk %{x:.3f}<br>positive %{text}: %{y:.3f}<extra>tenth of the images</extra>",
    )


def _histogram(frame: pl.DataFrame) -> Iterator[go.Bar]:
    counts = {"positive": frame["n_positive"], "negative": frame["n"] - frame["n_positive"]}
    width = 1 / max(1, frame.height)
    for name, color in CLASSES:
        yield go.Bar(
            x0=width / 2,
            dx=width,
            y=counts[name].to_list(),
            width=width * 0.92,
            yaxis="y2",
            name=f"{name} images",
            marker={"color": color},
            hovertemplate=f"%{{y}} {name} with a risk near %{{x:.2f}}<extra></extra>",
        )


def _layout() -> go.Layout:
    layout = plain_layout(0, "Risk", "Frequency of positive images", "Risks")
    ideal = {"type": "line", "x0": 0, "y0": 0, "x1": 1, "y1": 1, "layer": "below"}
    axis = {"range": [-0.02, 1.02], "tickformat": ".1f", "dtick": 0.2}
    layout.update(
        height=560,
        barmode="stack",
        margin={"l": 64},
        xaxis={**axis, "anchor": "y2"},
        yaxis={**axis, "domain": [SHARE + 0.04, 1]},
        yaxis2={
            "domain": [0, SHARE],
            "title": {"text": "Images", "font": {"size": 13}},
            "nticks": 3,
            "zeroline": False,
        },
        shapes=[{**ideal, "line": {"width": 1, "color": "#8C8C8C", "dash": "dot"}}],
    )
    return layout
