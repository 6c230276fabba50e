"""The change of each reader with its interval: positions that the template draws without a script."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from evaluation.readers.study import ReaderStudy
from evaluation.report.context import ReportContext
from evaluation.report.numbers import is_missing, signed, signed_interval

STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
MOST_TICKS = 7
MARGIN = 6
"""Percent of the width left free on both sides, where the outer labels stand."""


@dataclass(frozen=True)
class ReaderRow:
    """One reader, or the mean of all; positions in percent of the axis, none where there is no estimate."""

    name: str
    change: str
    low: float | None
    middle: float | None
    high: float | None
    is_mean: bool = False


@dataclass(frozen=True)
class ReaderFigure:
    """Changes of all readers in one modality, the largest gain first, and their mean below."""

    modality: str
    reference: str
    rows: tuple[ReaderRow, ...]
    ticks: tuple[tuple[float, str], ...]
    zero: float


def reader_figures(context: ReportContext) -> list[ReaderFigure]:
    """One figure for each modality beside the reference."""
    study = context.readers
    return [] if study is None else [_figure(study, modality) for modality in study.modalities[:-1]]


def _figure(study: ReaderStudy, modality: str) -> ReaderFigure:
    ranked = study.changes.filter(pl.col("modality") == modality).sort("difference", descending=True)
    is_pair = (pl.col("first") == modality) & (pl.col("second") == study.reference)
    mean = study.differences.filter(is_pair).row(0, named=True)
    found = [*ranked.iter_rows(named=True), mean]
    known = [row[name] for row in found for name in ("low", "difference", "high") if not is_missing(row[name])]
    low, high = _ends([*known, 0.0])

    def percent(value: float) -> float | None:
        return None if is_missing(value) else round(MARGIN + (100 - 2 * MARGIN) * (value - low) / (high - low), 2)

    def row(facts: dict[str, float], name: str, *, is_mean: bool) -> ReaderRow:
        start, middle, end = (percent(facts[which]) for which in ("low", "difference", "high"))
        told = f"{signed(facts['difference'])} ({signed_interval(facts['low'], facts['high'])})"
        return ReaderRow(name, told, start, middle, end, is_mean)

    rows = [row(facts, str(facts["reader"]), is_mean=False) for facts in found[:-1]]
    return ReaderFigure(
        modality,
        study.reference,
        (*rows, row(mean, "Mean, readers and cases random", is_mean=True)),
        tuple((percent(value) or 0.0, signed(value)) for value in _ticks(low, high)),
        percent(0.0) or 0.0,
    )


def _ends(values: list[float]) -> tuple[float, float]:
    """From the lowest to the highest value, never narrower than two hundredths."""
    low, high = min(values), max(values)
    lack = max(0.0, 0.02 - (high - low)) / 2
    return max(low - lack, -1.0), min(high + lack, 1.0)


def _ticks(low: float, high: float) -> list[float]:
    step = next((step for step in STEPS if (high - low) / step <= MOST_TICKS), STEPS[-1])
    return [
        float(value) for value in np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1) * step
    ]
