"""Decision curves of every cell, and differences of net benefit of planned pairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from evaluation.arrays import Floats
from evaluation.calibration.decision_curve import net_benefit, resampled_net_benefit
from evaluation.comparison.calibrated import Recalibrations
from evaluation.comparison.cases import Cases
from evaluation.comparison.panels import Panel
from evaluation.comparison.primary import Pair, measurable, primary_pairs
from evaluation.resampling import Resamples
from search_spaces.study import Analysis

DECISION_CURVES: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "cell": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "recalibration": pl.String(),
    "threshold": pl.Float64(),
    "net_benefit": pl.Float64(),
    "treat_all": pl.Float64(),
    "treat_none": pl.Float64(),
    "standardized": pl.Float64(),
}
NET_BENEFIT: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "first": pl.String(),
    "second": pl.String(),
    "recalibration": pl.String(),
    "threshold": pl.Float64(),
    "net_benefit_first": pl.Float64(),
    "net_benefit_second": pl.Float64(),
    "difference": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "method": pl.String(),
    "flag": pl.String(),
}
THRESHOLDS = np.arange(1, 100) / 100

Maps = dict[str, Recalibrations]


def recalibrations(boards: list[Panel], cells: pl.DataFrame) -> Maps:
    """What each cell's reserve teaches about its probabilities."""
    return {cell: Recalibrations.of(boards, cell) for cell in cells["cell"]}


def decision_curves(boards: list[Panel], maps: Maps) -> pl.DataFrame:
    """Net benefit at risks from .01 to .99, of the model, of treating all and of treating none (DECISION_CURVES)."""
    frames = [
        _curve(panel, cell, name, cases.labels, risks)
        for cell, known in maps.items()
        for panel in _shown(boards, cell)
        for cases in [panel.cases(cell)]
        for name, risks in known.risks(panel, cell, cases).items()
    ]
    return pl.concat([pl.DataFrame(schema=DECISION_CURVES), *frames])


def net_benefits(boards: list[Panel], plan: Analysis, cells: pl.DataFrame, maps: Maps) -> pl.DataFrame:
    """Differences of planned pairs at the plan's risks, first minus second, with bootstrap intervals (NET_BENEFIT)."""
    pairs = measurable(primary_pairs(plan, cells), cells) if plan.net_benefit else []
    frames = [
        frame
        for panel in boards
        if panel.role != "validation"
        for cases, group in panel.by_cases(pairs)
        for frame in _differences(panel, cases, group, plan, maps)
    ]
    return pl.concat([pl.DataFrame(schema=NET_BENEFIT), *frames])


def _shown(boards: list[Panel], cell: str) -> list[Panel]:
    return [
        panel
        for panel in boards
        if panel.role != "validation" and cell in panel.scores and not panel.cases(cell).one_class
    ]


def _curve(panel: Panel, cell: str, name: str, labels: Any, risks: Floats) -> pl.DataFrame:
    found = net_benefit(labels, risks, THRESHOLDS)
    return pl.DataFrame(
        {
            "threshold": found.thresholds,
            "net_benefit": found.net_benefit,
            "treat_all": found.treat_all,
            "treat_none": found.treat_none,
            "standardized": found.standardized,
        }
    ).select(
        pl.lit(panel.arms[cell]).alias("arm"),
        pl.lit(cell).alias("cell"),
        pl.lit(panel.role).alias("role"),
        pl.lit(panel.center).alias("center"),
        pl.lit(name).alias("recalibration"),
        pl.all(),
    )


def _differences(panel: Panel, cases: Cases, pairs: list[Pair], plan: Analysis, maps: Maps) -> Iterator[pl.DataFrame]:
    """All pairs on the same images are resampled together."""
    risks = {
        (cell, name): values
        for cell in dict.fromkeys(cell for pair in pairs for cell in pair)
        for name, values in maps[cell].risks(panel, cell, cases).items()
    }
    places = {name: place for place, name in enumerate(risks)}
    table, grid = np.column_stack(list(risks.values())), sorted(set(plan.net_benefit))
    resamples = Resamples.of(cases.labels, cases.patients, plan.bootstrap.draws, plan.bootstrap.seed)
    draws = resampled_net_benefit(cases.labels, table, grid, resamples)
    whole = np.stack([net_benefit(cases.labels, values, grid).net_benefit for values in table.T])
    for first, second in pairs:
        for name in (name for cell, name in risks if cell == first and (second, name) in risks):
            one, other = places[first, name], places[second, name]
            low, high = np.quantile(draws[:, one] - draws[:, other], [0.025, 0.975], axis=0)
            yield pl.DataFrame(
                {
                    "threshold": grid,
                    "net_benefit_first": whole[one],
                    "net_benefit_second": whole[other],
                    "difference": whole[one] - whole[other],
                    "low": low,
                    "high": high,
                }
            ).select(
                pl.lit(" vs ".join(dict.fromkeys(panel.arms[cell] for cell in (first, second)))).alias("arm"),
                pl.lit(panel.role).alias("role"),
                pl.lit(panel.center).alias("center"),
                pl.lit(first).alias("first"),
                pl.lit(second).alias("second"),
                pl.lit(name).alias("recalibration"),
                pl.all(),
                pl.lit(f"percentile {resamples.method}").alias("method"),
                pl.when(pl.col("low") == pl.col("high"))
                .then(pl.lit("no variation"))
                .otherwise(pl.lit(""))
                .alias("flag"),
            )
