"""FROC curves of detectors: lesions found against false positives per image."""

from __future__ import annotations

import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from evaluation.report.context import ReportContext
from evaluation.report.paper.figures.curves import by_arm, curves_figure, line_of, panels_of
from evaluation.report.paper.figures.drawing import Drawing
from evaluation.report.paper.figures.planned import chosen_words, main_places
from evaluation.report.paper.figures.style import Style

TICKS = (1 / 64, 1 / 8, 1, 8)
FEWEST = 1 / 64
"""False positives per image where the axis begins: a logarithm has no 0."""


def froc(context: ReportContext, style: Style) -> list[Drawing]:
    """One figure per arm of detectors, mean over replicates and their standard deviation."""
    frame = context.seen.froc.with_columns(
        low=(pl.col("sensitivity") - pl.col("sensitivity_sd")).clip(0, 1),
        high=(pl.col("sensitivity") + pl.col("sensitivity_sd")).clip(0, 1),
    ).filter(pl.col("false_positives") >= FEWEST)
    found = []
    for arm, mine in by_arm(context, frame):
        panels = panels_of(main_places(context, mine), mine)
        caption = (
            f"{chosen_words(context, arm)} Mean over replicates; pale: ± 1 standard deviation of the "
            "replicates, which is no confidence interval."
        )
        draw = line_of("false_positives", "sensitivity", ("low", "high"))
        figure = curves_figure(context, style, arm, panels, draw, _finish)
        found.append(Drawing(f"froc-{arm}", f"FROC curves, {arm}", caption, "froc", figure))
    return found


def _finish(axes: Axes) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(TICKS))
    axes.xaxis.set_major_formatter(FixedFormatter(["1/64", "1/8", "1", "8"]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(ylim=(-0.01, 1.01), xlabel="False positives per image", ylabel="Lesions found")
