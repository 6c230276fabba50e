"""Perturbation ladders for plotly: what growing shifts, scalings and stretchings of the box do to AUC and score."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import isnan

import plotly.graph_objects as go
import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Facts, ordered
from evaluation.report.figures.drawing import Figure, as_json, legend_name, line, plain_layout
from evaluation.report.figures.views import colored, only
from evaluation.report.names import cell_label, places, sample
from evaluation.report.numbers import fraction, percent, plural, signed, signed_interval

KINDS = {"shift": "Shift, share of the box", "scale": "Scale, factor", "aspect": "Aspect, factor"}
"""Axis by the kind of perturbation."""


def ladders(context: ReportContext, arm: str) -> Figure | None:
    """Each kind of perturbation at the most general place of an arm, one line per cell; None without any."""
    frame = context.seen.stability.filter(pl.col("arm") == arm)
    found = places(context, frame)
    if not found:
        return None
    shown = found[0].rows(frame)
    kinds = ordered(shown["kind"], list(KINDS))
    every = tuple(ordered(shown["cell"], context.cells_of(arm)))
    cells = colored(context, every)
    figure = go.Figure(layout=_layout(len(cells)))
    for choice, kind in enumerate(kinds):
        traces = _kind(context, shown.filter(pl.col("kind") == kind).sort("magnitude"), cells)
        figure.add_traces([trace.update(meta=choice, visible=choice == 0) for trace in traces])
    return Figure(
        arm,
        as_json(figure),
        tuple(KINDS.get(kind, kind) for kind in kinds),
        asks=f"{found[0].name}{only(every, cells)}:",
        spoken=f"AUC and score of {arm} under growing perturbations; the numbers are in the tables below",
        csv="stability",
    )


def _kind(context: ReportContext, frame: pl.DataFrame, cells: list[str]) -> Iterator[go.Scatter]:
    """Change of the AUC above, mean change of the score below; cells stand a little beside each other."""
    kind = frame["kind"][0]
    start = 0.0 if kind == "shift" else 1.0
    steps = sorted({start, *frame["magnitude"]})
    gap = min(other - one for one, other in pairwise(steps)) if len(steps) > 1 else 0.1
    for number, cell in enumerate(cells):
        beside = 0.5 * gap * ((number + 0.5) / len(cells) - 0.5)
        rows = frame.filter(pl.col("cell") == cell).iter_rows(named=True)
        original = {"magnitude": start, "difference": 0.0, "low": 0.0, "high": 0.0, "mean_change": 0.0}
        ladder = sorted([original, *rows], key=lambda row: row["magnitude"])
        yield from _cell(cell_label(context, cell), number, ladder, beside)


def _cell(name: str, number: int, ladder: list[Facts], beside: float) -> Iterator[go.Scatter]:
    same = {
        "x": [round(row["magnitude"] + beside * ("variant" in row), 4) for row in ladder],
        "text": [_said(row) for row in ladder],
        "name": legend_name(name),
        "legendgroup": name,
        "mode": "lines+markers",
        "line": {**line(number), "width": 1.4},
        "marker": {"size": 6},
        "hovertemplate": "%{text}",
    }
    known = [{end: 0.0 if isnan(row[end]) else row[end] for end in ("difference", "low", "high")} for row in ladder]
    yield go.Scatter(
        **same,
        y=[round(row["difference"], 4) for row in ladder],
        error_y={
            "array": [round(row["high"] - row["difference"], 4) for row in known],
            "arrayminus": [round(row["difference"] - row["low"], 4) for row in known],
            "width": 0,
            "thickness": 1,
        },
    )
    yield go.Scatter(**same, y=[round(row["mean_change"], 4) for row in ladder], yaxis="y2", showlegend=False)


def _said(row: Facts) -> str:
    if "variant" not in row:
        return "the original"
    area = f"AUC {fraction(row['auc'])}, originals {fraction(row['auc_original'])}"
    change = f"change {signed(row['difference'])} ({signed_interval(row['low'], row['high'])})"
    turned = f"mean change of the score {fraction(row['mean_change'])}, calls turned {percent(row['decision_flips'])}"
    who = f"{plural(row['draws'], 'draw')}, {sample(row['n_positive'], row['n_negative'])}"
    return f"{legend_name(row['variant'])}, {who}<br>{area}<br>{change}<br>{turned}"


def _layout(curves: int) -> go.Layout:
    small = {"font": {"size": 13}}
    layout = plain_layout(curves, "Size of the perturbation", "Change of the AUC", "Cell")
    layout.update(
        height=max(600, 120 + 19 * curves),
        margin={"l": 72},
        xaxis={"anchor": "y2", "showgrid": False},
        yaxis={"domain": [0.48, 1], "tickformat": "+.2f", "zeroline": True, "zerolinecolor": "#8C8C8C"},
        yaxis2={
            "domain": [0, 0.42],
            "title": {"text": "Mean change of the score", **small},
            "tickformat": ".2f",
            "rangemode": "tozero",
            "zeroline": False,
        },
    )
    return layout
