"""Decision curves of the planned cells, as predicted and after recalibration on the reserve."""

from __future__ import annotations

from functools import partial

import polars as pl
from matplotlib.axes import Axes

from evaluation.report.context import ReportContext
from evaluation.report.display import ordered
from evaluation.report.paper.figures.curves import Panel, by_arm, curves_figure, line_of
from evaluation.report.paper.figures.drawing import Drawing
from evaluation.report.paper.figures.planned import chosen_words, main_places
from evaluation.report.paper.figures.style import NEUTRAL, Style
from evaluation.report.tables.calibration import RECALIBRATIONS, risks_label

DEEPEST = -0.05
"""Lowest net benefit that is drawn: far below zero nobody would act."""


def decision_curves(context: ReportContext, style: Style) -> list[Drawing]:
    """One figure per arm at its most general place, a panel per kind of risks."""
    found = []
    for arm, whole in by_arm(context, context.seen.decision_curves):
        place = main_places(context, whole)[0]
        frame = place.rows(whole)
        panels = [
            Panel(risks_label(name), frame.filter(pl.col("recalibration") == name))
            for name in ordered(frame["recalibration"], tuple(RECALIBRATIONS))
        ]
        caption = (
            f"{place.name}. {chosen_words(context, arm)} Gray: acting on everyone (solid) and on no one "
            "(dotted). Recalibration is fitted on the reserve."
        )
        highest = max(float(frame.select(pl.max_horizontal("net_benefit", "treat_all").max()).item()), 0.1)
        figure = curves_figure(
            context, style, arm, panels, line_of("threshold", "net_benefit"), partial(_finish, frame, 1.05 * highest)
        )
        found.append(Drawing(f"decision-curves-{arm}", f"Decision curves, {arm}", caption, "decision_curves", figure))
    return found


def _finish(frame: pl.DataFrame, highest: float, axes: Axes) -> None:
    one = frame.filter(pl.col("cell") == frame["cell"][0], pl.col("recalibration") == frame["recalibration"][0])
    axes.plot(one["threshold"].to_list(), one["treat_all"].to_list(), color=NEUTRAL, linewidth=0.9)
    axes.axhline(0, color=NEUTRAL, linewidth=0.9, linestyle=":")
    axes.set(xlim=(0, 1), ylim=(DEEPEST, highest), xlabel="Risk from which one acts", ylabel="Net benefit")
