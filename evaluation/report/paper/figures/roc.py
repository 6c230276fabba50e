"""ROC curves with bands: of each planned pair, or of all cells of an arm where no pair is planned."""

from __future__ import annotations

import polars as pl
from matplotlib.axes import Axes
from matplotlib.transforms import ScaledTranslation

from evaluation.report.context import ReportContext
from evaluation.report.names import Place, pair_labels
from evaluation.report.numbers import fraction
from evaluation.report.paper.figures.curves import by_arm, curves_figure, line_of, pale, panels_of
from evaluation.report.paper.figures.drawing import Drawing
from evaluation.report.paper.figures.grid import heading, panel_grid, panel_width, unit_square, wrapped
from evaluation.report.paper.figures.planned import chosen_words, in_sentence, main_places, planned_pairs, split_pair
from evaluation.report.paper.figures.style import MM_PER_INCH, NEUTRAL, Style, curve_style

MOST_PANELS = 12
AXIS_MM = 10.0
LEGEND_MM = 14.0
"""Height of two names of two lines below a panel."""


def roc(context: ReportContext, style: Style) -> list[Drawing]:
    """One figure of planned pairs, twelve a figure; where there are none, one per arm with its centers."""
    pairs = planned_pairs(context)
    if not pairs:
        return [
            drawing for arm, frame in by_arm(context, context.seen.roc) for drawing in _arm(context, style, arm, frame)
        ]
    parts = [pairs[at : at + MOST_PANELS] for at in range(0, len(pairs), MOST_PANELS)]
    found = main_places(context, context.seen.roc)
    names = [f"roc-pairs{f'-{number}' if len(parts) > 1 else ''}" for number in range(1, len(parts) + 1)]
    return [_pairs(context, style, found[0], part, name) for name, part in zip(names, parts, strict=True) if found]


def _pairs(context: ReportContext, style: Style, place: Place, pairs: list[tuple[str, str]], name: str) -> Drawing:
    figure, grid = panel_grid(style, len(pairs), extra_mm=LEGEND_MM)
    areas = {row["cell"]: row["auc"] for row in place.rows(context.seen.performance).iter_rows(named=True)}
    wide = panel_width(style, len(pairs))
    for number, (axes, pair) in enumerate(zip(grid, pairs, strict=True)):
        shared, *labels = split_pair(*pair_labels(context, *pair))
        for place_in_legend, (cell, label) in enumerate(zip(pair, labels, strict=True)):
            known = f"{label}, AUC {fraction(areas.get(cell))}"
            _curve(axes, context, place, cell, wrapped(known, wide), place_in_legend)
        heading(axes, number, shared or "Planned pair", wide)
        _finish(axes)
        below = axes.transAxes + ScaledTranslation(0, -AXIS_MM / MM_PER_INCH, figure.dpi_scale_trans)
        axes.legend(loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=below, handlelength=1.8, borderaxespad=0)
    method = "; ".join(_bands(context)["method"].unique(maintain_order=True))
    bands = f" Pale: pointwise 95% bands ({method})." if method else ""
    caption = f"Planned pairs, {in_sentence(place)}; scores are means over replicates.{bands} Dotted: chance."
    return Drawing(name, "ROC curves of the planned pairs", caption, "roc", figure)


def _bands(context: ReportContext) -> pl.DataFrame:
    return context.seen.curve_bands.filter(pl.col("curve") == "roc")


def _curve(axes: Axes, context: ReportContext, place: Place, cell: str, label: str, number: int) -> None:
    look = curve_style(number)
    curve = place.rows(context.seen.roc).filter(pl.col("cell") == cell)
    band = place.rows(_bands(context)).filter(pl.col("cell") == cell)
    axes.plot(curve["fpr"].to_list(), curve["tpr"].to_list(), label=label, **look)
    pale(axes, band, "at", ("low", "high"), look["color"])


def _arm(context: ReportContext, style: Style, arm: str, frame: pl.DataFrame) -> list[Drawing]:
    panels = panels_of(main_places(context, frame), frame)
    caption = f"{chosen_words(context, arm)} Scores are means over replicates. Dotted: chance."
    figure = curves_figure(context, style, arm, panels, line_of("fpr", "tpr"), _finish)
    return [Drawing(f"roc-{arm}", f"ROC curves, {arm}", caption, "roc", figure)]


def _finish(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=0.7, linestyle=":")
    unit_square(axes, "1 − specificity", "Sensitivity")
