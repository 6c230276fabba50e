"""Stability ladders: what moving and stretching the boxes does to the AUC."""

from __future__ import annotations

import polars as pl
from matplotlib.axes import Axes

from evaluation.report.context import ReportContext
from evaluation.report.paper.figures.curves import Panel, by_arm, curves_figure
from evaluation.report.paper.figures.drawing import Drawing
from evaluation.report.paper.figures.planned import chosen_words, main_places
from evaluation.report.paper.figures.style import NEUTRAL, Style, curve_style, mark_style

KINDS = {"shift": "Shift", "scale": "Scale", "aspect": "Aspect"}
CAPTION = (
    "{}. {} Difference of the AUC of perturbed images and that of the originals (the {}), with 95% intervals. "
    "Shift: share of the box's sides; scale: factor of both sides; aspect: factor of width over height. Points stand "
    "side by side for legibility."
)


def stability(context: ReportContext, style: Style) -> list[Drawing]:
    """One figure per arm at its most general place, a panel per kind of perturbation."""
    found = []
    for arm, whole in by_arm(context, context.seen.stability):
        place = main_places(context, whole)[0]
        frame = place.rows(whole)
        panels = [
            Panel(name, frame.filter(pl.col("kind") == kind).sort("magnitude"))
            for kind, name in KINDS.items()
            if kind in frame["kind"]
        ]
        if panels:
            caption = CAPTION.format(place.name, chosen_words(context, arm), "line at 0")
            figure = curves_figure(context, style, arm, panels, _ladder, _finish)
            found.append(Drawing(f"stability-{arm}", f"Stability, {arm}", caption, "stability", figure))
    return found


def _ladder(axes: Axes, frame: pl.DataFrame, label: str, number: int) -> None:
    """Steps of a ladder at equal distances, each cell a little to the right of the one before."""
    steps = list(range(frame.height))
    places = [step + 0.05 * number for step in steps]
    values, low, high = (frame[name].to_list() for name in ("difference", "low", "high"))
    axes.vlines(places, low, high, color=curve_style(number)["color"], linewidth=0.7)
    axes.plot(places, values, label=label, linewidth=0.8, **mark_style(number))
    if frame.height:
        axes.set_xticks(steps, [f"{magnitude:g}" for magnitude in frame["magnitude"]])


def _finish(axes: Axes) -> None:
    axes.axhline(0, color=NEUTRAL, linewidth=0.7)
    axes.set(xlabel="Step", ylabel="Difference of AUC")
    axes.margins(x=0.08)
