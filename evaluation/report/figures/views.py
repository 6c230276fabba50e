"""What a reader may choose in a figure of curves, and how its cells are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import plotly.graph_objects as go
import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import ordered
from evaluation.report.figures.drawing import COLORS, MOST_POINTS, Figure, as_json, line
from evaluation.report.names import Place, cell_label, pair_labels, places

MOST_CELLS = 14
"""Cells of one arm that are told apart by color and dashes; of more, those that no pair was planned of are gray."""
FEW_CELLS = 2
"""Cells whose bands and marks do not hide each other."""
FAINT: dict[str, Any] = {"color": "#A8A8A8", "width": 0.8}
OTHERS = "other cells"
BUDGET = 6000
"""Points of all curves of one figure together; the curves' own tables hold all of them."""


Traces = Callable[[ReportContext, "View", int], Iterator[go.Scatter]]


@dataclass(frozen=True)
class Curves:
    """What tells the figures of views apart: the frame and its file, the layout by rows of the legend, the traces."""

    frame: str
    layout: Callable[[int], go.Layout]
    traces: Traces
    """Of one view, at most so many points a curve."""
    spoken: str
    """Names the arm as {arm}."""


@dataclass(frozen=True)
class View:
    """One choice of the reader: cells at a place; `close` shows bands and marks of the few that are there."""

    name: str
    place: Place
    cells: tuple[str, ...]
    close: bool


def figure_of(context: ReportContext, arm: str, curves: Curves) -> Figure | None:
    """All views of an arm, the most general one visible; None without a curve."""
    found = views(context, arm, getattr(context.seen, curves.frame))
    if not found:
        return None
    most = allowed(sum(len(view.cells) for view in found))
    figure = go.Figure(layout=curves.layout(rows_of_legend(context, found)))
    for choice, view in enumerate(found):
        traces = curves.traces(context, view, most)
        figure.add_traces([trace.update(meta=choice, visible=choice == 0) for trace in traces])
    names, spoken = tuple(view.name for view in found), curves.spoken.format(arm=arm)
    return Figure(arm, as_json(figure), names, asks="Shown:", spoken=spoken, csv=curves.frame)


def planned_pairs(context: ReportContext) -> list[tuple[str, str]]:
    """Pairs of cells that the plan names, in its order."""
    frame = context.seen.effects.filter(pl.col("effect") == "pair")
    return frame.select("first", "second").unique(maintain_order=True).rows()


def views(context: ReportContext, arm: str, frame: pl.DataFrame) -> list[View]:
    """All cells at every place, and after the first place each planned pair whose first cell is of this arm."""
    mine = frame.filter(pl.col("arm") == arm)
    cells = tuple(ordered(mine["cell"], context.cells_of(arm)))
    few = len(cells) <= FEW_CELLS
    found = [View(place.name, place, _drawn(context, place, cells, mine), few) for place in places(context, mine)]
    if not found:
        return []
    place = found[0].place
    known = set(place.rows(frame)["cell"])
    pairs = [pair for pair in planned_pairs(context) if pair[0] in cells and set(pair) <= known]
    close = [
        View(_named(context, pair, place), place, pair, True) for pair in pairs if not (few and set(pair) == {*cells})
    ]
    return [found[0], *close, *found[1:]]


def _drawn(context: ReportContext, place: Place, cells: tuple[str, ...], frame: pl.DataFrame) -> tuple[str, ...]:
    """Of many cells, only the first planned ones stand at the less general places."""
    here = set(place.rows(frame)["cell"])
    few = len(cells) <= MOST_CELLS or place == places(context, frame)[0]
    kept = set(cells) if few else set(colored(context, cells)[:MOST_CELLS])
    return tuple(cell for cell in cells if cell in kept & here)


def _named(context: ReportContext, pair: tuple[str, str], place: Place) -> str:
    return f"{' against '.join(pair_labels(context, *pair))} ({place.name})"


def colored(context: ReportContext, cells: tuple[str, ...]) -> list[str]:
    """Cells with a color of their own: all, or of many those of planned pairs, else the first."""
    if len(cells) <= MOST_CELLS:
        return list(cells)
    planned = {cell for pair in planned_pairs(context) for cell in pair}
    return [cell for cell in cells if cell in planned][: 4 * len(COLORS)] or list(cells[:MOST_CELLS])


def only(cells: Sequence[str], shown: Sequence[str]) -> str:
    """What the reader must know where a figure does not show all cells."""
    return "" if len(shown) == len(cells) else f", {len(shown)} of {len(cells)} cells"


def styles(context: ReportContext, view: View) -> dict[str, dict[str, Any]]:
    """How each cell of a view is drawn, gray ones first and so below the others; a cell of a pair is solid."""
    own = list(view.cells) if view.close else colored(context, view.cells)
    gray: dict[str, dict[str, Any]] = {cell: dict(FAINT) for cell in view.cells if cell not in own}
    return gray | {cell: line(number) for number, cell in enumerate(own)}


def rows_of_legend(context: ReportContext, found: Sequence[View]) -> int:
    """The most entries that the legend of a figure has at a time."""
    return max(min(len(view.cells), len(colored(context, view.cells)) + 1) for view in found)


def curve(style: dict[str, Any], name: str, cell: str, **more: Any) -> go.Scatter:
    """A line with its legend; gray ones share an entry."""
    faint = style.get("color") == FAINT["color"]
    shown = {"legendgroup": OTHERS, "showlegend": False} if faint else {"legendgroup": cell}
    return go.Scatter(name=name, mode="lines", line=style, **shown, **more)


def faint_entry(styles: dict[str, dict[str, Any]]) -> list[go.Scatter]:
    """The one entry in the legend of all gray curves, if there are any."""
    gray = sum(style.get("color") == FAINT["color"] for style in styles.values())
    name = f"{gray} {OTHERS}"
    entry = partial(go.Scatter, x=[None], y=[None], mode="lines", legendgroup=OTHERS, line={**FAINT, "width": 2})
    return [entry(name=name)] if gray else []


def band(frame: pl.DataFrame, across: str, color: str, cell: str) -> go.Scatter:
    """A shaded area between the columns low and high, switched with the curve of its cell."""
    x, low, high = (frame[name].round(3).to_list() for name in (across, "low", "high"))
    return go.Scatter(
        x=[*x, *x[::-1]],
        y=[*high, *low[::-1]],
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=shade(color),
        hoverinfo="skip",
        legendgroup=cell,
        showlegend=False,
    )


def shade(color: str, share: float = 0.16) -> str:
    """A color of COLORS, nearly transparent."""
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"


def allowed(curves: int) -> int:
    """Points that each of so many curves may have."""
    return max(30, min(MOST_POINTS, BUDGET // max(1, curves)))


def is_pooled(context: ReportContext, place: Place) -> bool:
    """Whether frames that hold pooled places only have this place, a lone center included."""
    role = "external" if place.role == "external" else "development"
    return place.center == "all" or (place.center != "stratified" and len(context.centers(role)) == 1)


def pooled_rows(context: ReportContext, place: Place, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a place in a frame of pooled places only."""
    return Place(place.role, "all").rows(frame) if is_pooled(context, place) else frame.clear()


def labels(context: ReportContext, view: View) -> dict[str, str]:
    """What the cells of a view are called, with their arms where these differ."""
    if view.close and len(view.cells) == 2:
        return dict(zip(view.cells, pair_labels(context, *view.cells), strict=True))
    return {cell: cell_label(context, cell) for cell in view.cells}
