"""What all printed figures share: widths, fonts, colors, and how they are saved byte for byte alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.report.figures.drawing import COLORS

MM_PER_INCH = 25.4
SMALLEST_POINTS = 7.0
"""No text of a printed figure is smaller; journals ask for 6 to 8."""
TALLEST_MM = 230.0
"""Height of a journal's page without its caption."""
DOTS_PER_INCH = 300
NEUTRAL = "#555555"
DASHES: tuple[Any, ...] = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@dataclass(frozen=True)
class Style:
    """Widths of one and of two columns, in millimeters."""

    single: float
    double: float


STYLES: dict[str, Style] = {"narrow": Style(85, 174), "usual": Style(88, 178), "wide": Style(89, 180)}
"""By the word of `--style`; most journals of radiology and medicine print columns of one of these widths."""

_RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same bytes on every machine
    "font.size": SMALLEST_POINTS,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.labelsize": SMALLEST_POINTS,
    "xtick.labelsize": SMALLEST_POINTS,
    "ytick.labelsize": SMALLEST_POINTS,
    "legend.fontsize": SMALLEST_POINTS,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "lines.linewidth": 1.2,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "text.usetex": False,
    "text.parse_math": False,  # names of centers may hold a dollar sign
    "axes.formatter.use_mathtext": False,
    "pdf.fonttype": 42,  # TrueType, embedded; journals refuse Type 3
    "svg.fonttype": "path",  # looks alike where the font is not installed
    "svg.hashsalt": "osteogrid",
    "path.simplify": False,
}
_WITHOUT_DATE: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}
FORMATS = tuple(_WITHOUT_DATE)


@contextmanager
def in_print() -> Iterator[None]:
    """Figures made and saved inside look as in print."""
    with mpl.rc_context(cast(Any, _RC)):
        yield


def canvas(width_mm: float, height_mm: float, *, by_hand: bool = False) -> Figure:
    """An empty figure of exactly this size; `by_hand`: axes are placed by who adds them."""
    size = (width_mm / MM_PER_INCH, min(height_mm, TALLEST_MM) / MM_PER_INCH)
    return Figure(figsize=size, layout=None if by_hand else "constrained")


def saved(figure: Figure) -> dict[str, bytes]:
    """The figure as the files that journals ask for, by their ending; equal figures give equal bytes."""
    figure.draw_without_rendering()  # the layout is found once, and not anew for each file
    figure.set_layout_engine("none")
    return {kind: _saved(figure, kind) for kind in FORMATS}


def _saved(figure: Figure, kind: str) -> bytes:
    written = BytesIO()
    figure.savefig(written, format=kind, dpi=DOTS_PER_INCH, metadata=_WITHOUT_DATE[kind])
    if kind != "svg":
        return written.getvalue()
    # A title element is what a browser shows as a tooltip and a screen reader reads: matplotlib's says only "image".
    return re.sub(rb"<!--.*?-->\s*", b"", written.getvalue(), flags=re.DOTALL)


def curve_style(number: int) -> dict[str, Any]:
    """Color and dashes of a curve by its place in the legend."""
    return {"color": COLORS[number % len(COLORS)], "linestyle": DASHES[number // len(COLORS) % len(DASHES)]}


def mark_style(number: int) -> dict[str, Any]:
    """Color and marker of a point by its place in the legend."""
    return {"color": COLORS[number % len(COLORS)], "marker": MARKERS[number % len(MARKERS)], "markersize": 3.5}


def legend_below(figure: Figure, axes: Axes, columns: int) -> None:
    """One legend for all panels, under them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=columns, handlelength=2.6, borderaxespad=0.2)


def sizes_of_texts(figure: Figure) -> list[float]:
    """Points of every visible text."""
    from matplotlib.text import Text

    found = (text for text in figure.findobj(Text) if isinstance(text, Text))
    return [float(text.get_fontsize()) for text in found if text.get_visible() and text.get_text().strip()]
