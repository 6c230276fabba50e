"""The forest of AUCs on the first screen: positions that the template draws without a script."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Entry, ordered
from evaluation.report.names import cell_heading, places
from evaluation.report.numbers import estimate, is_missing


@dataclass(frozen=True)
class ForestRow:
    """One cell: an AUC with its interval, positions in percent of the axis; none where there is no estimate."""

    heading: Entry
    estimate: str
    low: float | None
    middle: float | None
    high: float | None


@dataclass(frozen=True)
class ForestArm:
    """The cells of one arm, with the place they were tested at."""

    arm: str
    place: str
    rows: tuple[ForestRow, ...]


@dataclass(frozen=True)
class Forest:
    """AUCs of all cells on one axis; `ticks` are positions in percent and what stands there."""

    arms: tuple[ForestArm, ...]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Axis:
    """A linear axis with a margin of 4 percent on both sides, so that its outer labels have room."""

    low: float
    high: float

    def percent(self, value: float) -> float:
        """Position of a value, from 4 at the lower end to 96 at the upper."""
        return round(4 + 92 * (value - self.low) / (self.high - self.low), 2)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Every tenth, or every twentieth on a short axis."""
        step = 0.1 if self.high - self.low > 0.35 else 0.05
        values = np.arange(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1) * step
        return tuple((self.percent(value), f"{value:.2f}") for value in values.tolist())


def forest(context: ReportContext) -> Forest:
    """Every cell's AUC at its arm's most general place: pooled external once opened, the reserve before."""
    frames = {arm: context.seen.performance.filter(pl.col("arm") == arm) for arm in context.arms}
    found = {arm: places(context, frame) for arm, frame in frames.items()}
    shown = {arm: found[arm][0].rows(frame) for arm, frame in frames.items() if found[arm]}
    axis = _axis(list(shown.values()))
    arms = tuple(
        ForestArm(arm, found[arm][0].name, _forest_rows(context, arm, frame, axis)) for arm, frame in shown.items()
    )
    return Forest(arms, axis.ticks())


def _axis(frames: list[pl.DataFrame]) -> Axis:
    values = [value for frame in frames for name in ("auc", "low", "high") for value in frame[name].to_list()]
    known = [value for value in values if not is_missing(value)] or [0.5, 1.0]
    low = math.floor(min(known) * 20 - 0.2) / 20
    return Axis(max(0.0, min(low, 0.5) if low < 0.65 else low), min(1.0, math.ceil(max(known) * 20 + 0.2) / 20))


def _forest_rows(context: ReportContext, arm: str, frame: pl.DataFrame, axis: Axis) -> tuple[ForestRow, ...]:
    rows = {row["cell"]: row for row in frame.iter_rows(named=True)}
    return tuple(
        ForestRow(
            cell_heading(context, cell),
            estimate(rows[cell]["auc"], rows[cell]["low"], rows[cell]["high"]),
            *(
                None if is_missing(rows[cell][name]) else axis.percent(rows[cell][name])
                for name in ("low", "auc", "high")
            ),
        )
        for cell in ordered(rows, context.cells_of(arm))
    )
