"""Forest plots over external centers for plotly: every center, the random-effects summary, and a new center's range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan, sqrt

import plotly.graph_objects as go
import polars as pl

from evaluation.normal import Z95
from evaluation.report.context import ReportContext
from evaluation.report.display import Facts, ordered
from evaluation.report.figures.drawing import COLORS, Figure, as_json, legend_name, plain_layout
from evaluation.report.names import cell_label, sample
from evaluation.report.numbers import bounds, estimate, fraction, p_equation, percent, signed, signed_interval
from evaluation.report.tables.centers import SHOWN
from evaluation.report.tables.effects import KINDS, names

SUMMARY, NEW = "all centers, random effects", "range for a new center"
NEUTRAL = "#8C8C8C"
GREATEST, LEAST = 17, 7
"""Sides of a center's square; its area grows with the center's images."""


@dataclass(frozen=True)
class Line:
    """One center: its estimate with an interval, and its images."""

    center: str
    value: float
    low: float
    high: float
    positive: int
    negative: int


def areas_by_center(context: ReportContext, arm: str) -> Figure | None:
    """AUC of a cell at every external center and over all of them; None without two centers."""
    summaries = _summaries(context, arm).filter(pl.col("measure") == "auc", pl.col("scale") == "logit")
    found = {row["first"]: row for row in summaries.iter_rows(named=True)}
    measured = context.seen.performance
    forests = [
        (cell_label(context, cell), _lines(context, measured.filter(pl.col("cell") == cell), "auc"), found[cell])
        for cell in ordered(found, context.cells_of(arm))
    ]
    spoken = f"AUC of each cell of {arm} by center; the random-effects summaries are in the tables below"
    return _figure(arm, forests, "AUC", spoken, "performance") if forests else None


def differences_by_center(context: ReportContext, arm: str) -> Figure | None:
    """A contrast of single models at every external center and over all of them; None without two centers."""
    forests = []
    for row in _summaries(context, arm).filter(pl.col("measure") != "auc").iter_rows(named=True):
        kind, same = row["measure"], (pl.col(name) == row[name] for name in ("first", "second", "arm"))
        rows = context.seen.effects.filter(pl.col("effect") == kind, *same)
        first, second = names(context, row | {"effect": kind})
        forests.append((f"{KINDS[kind][0]}: {first} against {second}", _lines(context, rows, "difference"), row))
    spoken = f"Contrasts of {arm} by center; the random-effects summaries are in the tables below"
    return _figure(arm, forests, "Difference in AUC, first minus second", spoken, "effects") if forests else None


def _summaries(context: ReportContext, arm: str) -> pl.DataFrame:
    """The variant that the tables show, of all centers together; of pairs between arms, the first one's."""
    mine = (pl.col("arm") == arm) | pl.col("arm").str.starts_with(f"{arm} vs ")
    return context.seen.heterogeneity.filter(mine, pl.col("left_out") == "", pl.col("method").str.starts_with(SHOWN))


def _lines(context: ReportContext, frame: pl.DataFrame, name: str) -> list[Line]:
    """Centers in the order of the study; of contrasts the interval over cases, as it enters the summary."""
    rows = {row["center"]: row for row in frame.filter(pl.col("role") == "external").iter_rows(named=True)}
    return [_line(center, rows[center], name) for center in context.centers("external") if center in rows]


def _line(center: str, row: Facts, name: str) -> Line:
    value = row[name]
    half = Z95 * row["se_cases"] if name == "difference" else None
    low, high = (row["low"], row["high"]) if half is None else (value - half, value + half)
    return Line(center, value, low, high, row["n_positive"], row["n_negative"])


def _figure(arm: str, forests: list[tuple[str, list[Line], Facts]], across: str, spoken: str, csv: str) -> Figure:
    is_area = across == "AUC"
    centers = list(dict.fromkeys(line.center for _, lines, _ in forests for line in lines))
    figure = go.Figure(layout=_layout(across, centers, zero=not is_area))
    for choice, (_, lines, row) in enumerate(forests):
        traces = (_centers(lines, is_area), *_summary(row, is_area))
        figure.add_traces([trace.update(meta=choice, visible=choice == 0) for trace in traces])
    return Figure(arm, as_json(figure), tuple(name for name, _, _ in forests), asks="Shown:", spoken=spoken, csv=csv)


def _centers(lines: list[Line], is_area: bool) -> go.Scatter:
    known = [line for line in lines if not isnan(line.value)]
    most = max((line.positive + line.negative for line in known), default=1)
    sides = [max(LEAST, GREATEST * sqrt((line.positive + line.negative) / most)) for line in known]
    return go.Scatter(
        x=[round(line.value, 4) for line in known],
        y=[legend_name(line.center) for line in known],
        error_x={
            "array": [round(line.high - line.value, 4) for line in known],
            "arrayminus": [round(line.value - line.low, 4) for line in known],
            "width": 0,
            "thickness": 1.6,
        },
        text=[
            f"{_said(line.value, line.low, line.high, is_area)}, {sample(line.positive, line.negative)}"
            for line in known
        ],
        mode="markers+text",
        textposition="top center",
        name="center, 95% interval",
        marker={"symbol": "square", "color": COLORS[0], "opacity": 1, "size": [round(side, 1) for side in sides]},
        hovertemplate="%{y}: %{text}<extra></extra>",
    )


def _summary(row: Facts, is_area: bool) -> Iterator[go.Scatter]:
    spread = f"I² {percent(row['i2'])}, τ {fraction(sqrt(row['tau2']))}, Q {p_equation(row['q_p'])}"
    said = _said(row["estimate"], row["low"], row["high"], is_area)
    yield _range(row, ("low", "high"), SUMMARY, COLORS[1], 6, f"{SUMMARY}: {said}<br>{spread}")
    if not isnan(row["prediction_low"]):
        low, high = row["prediction_low"], row["prediction_high"]
        shown = bounds(low, high) if is_area else signed_interval(low, high)
        yield _range(row, ("prediction_low", "prediction_high"), NEW, NEUTRAL, 3, f"{NEW}: {shown}")
    yield go.Scatter(
        x=[row["estimate"]],
        y=[SUMMARY],
        mode="markers+text",
        marker={"symbol": "diamond", "size": 14, "color": COLORS[1]},
        text=[f"{said}; {spread}"],
        textposition="top center",
        showlegend=False,
        cliponaxis=False,
        hoverinfo="skip",
    )


def _range(row: Facts, ends: tuple[str, str], name: str, color: str, width: int, said: str) -> go.Scatter:
    return go.Scatter(
        x=[round(row[end], 4) for end in ends],
        y=[name, name],
        mode="lines+markers",
        name=name,
        line={"color": color, "width": width},
        marker={"symbol": "line-ns", "size": 9, "line": {"width": 2, "color": color}},
        text=[said, said],
        hovertemplate="%{text}<extra></extra>",
    )


def _said(value: float, low: float, high: float, is_area: bool) -> str:
    return estimate(value, low, high) if is_area else f"{signed(value)} ({signed_interval(low, high)})"


def _layout(across: str, centers: list[str], *, zero: bool) -> go.Layout:
    layout = plain_layout(0, across, "", "")
    rows = [legend_name(name) for name in (*centers, SUMMARY, NEW)]
    layout.update(
        height=200 + 48 * len(rows),
        margin={"l": 190},
        yaxis={
            "type": "category",  # else centers named 1, 2 or 2024-01 would be taken for numbers or dates
            "categoryorder": "array",
            "categoryarray": rows[::-1],
            "range": [-0.6, len(rows) - 0.4],
            "title": None,
        },
        xaxis={"tickformat": "+.2f" if zero else ".2f", "nticks": 9},
        legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
    )
    if zero:
        style = {"width": 1, "color": NEUTRAL, "dash": "dot"}
        layout.update(shapes=[{"type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "paper", "line": style}])
    return layout
