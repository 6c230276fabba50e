"""Pointwise bootstrap bands of ROC and precision-recall curves, of the cells that are looked at most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from evaluation.arrays import Bools, Floats, Integers
from evaluation.comparison.cases import Cases
from evaluation.comparison.panels import Panel
from evaluation.comparison.primary import measurable, primary_pairs
from evaluation.resampling import Counts, Resamples
from search_spaces.study import Analysis

CURVE_BANDS: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "cell": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "curve": pl.String(),  # roc | precision-recall
    "at": pl.Float64(),  # 1 - specificity of an ROC curve, recall of the other
    "value": pl.Float64(),  # sensitivity, or precision
    "low": pl.Float64(),
    "high": pl.Float64(),
    "n_positive": pl.Int64(),
    "n_negative": pl.Int64(),
    "method": pl.String(),
}
NAMES = ROC, PRECISION_RECALL = "roc", "precision-recall"
GRID = np.arange(51) / 50
GRIDS = (GRID, GRID[1:])
"""Nobody is called at a recall of 0, and precision has no value there."""
FEW_CELLS = 4
"""An arm without a planned pair has bands if it has no more cells than this."""
MOST_LEVELS = 400
"""Thresholds at which a draw is counted; between them a curve is taken as straight."""
SHOWN_ROLES = ("reserve", "external")


def banded(plan: Analysis, cells: pl.DataFrame) -> list[str]:
    """Cells of planned pairs, and all of an arm that has none of these and few cells."""
    planned = {cell for pair in measurable(primary_pairs(plan, cells), cells) for cell in pair}
    few = [
        part["cell"].to_list()
        for part in cells.partition_by("arm", maintain_order=True)
        if part.height <= FEW_CELLS and not planned & set(part["cell"])
    ]
    known = planned.union(*few)
    return [cell for cell in cells["cell"] if cell in known]


def curve_bands(boards: Sequence[Panel], plan: Analysis, cells: pl.DataFrame) -> pl.DataFrame:
    """Pointwise 95 % percentile bands on a grid of .02 (CURVE_BANDS), pooled centers only.

    Sensitivity at fixed 1 - specificity, as pROC's `ci.se`, and precision at fixed recall. Patients are drawn within
    their class, the same draws as for every other bootstrap of the plan; draws that lack a class are left out.
    """
    shown = banded(plan, cells)
    frames = [
        frame
        for panel in boards
        if panel.pooled and panel.role in SHOWN_ROLES
        for cases, group in _by_cases(panel, shown)
        for frame in _bands(panel, cases, group, plan)
    ]
    return pl.concat([pl.DataFrame(schema=CURVE_BANDS), *frames])


def _by_cases(panel: Panel, cells: Sequence[str]) -> Iterator[tuple[Cases, list[str]]]:
    """Cells grouped by the images that they scored; one class is left out."""
    groups: dict[int, tuple[Cases, list[str]]] = {}
    for cell in cells:
        if cell in panel.scores and not panel.cases(cell).one_class:
            groups.setdefault(id(panel.cases(cell)), (panel.cases(cell), []))[1].append(cell)
    yield from groups.values()


def _bands(panel: Panel, cases: Cases, cells: Sequence[str], plan: Analysis) -> Iterator[pl.DataFrame]:
    levels = {cell: Levels.of(panel.score(cell, cases), cases.labels == 1) for cell in cells}
    resamples = Resamples.of(cases.labels, cases.patients, plan.bootstrap.draws, plan.bootstrap.seed)
    drawn: dict[str, list[tuple[Floats, Floats]]] = {cell: [] for cell in cells}
    for counts in resamples.chunks():
        for cell, level in levels.items():
            drawn[cell].append(level.curves(counts))
    once = np.ones((1, cases.labels.size), dtype=np.float32)
    for cell, level in levels.items():
        both = zip(NAMES, GRIDS, level.curves(once), zip(*drawn[cell], strict=True), strict=True)
        for name, grid, whole, parts in both:
            low, high = np.quantile(np.concatenate(parts), [0.025, 0.975], axis=0)
            yield pl.DataFrame({"at": grid, "value": whole[0], "low": low, "high": high}).select(
                pl.lit(panel.arms[cell]).alias("arm"),
                pl.lit(cell).alias("cell"),
                pl.lit(panel.role).alias("role"),
                pl.lit(panel.center).alias("center"),
                pl.lit(name).alias("curve"),
                pl.all(),
                pl.lit(cases.n_positive, dtype=pl.Int64).alias("n_positive"),
                pl.lit(cases.n_negative, dtype=pl.Int64).alias("n_negative"),
                pl.lit(f"percentile {resamples.method}").alias("method"),
            )


class Levels(NamedTuple):
    """Which cases reach which threshold, highest first: ones of shape (levels, cases), apart by class."""

    positive: csr_array
    negative: csr_array

    @classmethod
    def of(cls, scores: Floats, is_positive: Bools) -> Levels:
        """Every distinct score is a level; beyond MOST_LEVELS neighbors share one."""
        distinct, places = np.unique(-scores, return_inverse=True)
        count = min(distinct.size, MOST_LEVELS)
        level = places * count // distinct.size
        return cls(*(_ones(level, members, count) for members in (is_positive, ~is_positive)))

    def curves(self, counts: Counts) -> tuple[Floats, Floats]:
        """Sensitivity at each 1 - specificity, and precision at each recall, of every draw: (draws, GRID)."""
        hits, alarms = (_reached(part @ counts.T) for part in (self.positive, self.negative))
        known = (hits[:, -1] > 0) & (alarms[:, -1] > 0)  # a few patients with both kinds may leave a draw without one
        hits, alarms = hits[known], alarms[known]
        positives = hits[:, -1:]
        found, called = hits / positives, alarms / alarms[:, -1:]
        # Of points above each other the last counts: the highest sensitivity, and, turned around, the fewest alarms.
        sensitivity = _interpolated(GRID, called, found)
        wrong = _interpolated(-GRID[::-1], -found[:, ::-1], alarms[:, ::-1])[:, ::-1]
        right = GRID * positives
        return sensitivity, right[:, 1:] / (right + wrong)[:, 1:]


def _ones(level: Integers, members: Bools, count: int) -> csr_array:
    cases = np.flatnonzero(members)
    ones = np.ones(cases.size, dtype=np.float32)
    return csr_array((ones, (level[cases], cases)), shape=(count, members.size))


def _reached(drawn: Counts) -> Floats:
    """Cases at or above each threshold, from 0 at infinity, of shape (draws, levels + 1)."""
    summed = np.cumsum(drawn, axis=0, dtype=np.float64).T
    return np.hstack((np.zeros((summed.shape[0], 1)), summed))


def _interpolated(grid: Floats, x: Floats, y: Floats) -> Floats:
    """Each row's curve at the grid, in one call: rows are laid one after the other, 2 apart."""
    apart = 2.0 * np.arange(len(x))[:, np.newaxis]
    found = np.interp((grid + apart).ravel(), (x + apart).ravel(), y.ravel())
    return np.asarray(found.reshape(len(x), grid.size))
