"""Panels side by side: how many stand in a row, how large they are, and their letters."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.report.paper.figures.intervals import text_width_mm
from evaluation.report.paper.figures.style import TALLEST_MM, Style, canvas

ACROSS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 3, 6: 3, 7: 4, 8: 4, 9: 3}
"""Panels in a row by their number, so that few places stay empty; 4 for more."""
AROUND_HEADING_MM = 17.0
"""Axis labels left of a heading, and its letter."""
SHARES = (0, 0.25, 0.5, 0.75, 1)
SHARES_AS_TEXT = ("0", "", "0.5", "", "1")


def panel_grid(style: Style, panels: int, *, below_mm: float = 0.0, extra_mm: float = 0.0) -> tuple[Figure, list[Axes]]:
    """A figure with square-ish panels; one takes one column of a journal, several take both.

    `below_mm` is kept free under all panels, `extra_mm` is added to the height of each.
    """
    across = ACROSS.get(panels, 4)
    down = -(-panels // across)
    width = style.single if panels == 1 else style.double
    height = (0.95 * width / across + extra_mm) * down + below_mm
    figure = canvas(width, min(height, TALLEST_MM))
    grid = figure.subplots(down, across, squeeze=False)
    for axes in grid.flat[panels:]:
        axes.set_visible(False)
    return figure, list(grid.flat[:panels])


def panel_width(style: Style, panels: int) -> float:
    """Millimeters that a panel's heading may take."""
    return (style.single if panels == 1 else style.double) / ACROSS.get(panels, 4) - AROUND_HEADING_MM


def heading(axes: Axes, number: int, text: str, width_mm: float) -> None:
    """A panel's letter and title, in as many lines as its width asks for."""
    axes.set_title(f"{chr(ord('A') + number % 26)}  {wrapped(text, width_mm)}", loc="left", fontsize=7)


def wrapped(text: str, width_mm: float) -> str:
    """A text in lines that are not wider than this, broken at spaces."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if text_width_mm(longer, bold=True) <= width_mm or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def unit_square(axes: Axes, across: str, up: str) -> None:
    """Both axes are shares from 0 to 1."""
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=across, ylabel=up, aspect="equal")
    axes.set_xticks(SHARES, SHARES_AS_TEXT)
    axes.set_yticks(SHARES, SHARES_AS_TEXT)
