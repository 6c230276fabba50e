"""How well each cell discriminates: one row per cell, role and center, pooled and stratified."""

from __future__ import annotations

from math import nan
from typing import Any

import numpy as np
import polars as pl

from evaluation.comparison.cases import Cases
from evaluation.comparison.contrast import Measured, measure, stratify
from evaluation.comparison.panels import POOLED, STRATIFIED, Panel, shared_patients
from evaluation.comparison.replicates import single_replicates
from evaluation.discrimination.areas import CLUSTERED, DELONG, Area, area
from evaluation.discrimination.precision_recall import average_precision, best_f1
from evaluation.discrimination.strata import Stratum, stratified_area
from evaluation.normal import logit_interval

PERFORMANCE: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "cell": pl.String(),
    "backbone": pl.String(),
    "pretraining": pl.String(),
    "init": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "n_positive": pl.Int64(),
    "n_negative": pl.Int64(),
    "patients": pl.Int64(),
    "auc": pl.Float64(),
    "se": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "logit_low": pl.Float64(),
    "logit_high": pl.Float64(),
    "method": pl.String(),
    "auc_naive_low": pl.Float64(),
    "auc_naive_high": pl.Float64(),
    "flag": pl.String(),
    "average_precision": pl.Float64(),
    "average_precision_low": pl.Float64(),
    "average_precision_high": pl.Float64(),
    "best_f1": pl.Float64(),
    "single_low": pl.Float64(),
    "single_high": pl.Float64(),
    "single_method": pl.String(),
    "single_mean": pl.Float64(),
    "single_sd": pl.Float64(),
    "single_sd_folds": pl.Float64(),
    "single_sd_seeds": pl.Float64(),
    "replicates": pl.Int64(),
    "replicates_planned": pl.Int64(),
    "complete": pl.Boolean(),
    "exploratory": pl.Boolean(),
}

_FACTS = ("backbone", "pretraining", "init")
_MEASURED = [name for name in list(PERFORMANCE)[: list(PERFORMANCE).index("single_mean")] if name not in _FACTS]
ONE_CLASS = "one class"
WIDE_GAP = 0.02
"""Difference of the pooled and the stratified AUC that is flagged."""
_NO_PRECISION = dict.fromkeys(("average_precision", "average_precision_low", "average_precision_high", "best_f1"), nan)
MISSING = "images without a score"

Row = dict[str, Any]


def performance(boards: list[Panel], replicates: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """AUC of every cell per center, pooled, and over several external centers also stratified (PERFORMANCE).

    Beside the aggregate: average precision, the best F1 (its threshold chosen on these images, so optimistic), and the
    single models, as mean AUC with an interval over cases and replicates and as spread over folds and seeds.
    """
    rows = [row for cell in cells["cell"] for row in _cell(boards, cell)]
    schema = {name: PERFORMANCE[name] for name in _MEASURED} | {"models": pl.Int64()}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    # Replicates that lack images are in the mean and not in the interval, which would then be another mean's.
    of_all = pl.col("models") == pl.col("replicates")
    facts = cells.select("cell", "backbone", "pretraining", "init", "replicates_planned", "exploratory")
    return (
        table.join(facts, on="cell", how="left", maintain_order="left")
        .join(single_replicates(replicates), on=["cell", "role", "center"], how="left", maintain_order="left")
        .with_columns(
            pl.col("^single_mean|single_sd.*$").fill_null(nan),
            pl.when(of_all).then(pl.col("^single_(low|high)$")).otherwise(nan),
            single_method=pl.when(of_all).then("single_method").otherwise(pl.lit("")),
            complete=pl.col("even")
            & (pl.col("replicates") == pl.col("replicates_planned"))
            & ~pl.col("flag").str.contains(MISSING, literal=True),
        )
        .select(pl.col(name).cast(kind) for name, kind in PERFORMANCE.items())
    )


def _cell(boards: list[Panel], cell: str) -> list[Row]:
    measured = [_Measured(panel, cell) for panel in boards if cell in panel.scores]
    rows = [one.row() for one in measured]
    external = [one for one in measured if one.panel.role == "external" and one.panel.center != POOLED]
    if len(external) < 2:
        return rows
    pooled = next(row for row in rows if row["role"] == "external" and row["center"] == POOLED)
    return [*rows, _stratified(external, cell, pooled["auc"])]


class _Measured:
    """One cell on one panel."""

    def __init__(self, panel: Panel, cell: str) -> None:
        self.panel, self.cell = panel, cell
        self.cases = panel.cases(cell)
        self.area, self.naive = _areas(panel, cell, self.cases)

    def row(self) -> Row:
        return (
            {
                "arm": self.panel.arms[self.cell],
                "cell": self.cell,
                "role": self.panel.role,
                "center": self.panel.center,
                "n_positive": self.cases.n_positive,
                "n_negative": self.cases.n_negative,
                "patients": self.cases.clusters.count,
            }
            | _numbers(self.area, self.naive, self.flag)
            | self._precision()
            | _single(measure(self.panel, {self.cell: 1.0}))
        )

    def _precision(self) -> Row:
        if self.cases.one_class:
            return _NO_PRECISION
        scores = self.panel.score(self.cell, self.cases)
        found = average_precision(self.cases.labels, scores)
        return {
            "average_precision": found.value,
            "average_precision_low": found.low,
            "average_precision_high": found.high,
            "best_f1": best_f1(self.cases.labels, scores).value,
        }

    @property
    def flag(self) -> str:
        missing = self.panel.missing(self.cell)
        return "; ".join(filter(None, [self.area.flag, f"{MISSING}: {missing}" if missing else ""]))

    def stratum(self, found: Area) -> Stratum[Area]:
        return Stratum(self.panel.center, self.cases.n_positive * self.cases.n_negative, self.flag, found)


def _areas(panel: Panel, cell: str, cases: Cases) -> tuple[Area, Area]:
    """With and without regard to patients who have several images."""
    if cases.one_class:
        unknown = Area(nan, nan, nan, nan, CLUSTERED if cases.clusters.repeat else DELONG, ONE_CLASS)
        return unknown, unknown
    placed = panel.placements(cell, cases)
    return area(placed, cases.clusters), area(placed)


def _numbers(found: Area, naive: Area, flag: str) -> Row:
    logit = logit_interval(found.auc, found.se)
    return {
        "auc": found.auc,
        "se": found.se,
        "low": found.low,
        "high": found.high,
        "logit_low": logit[0],
        "logit_high": logit[1],
        "method": found.method,
        "auc_naive_low": naive.low,
        "auc_naive_high": naive.high,
        "flag": flag,
    }


def _single(found: Measured | None) -> Row:
    """Interval of the mean AUC of single models, over cases and replicates."""
    if found is None:
        return {"single_low": nan, "single_high": nan, "single_method": "", "models": 0}
    single = found.single
    low, high = np.clip([single.low, single.high], 0, 1)  # NaN stays NaN, which max and min would make 0 and 1
    return {
        "single_low": float(low),
        "single_high": float(high),
        "single_method": single.method,
        "models": len(found.replicates),
    }


def _stratified(centers: list[_Measured], cell: str, pooled: float) -> Row:
    twice = shared_patients([one.panel for one in centers])
    both = stratified_area([one.stratum(one.area) for one in centers], twice)
    naive = stratified_area([one.stratum(one.naive) for one in centers], twice)
    rows = [one.row() for one in centers]
    counts = {name: sum(row[name] for row in rows) for name in ("n_positive", "n_negative", "patients")}
    gap = pooled - both.auc
    apart = f"pooled AUC differs by {gap:+.3f}" if abs(gap) > WIDE_GAP else ""
    flag = "; ".join(filter(None, [both.flag, apart]))
    single = _single(stratify([one.panel for one in centers], {cell: 1.0}))
    return rows[0] | counts | {"center": STRATIFIED} | _numbers(both, naive, flag) | _NO_PRECISION | single
