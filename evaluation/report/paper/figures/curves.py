"""Curves of an arm's planned cells: panels that share one legend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.report.context import ReportContext
from evaluation.report.names import Place, cell_label
from evaluation.report.paper.figures.grid import heading, panel_grid, panel_width
from evaluation.report.paper.figures.intervals import text_width_mm
from evaluation.report.paper.figures.planned import planned_cells
from evaluation.report.paper.figures.style import Style, curve_style, legend_below

LEGEND_ROW_MM = 4.0
LEGEND_HANDLE_MM = 14.0

Draw = Callable[[Axes, pl.DataFrame, str, int], None]
"""Draws a cell's rows under a legend's name; the number is the cell's place in the legend."""


@dataclass(frozen=True)
class Panel:
    """One set of axes: its heading and the rows that it shows."""

    title: str
    frame: pl.DataFrame


def panels_of(found: Sequence[Place], frame: pl.DataFrame) -> list[Panel]:
    """A panel per place that has rows."""
    made = (Panel(place.name, place.rows(frame)) for place in found)
    return [panel for panel in made if panel.frame.height]


def curves_figure(
    context: ReportContext, style: Style, arm: str, panels: Sequence[Panel], draw: Draw, finish: Callable[[Axes], None]
) -> Figure:
    """All planned cells in every panel, with one legend below."""
    cells = [cell for cell in planned_cells(context, arm) if any(_has(panel, cell) for panel in panels)]
    labels = [cell_label(context, cell) for cell in cells]
    width = style.single if len(panels) == 1 else style.double
    columns = max(1, int(width // (LEGEND_HANDLE_MM + max((text_width_mm(label) for label in labels), default=0))))
    figure, grid = panel_grid(style, len(panels), below_mm=LEGEND_ROW_MM * -(-len(cells) // columns) + 3)
    for number, (axes, panel) in enumerate(zip(grid, panels, strict=True)):
        for place, cell in enumerate(cells):
            draw(axes, panel.frame.filter(pl.col("cell") == cell), labels[place], place)
        heading(axes, number, panel.title, panel_width(style, len(panels)))
        finish(axes)
    legend_below(figure, grid[0], columns)
    return figure


def _has(panel: Panel, cell: str) -> bool:
    return panel.frame.filter(pl.col("cell") == cell).height > 0


def line_of(across: str, up: str, band: tuple[str, str] | None = None) -> Draw:
    """Draws one column against another, with a pale band between two more."""

    def draw(axes: Axes, frame: pl.DataFrame, label: str, number: int) -> None:
        look = curve_style(number)
        axes.plot(frame[across].to_list(), frame[up].to_list(), label=label, **look)
        if band:
            pale(axes, frame, across, band, look["color"])

    return draw


def pale(axes: Axes, frame: pl.DataFrame, across: str, band: tuple[str, str], color: str) -> None:
    """The band of a curve between two columns."""
    low, high = (frame[name].to_list() for name in band)
    axes.fill_between(frame[across].to_list(), low, high, color=color, alpha=0.15, linewidth=0)


def by_arm(context: ReportContext, frame: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Arms that have rows, in the order of the study."""
    for arm in context.arms:
        mine = frame.filter(pl.col("arm") == arm)
        if mine.height:
            yield arm, mine
