"""The figure of the first screen: what pretraining and init are worth, pooled and at each external center."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import nan

import polars as pl

from evaluation.comparison.effects import INIT, PAYOFF, SOURCE
from evaluation.report.context import ReportContext
from evaluation.report.display import Entry, Facts, lines, ordered
from evaluation.report.names import Place, sample
from evaluation.report.numbers import is_missing, signed, signed_interval
from evaluation.report.tables.effects import averaged, named_frame, names, table_id

HEADINGS = {
    PAYOFF: ("Against scratch", "scratch", "pretrained better"),
    SOURCE: ("Between sources", "second", "first better"),
    INIT: ("Between inits", "second", "first better"),
}
"""Named effects in the order of the figure, and who is better left and right of zero."""
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
MOST_TICKS = 4
SHAPES = ("circle", "square", "triangle", "diamond", "cross")
"""Of the external centers in their order, then again from the first."""
POOLED_HEIGHT, CENTER_HEIGHT, ABOVE = 14, 7, 6
"""Pixels that a mark takes in its row, and the space above the first."""


@dataclass(frozen=True)
class Mark:
    """An estimate with its interval at one place, in percent of the axis; an end beyond the axis is cut off there."""

    place: str
    shape: str
    """pooled, or one of SHAPES"""
    top: float
    low: float | None
    middle: float
    high: float | None
    cut_low: bool
    cut_high: bool


@dataclass(frozen=True)
class EffectRow:
    """One named effect; `told` says each place in words."""

    heading: Entry
    estimate: str
    interval: str
    marks: tuple[Mark, ...]
    told: tuple[str, ...]
    height: int


@dataclass(frozen=True)
class EffectKind:
    """The effects of one kind, and in words what lies left and right of zero."""

    title: str
    left: str
    right: str
    rows: tuple[EffectRow, ...]


@dataclass(frozen=True)
class Effects:
    """All named effects on one axis; `legend` pairs shapes with external centers."""

    place: str
    table: str
    """Id of the table that holds the pooled numbers."""
    kinds: tuple[EffectKind, ...]
    ticks: tuple[tuple[float, str], ...]
    zero: float
    legend: tuple[tuple[str, str], ...]

    @property
    def is_cut(self) -> bool:
        """Whether any interval goes on beyond the axis."""
        marks = (mark for kind in self.kinds for row in kind.rows for mark in row.marks)
        return any(mark.cut_low or mark.cut_high for mark in marks)


@dataclass(frozen=True)
class Differences:
    """A linear axis of differences with a margin of 3 percent on both sides."""

    low: float
    high: float

    def percent(self, value: float) -> float:
        """Position of a value, cut off at the ends."""
        share = (value - self.low) / (self.high - self.low)
        return round(3 + 94 * min(1.0, max(0.0, share)), 2)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Round numbers, one of them zero, at most MOST_TICKS steps of them."""
        step = next((step for step in STEPS if (self.high - self.low) / step <= MOST_TICKS), STEPS[-1])
        numbers = range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1)
        return tuple((self.percent(n * step), _tick(n * step)) for n in numbers)


def effects(context: ReportContext) -> Effects | None:
    """Named effects at the most general place, and beside it at each external center; None without any."""
    frame, place = named_frame(context)
    if place is None:
        return None
    pooled = place.rows(frame)
    centers = [center for center in context.centers("external") if place.center == "all" and place.role == "external"]
    apart = frame.filter(pl.col("role") == "external", pl.col("center").is_in(centers))
    axis = _axis(pooled, apart)
    shapes = {center: SHAPES[number % len(SHAPES)] for number, center in enumerate(centers)}
    return Effects(
        place=place.name,
        table=table_id(place),
        kinds=tuple(_kinds(context, pooled, apart, axis, shapes, place)),
        ticks=axis.ticks(),
        zero=axis.percent(0),
        legend=tuple((shape, center) for center, shape in shapes.items()),
    )


def _axis(pooled: pl.DataFrame, apart: pl.DataFrame) -> Differences:
    """Holds zero, every pooled interval and every estimate of a center; wider intervals of centers are cut off."""
    values = [value for name in ("low", "difference", "high") for value in pooled[name].to_list()]
    known = [value for value in [*values, *apart["difference"].to_list()] if not is_missing(value)]
    low, high = min([0.0, *known]), max([0.0, *known])
    margin = max(0.08 * (high - low), 0.005)
    return Differences(low - margin, high + margin)


def _kinds(
    context: ReportContext,
    pooled: pl.DataFrame,
    apart: pl.DataFrame,
    axis: Differences,
    shapes: dict[str, str],
    place: Place,
) -> Iterator[EffectKind]:
    for kind, (title, left, right) in HEADINGS.items():
        of_kind = pooled.filter(pl.col("effect") == kind)
        rows = [
            _row(context, row, _same(apart, row), axis, shapes, place)
            for arm in ordered(of_kind["arm"], context.arms)
            for row in of_kind.filter(pl.col("arm") == arm).iter_rows(named=True)
        ]
        if rows:
            yield EffectKind(title, left, right, tuple(rows))


def _same(frame: pl.DataFrame, row: Facts) -> list[Facts]:
    """The same effect at the single centers."""
    columns = ("effect", "arm", "first", "second")
    return frame.filter(pl.all_horizontal(pl.col(name) == row[name] for name in columns)).to_dicts()


def _row(
    context: ReportContext, row: Facts, apart: list[Facts], axis: Differences, shapes: dict[str, str], place: Place
) -> EffectRow:
    first, second = names(context, row)
    by_center = {found["center"]: found for found in apart}
    shown = [(place.name, "pooled", row)]
    shown += [(center, shape, by_center[center]) for center, shape in shapes.items() if center in by_center]
    return EffectRow(
        heading=Entry(
            first if row["effect"] == PAYOFF else f"{first} against {second}",
            lines(", ".join(lines(row["arm"], averaged(row) if _lacks(row) else ""))),
            ("primary",) if row["family"] == "primary" else (),
        ),
        estimate=signed(row["difference"]),
        interval=signed_interval(row["low"], row["high"]),
        marks=tuple(_marks(shown, axis)),
        told=tuple(_told(name, found) for name, _, found in shown),
        height=2 * ABOVE + POOLED_HEIGHT + CENTER_HEIGHT * (len(shown) - 1),
    )


def _lacks(row: Facts) -> bool:
    """Whether the mean is over one backbone or without some: what the words say of the whole arm does not hold."""
    return bool(row["without"]) or ", " not in row["backbones"]


def _marks(shown: Iterable[tuple[str, str, Facts]], axis: Differences) -> Iterator[Mark]:
    for number, (place, shape, row) in enumerate(shown):
        top = ABOVE + (POOLED_HEIGHT / 2 if number == 0 else POOLED_HEIGHT + CENTER_HEIGHT * (number - 0.5))
        if is_missing(row["difference"]):
            continue
        low, high = (nan if is_missing(row[end]) else row[end] for end in ("low", "high"))
        yield Mark(
            place,
            shape,
            top,
            None if is_missing(low) else axis.percent(low),
            axis.percent(row["difference"]),
            None if is_missing(high) else axis.percent(high),
            cut_low=low < axis.low,
            cut_high=high > axis.high,
        )


def _told(place: str, row: Facts) -> str:
    counts = sample(row["n_positive"], row["n_negative"])
    if is_missing(row["difference"]):
        return f"{place}: no estimate, {row['flag'] or 'no reason recorded'}; {counts}"
    return f"{place}: {signed(row['difference'])} ({signed_interval(row['low'], row['high'])}), {counts}"


def _tick(value: float) -> str:
    return "0" if abs(value) < 1e-9 else f"{'−' if value < 0 else '+'}{abs(value):.2f}"
