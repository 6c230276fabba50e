"""FROC curves for plotly: lesions found against false boxes per image, the mean over the replicates of each cell."""

from __future__ import annotations

from collections.abc import Iterator

import plotly.graph_objects as go
import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.figures.drawing import Figure, legend_name, plain_layout
from evaluation.report.figures.views import Curves, View, band, curve, faint_entry, figure_of, labels, styles
from evaluation.report.numbers import count, fraction

TICKS = {
    1 / 64: "1/64",
    1 / 32: "1/32",
    1 / 16: "1/16",
    1 / 8: "1/8",
    1 / 4: "1/4",
    1 / 2: "1/2",
    1: "1",
    2: "2",
    4: "4",
    8: "8",
}


def froc(context: ReportContext, arm: str) -> Figure | None:
    """All detectors of an arm at every place, the most general one visible, and planned pairs; None without a curve."""
    spoken = "FROC curves of {arm}; sensitivities at fixed numbers of false positives are in the tables below"
    return figure_of(context, arm, Curves("froc", _layout, _view, spoken))


def _view(context: ReportContext, view: View, most: int) -> Iterator[go.Scatter]:
    inside = view.place.rows(context.seen.froc).filter(pl.col("false_positives") > 0)
    look, named = styles(context, view), labels(context, view)
    found = view.place.rows(context.seen.localization).iter_rows(named=True)
    known = {row["cell"]: row for row in found}
    for cell, style in look.items():
        every = inside.filter(pl.col("cell") == cell)
        points = every.gather_every(max(1, -(-every.height // most)))
        spread = points["sensitivity_sd"]
        if view.close and spread.is_finite().any():
            yield band(_spread(points), "false_positives", style["color"], cell)
        row = known.get(cell, {})
        replicates = count(max(points["replicates"], default=None))
        name = f"{named[cell]}  {fraction(row.get('mean_sensitivity'))}"
        yield curve(style, legend_name(name), cell).update(
            x=points["false_positives"].round(4).to_list(),
            y=points["sensitivity"].round(3).to_list(),
            text=[fraction(value) for value in spread],
            hovertemplate=f"%{{y:.3f}} of {count(row.get('lesions'))} lesions found<br>%{{x:.3g}} false positives per "
            f"image<br>standard deviation over {replicates} replicates %{{text}}",
        )
    yield from faint_entry(look)


def _spread(points: pl.DataFrame) -> pl.DataFrame:
    """One standard deviation over replicates to either side."""
    sides = {"low": -1, "high": 1}
    deviation = pl.col("sensitivity_sd").fill_nan(0)
    return points.with_columns(
        (pl.col("sensitivity") + side * deviation).clip(0, 1).alias(name) for name, side in sides.items()
    )


def _layout(curves: int) -> go.Layout:
    layout = plain_layout(curves, "False positives per image", "Share of lesions found", "Detector, mean sensitivity")
    layout.update(
        xaxis={"type": "log", "tickvals": list(TICKS), "ticktext": list(TICKS.values())},
        yaxis={"range": [-0.01, 1.01], "tickformat": ".1f", "dtick": 0.2},
    )
    return layout
