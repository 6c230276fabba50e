"""Rows of estimates with intervals beside their numbers: what effects and forests have in common."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font, LoadFlags

from evaluation.report.paper.figures.style import MM_PER_INCH, NEUTRAL, SMALLEST_POINTS, TALLEST_MM, canvas

ROW_MM = 4.0
BELOW_MM = 10.0
"""Axis and its label."""
AROUND_MM = BELOW_MM + 2
GAP_MM = 2.0
POINTS_PER_INCH = 72
FOLDS = 3
"""Rows of a page that are kept free for names that take two."""
WIDEST_NAME = 0.48
"""Share of the width that names may take."""


@dataclass(frozen=True)
class IntervalRow:
    """An estimate with its interval; only a name for a heading. `band` is a prediction interval."""

    name: str
    text: str = ""
    middle: float | None = None
    low: float | None = None
    high: float | None = None
    color: str = NEUTRAL
    marker: str = "s"
    bold: bool = False
    band: tuple[float, float] | None = None


def pages(blocks: Sequence[Sequence[IntervalRow]]) -> list[list[IntervalRow]]:
    """Blocks packed into figures that fit a page; a block is not torn apart."""
    room = int((TALLEST_MM - AROUND_MM) / ROW_MM) - FOLDS
    found: list[list[IntervalRow]] = []
    for block in blocks:
        if not found or len(found[-1]) + len(block) > room:
            found.append([])
        found[-1].extend(block)
    return found


def interval_figure(rows: Sequence[IntervalRow], width_mm: float, label: str, line_at: float | None) -> Figure:
    """Names on the left, intervals in the middle, numbers on the right; a line where nothing differs."""
    rows = [part for row in rows for part in folded(row, WIDEST_NAME * width_mm)]
    height = AROUND_MM + ROW_MM * len(rows)
    figure = canvas(width_mm, height, by_hand=True)
    left = GAP_MM + max(text_width_mm(row.name, bold=row.bold) for row in rows)
    right = 2 * GAP_MM + max(text_width_mm(row.text, bold=row.bold) for row in rows)
    axes = figure.add_axes(
        (left / width_mm, BELOW_MM / height, 1 - (left + right) / width_mm, 1 - (BELOW_MM + 1) / height)
    )
    for place, row in enumerate(rows):
        _draw(axes, row, place)
        beside: dict[str, Any] = {
            "va": "center",
            "annotation_clip": False,
            "fontweight": "bold" if row.bold else "normal",
        }
        at = axes.get_yaxis_transform()
        axes.annotate(
            row.name,
            (0, place),
            (-POINTS_PER_INCH * (left - GAP_MM / 2) / MM_PER_INCH, 0),
            at,
            "offset points",
            **beside,
        )
        axes.annotate(row.text, (1, place), (POINTS_PER_INCH * GAP_MM / MM_PER_INCH, 0), at, "offset points", **beside)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(label)
    if line_at is not None:
        axes.axvline(line_at, color=NEUTRAL, linewidth=0.7, zorder=0)
    return figure


def folded(row: IntervalRow, width_mm: float) -> list[IntervalRow]:
    """A row whose name is too wide goes on in further rows, the last of which holds the interval."""
    if text_width_mm(row.name, bold=row.bold) <= width_mm or " " not in row.name.strip():
        return [row]
    words = row.name.split(" ")
    fitting = [
        number
        for number in range(1, len(words))
        if words[number] and text_width_mm(" ".join(words[:number]), bold=row.bold) <= width_mm
    ]
    at = max(fitting, default=len(words) - 1)
    head = IntervalRow(" ".join(words[:at]), bold=row.bold)
    return [head, *folded(replace(row, name="  " + " ".join(words[at:])), width_mm)]


@functools.cache
def text_width_mm(text: str, *, bold: bool = False) -> float:
    """Width of a text at the smallest size."""
    font = _font(bold=bold)
    font.set_text(text, 0, flags=LoadFlags.NO_HINTING)
    return float(font.get_width_height()[0] / 64 * MM_PER_INCH / POINTS_PER_INCH)


@functools.cache
def _font(*, bold: bool) -> FT2Font:
    properties = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    font = FT2Font(findfont(properties))
    font.set_size(SMALLEST_POINTS, POINTS_PER_INCH)
    return font


def _draw(axes: Axes, row: IntervalRow, place: int) -> None:
    if row.band is not None and not isnan(sum(row.band)):
        axes.hlines(place, *row.band, color=row.color, linewidth=3.2, alpha=0.25)
    if row.low is not None and row.high is not None and not isnan(row.low + row.high):
        axes.hlines(place, row.low, row.high, color=row.color, linewidth=1.0)
    if row.middle is not None and not isnan(row.middle):
        size = 5.5 if row.marker == "D" else 4.0
        axes.plot([row.middle], [place], marker=row.marker, color=row.color, markersize=size, linestyle="none")
