"""Calibration curves of the planned cells: the share of positives against the predicted risk, a panel per cell."""

from __future__ import annotations

import polars as pl
from matplotlib.axes import Axes

from evaluation.report.context import ReportContext
from evaluation.report.figures.drawing import COLORS
from evaluation.report.names import Place, cell_label
from evaluation.report.paper.figures.curves import by_arm, pale
from evaluation.report.paper.figures.drawing import Drawing
from evaluation.report.paper.figures.grid import heading, panel_grid, panel_width, unit_square
from evaluation.report.paper.figures.planned import chosen_words, main_places, planned_cells
from evaluation.report.paper.figures.style import NEUTRAL, Style

AS_PREDICTED = "none"
"""Risks before any recalibration."""


def calibration(context: ReportContext, style: Style) -> list[Drawing]:
    """One figure per arm at its most general place."""
    frame = context.seen.calibration_curves.filter(pl.col("recalibration") == AS_PREDICTED)
    return [_of_arm(context, style, arm, mine) for arm, mine in by_arm(context, frame)]


def _of_arm(context: ReportContext, style: Style, arm: str, whole: pl.DataFrame) -> Drawing:
    place: Place = main_places(context, whole)[0]
    frame = place.rows(whole)
    cells = [cell for cell in planned_cells(context, arm) if cell in frame["cell"]]
    figure, grid = panel_grid(style, len(cells), extra_mm=6)
    for number, (axes, cell) in enumerate(zip(grid, cells, strict=True)):
        _draw(axes, frame.filter(pl.col("cell") == cell))
        heading(axes, number, cell_label(context, cell), panel_width(style, len(cells)))
        axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=0.7, linestyle=":")
        unit_square(axes, "Predicted risk", "Share of positives")
    methods = {part: "; ".join(_part(frame, part)["method"].unique(maintain_order=True)) for part in ("curve", "group")}
    caption = (
        f"{place.name}. {chosen_words(context, arm)} Risks as predicted. Line with pointwise 95% band: "
        f"{methods['curve'] or 'none'}. Points with 95% intervals: groups ({methods['group'] or 'none'}). "
        "Dotted: ideal."
    )
    return Drawing(f"calibration-{arm}", f"Calibration, {arm}", caption, "calibration_curves", figure)


def _part(frame: pl.DataFrame, part: str) -> pl.DataFrame:
    return frame.filter(pl.col("part") == part)


def _draw(axes: Axes, frame: pl.DataFrame) -> None:
    curve, groups = _part(frame, "curve"), _part(frame, "group")
    axes.plot(curve["predicted"].to_list(), curve["observed"].to_list(), color=COLORS[0])
    pale(axes, curve, "predicted", ("low", "high"), COLORS[0])
    across = groups["predicted"].to_list()
    axes.vlines(across, groups["low"].to_list(), groups["high"].to_list(), color=NEUTRAL, linewidth=0.6)
    axes.plot(across, groups["observed"].to_list(), "o", color=NEUTRAL, markersize=2.2)
