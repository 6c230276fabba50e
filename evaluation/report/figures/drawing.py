"""What all drawn figures share: colors, dashes, fonts, layout, thinning, and how they stand in the page."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#8C8C8C")
"""Okabe and Ito's colors that differ for every kind of color vision and show on white and on black."""
DASHES = ("solid", "dash", "dot", "dashdot")
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
"""As in style.css: plotly measures its legend with it."""
MOST_POINTS = 200
"""Points of a drawn curve; the curves' own tables hold all of them."""


@dataclass(frozen=True)
class Figure:
    """Curves of one arm: plotly's JSON, and the choices among which the reader may switch."""

    arm: str
    json: str
    choices: tuple[str, ...]
    asks: str
    """What the reader chooses."""
    spoken: str
    """What a screen reader says instead of the drawing."""
    csv: str


def as_json(figure: go.Figure) -> str:
    """A figure as it may stand in a page."""
    return str(figure.to_json()).replace("<", "\\u003c")


def legend_name(name: str) -> str:
    """A name that plotly, which reads tags in texts, takes as it is."""
    return html.escape(name, quote=False)


def line(number: int) -> dict[str, Any]:
    """Color and dashes of a curve by its place in the legend."""
    return {"color": COLORS[number % len(COLORS)], "dash": DASHES[number // len(COLORS) % len(DASHES)], "width": 1.8}


def corners(fpr: NDArray[np.float64], tpr: NDArray[np.float64], most: int = MOST_POINTS) -> NDArray[np.intp]:
    """Indices of the points at which a curve turns, first and last included, thinned evenly beyond `most`."""
    if len(fpr) < 3:
        return np.arange(len(fpr))
    rise, run = np.diff(tpr), np.diff(fpr)
    turns = ~np.isclose(rise[:-1] * run[1:], rise[1:] * run[:-1], rtol=0, atol=1e-12)
    kept = np.concatenate([[0], np.flatnonzero(turns) + 1, [len(fpr) - 1]])
    if len(kept) <= most:
        return kept
    return np.asarray(kept[np.unique(np.linspace(0, len(kept) - 1, most).round().astype(int))])


def plain_layout(curves: int, across: str, up: str, legend: str) -> go.Layout:
    """Margins, fonts and a legend beside the drawing; colors of texts come from the style sheet."""
    small = {"font": {"size": 13}}
    return go.Layout(
        template="none",
        height=max(480, 120 + 19 * curves),
        margin={"l": 56, "r": 8, "t": 8, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        xaxis={"title": {"text": across, **small}, "zeroline": False},
        yaxis={"title": {"text": up, **small}, "zeroline": False},
        legend={
            "x": 1.02,
            "y": 1,
            "yanchor": "top",
            "title": {"text": legend, **small},
            "font": {"size": 13},
            "tracegroupgap": 0,
        },
        showlegend=True,
        hovermode="closest",
        font={"size": 13, "family": FONT},
    )
