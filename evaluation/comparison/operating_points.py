"""Operating points: thresholds chosen once on the reserve and carried, and beside them those chosen on the test set."""

from __future__ import annotations

from typing import Any

import polars as pl

from evaluation.comparison.panels import POOLED, Panel
from evaluation.thresholds import choose_threshold, operating_point, rule_name
from search_spaces.study import Analysis, Threshold

OPERATING_POINTS: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "cell": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "rule": pl.String(),
    "threshold": pl.Float64(),
    "source": pl.String(),
    "tp": pl.Int64(),
    "fp": pl.Int64(),
    "fn": pl.Int64(),
    "tn": pl.Int64(),
    "sensitivity": pl.Float64(),
    "sensitivity_low": pl.Float64(),
    "sensitivity_high": pl.Float64(),
    "specificity": pl.Float64(),
    "specificity_low": pl.Float64(),
    "specificity_high": pl.Float64(),
    "ppv": pl.Float64(),
    "npv": pl.Float64(),
}
ENOUGH = 5
"""Fewest positives and fewest negatives on which the reserve may choose thresholds."""

Row = dict[str, Any]


def operating_points(boards: list[Panel], plan: Analysis, cells: pl.DataFrame) -> pl.DataFrame:
    """The 2 x 2 table of every cell, rule and center (OPERATING_POINTS); positive is score >= threshold.

    `source`: `reserve`, or `validation` where the reserve has too few cases, is chosen once per cell and rule on all
    development centers together and carried unchanged; `test` is chosen on the very images shown and is optimistic.
    A threshold of infinity calls nobody positive. The intervals are Clopper-Pearson's and take images as independent.
    """
    rows = [row for cell in cells["cell"] for row in _cell(boards, plan, cell)]
    return pl.DataFrame(rows, schema=OPERATING_POINTS, orient="row")


def _cell(boards: list[Panel], plan: Analysis, cell: str) -> list[Row]:
    mine = [panel for panel in boards if cell in panel.scores]
    origin = _origin(mine, cell)
    rows = []
    for rule in plan.thresholds:
        if origin:
            threshold = _choose(origin, cell, rule)
            shown = [panel for panel in mine if panel.role in {"reserve", "external", origin.role}]
            rows += [_row(panel, cell, rule, threshold, origin.role) for panel in shown]
        tests = [panel for panel in mine if panel.role == "external" and not panel.cases(cell).one_class]
        rows += [_row(panel, cell, rule, _choose(panel, cell, rule), "test") for panel in tests]
    return rows


def _origin(mine: list[Panel], cell: str) -> Panel | None:
    """The pooled panel that chooses: the reserve if it has enough cases, else validation if it has both classes."""
    pooled = {panel.role: panel for panel in mine if panel.center == POOLED}
    reserve, validation = pooled.get("reserve"), pooled.get("validation")
    if reserve and min(reserve.cases(cell).n_positive, reserve.cases(cell).n_negative) >= ENOUGH:
        return reserve
    return validation if validation and not validation.cases(cell).one_class else None


def _choose(panel: Panel, cell: str, rule: Threshold) -> float:
    cases = panel.cases(cell)
    return choose_threshold(cases.labels, panel.score(cell, cases), rule)


def _row(panel: Panel, cell: str, rule: Threshold, threshold: float, source: str) -> Row:
    cases = panel.cases(cell)
    point = operating_point(cases.labels, panel.score(cell, cases), threshold)
    sensitivity, specificity = point.sensitivity, point.specificity
    return {
        "arm": panel.arms[cell],
        "cell": cell,
        "role": panel.role,
        "center": panel.center,
        "rule": rule_name(rule),
        "threshold": float(panel.shown(cell, point.threshold)),
        "source": source,
        "tp": point.tp,
        "fp": point.fp,
        "fn": point.fn,
        "tn": point.tn,
        "sensitivity": sensitivity.value,
        "sensitivity_low": sensitivity.low,
        "sensitivity_high": sensitivity.high,
        "specificity": specificity.value,
        "specificity_low": specificity.low,
        "specificity_high": specificity.high,
        "ppv": point.ppv.value,
        "npv": point.npv.value,
    }
