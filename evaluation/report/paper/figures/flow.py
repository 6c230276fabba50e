"""The flow of radiographs through the study: found, set aside, left out, used, in which part."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from evaluation.report.context import ReportContext
from evaluation.report.display import Facts
from evaluation.report.numbers import is_missing, plural
from evaluation.report.paper.figures.drawing import Drawing
from evaluation.report.paper.figures.style import NEUTRAL, SMALLEST_POINTS, Style, canvas

ASIDE = ("quarantined", "other label", "without box")
"""Steps that leave the study; they stand beside the way."""
WAY = ("found", "ingested", "used")
"""Steps of the way itself; what follows are parts of what is used."""
WORDS = {"ingested": "read"}
CENTERS_ACROSS = 4
LINE_MM = 3.4
GAP_MM = 4.0
CAPTION = (
    "Radiographs and patients of each center; pale boxes leave the study. {}Counts of images, with positive / "
    "negative where an arm's labels are known."
)


def flow(context: ReportContext, style: Style) -> list[Drawing]:
    """One figure per arm; none where the flow was not recorded."""
    known = context.flow.filter(pl.col("role").is_in(["development", "external"]))
    arms = [arm for arm in context.arms if arm in known["arm"]]
    return [drawing for arm in arms for drawing in _of_arm(context, style, arm, known)]


def _of_arm(context: ReportContext, style: Style, arm: str, known: pl.DataFrame) -> Iterator[Drawing]:
    frame = known.filter(pl.col("arm").is_null() | (pl.col("arm") == arm))
    centers = [center for center in context.centers() if center in frame["center"]]
    parts = [centers[at : at + CENTERS_ACROSS] for at in range(0, len(centers), CENTERS_ACROSS)]
    sealed = "" if context.external_open else "External labels are sealed. "
    for number, part in enumerate(parts, 1):
        columns = {center: _boxes(frame.filter(pl.col("center") == center)) for center in part}
        height = max(sum(_height(lines) + GAP_MM for lines, _ in boxes) for boxes in columns.values()) + 8
        figure = canvas(style.double, height, by_hand=True)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, style.double), ylim=(height, 0))
        axes.set_axis_off()
        for place, (center, boxes) in enumerate(columns.items()):
            role = frame.filter(pl.col("center") == center)["role"][0]
            _column(axes, f"{center} ({role})", boxes, style.double / len(part), place)
        name = f"flow-{arm}{f'-{number}' if len(parts) > 1 else ''}"
        yield Drawing(name, f"Flow of radiographs, {arm}", CAPTION.format(sealed), "flow", figure)


def _boxes(frame: pl.DataFrame) -> list[tuple[list[str], str]]:
    """Lines of each box from top to bottom, and its step; boxes of nobody are left out."""
    rows = [row for row in frame.iter_rows(named=True) if row["step"] not in ASIDE or row["images"]]
    return [(_lines(row), row["step"]) for row in rows]


def _lines(row: Facts) -> list[str]:
    counts = [plural(row["images"], "image") if not is_missing(row["images"]) else ""]
    if not is_missing(row["patients"]):
        counts.append(plural(row["patients"], "patient"))
    step = str(row["step"])
    lines = [WORDS.get(step, step), ", ".join(filter(None, counts))]
    if row["detail"]:
        lines.insert(1, _short(row["detail"]))
    if not is_missing(row["positive"]):
        lines.append(f"{row['positive']} positive / {row['negative']} negative")
    return lines


def _short(text: str) -> str:
    return text if len(text) <= 32 else f"{text[:31].rstrip()}…"


def _height(lines: list[str]) -> float:
    return LINE_MM * len(lines) + 2


def _column(axes: Axes, heading: str, boxes: list[tuple[list[str], str]], width: float, place: int) -> None:
    left, top = place * width + 2, 8.0
    axes.text(left + (width - 4) / 2, 4, heading, ha="center", va="center", fontweight="bold")
    before: float | None = None
    for lines, step in boxes:
        height = _height(lines)
        shift = 0 if step in WAY else 5
        _box(axes, (left + shift, top, width - 4 - shift, height), lines, aside=step in ASIDE)
        if shift:
            _arrow(axes, (left + 2, top + height / 2), (left + 5, top + height / 2))
        if before is not None and step not in ASIDE:
            _arrow(axes, (left + 2, before), (left + 2, top if step in WAY else top + height / 2), head=step in WAY)
        before = before if shift else top + height
        top += height + GAP_MM


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], *, head: bool = True) -> None:
    axes.annotate("", end, start, arrowprops={**_ARROW, "arrowstyle": "-|>" if head else "-"})


_ARROW = {"arrowstyle": "-|>", "color": NEUTRAL, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 5}


def _box(axes: Axes, at: tuple[float, float, float, float], lines: list[str], *, aside: bool) -> None:
    left, top, width, height = at
    face = "#F2F2F2" if aside else "white"
    axes.add_patch(Rectangle((left, top), width, height, facecolor=face, edgecolor=NEUTRAL, linewidth=0.7))
    for number, line in enumerate(lines):
        weight = "bold" if number == 0 and not aside else "normal"
        where = (left + 2.2, top + 1 + LINE_MM * (number + 0.5))
        axes.text(*where, line, va="center", fontsize=SMALLEST_POINTS, fontweight=weight)
