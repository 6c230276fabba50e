"""Operating points: thresholds chosen once and carried, and beside them those chosen on the test set."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from evaluation.comparison.calls import Carried, carried, chosen_on_test
from evaluation.comparison.cases import Cases
from evaluation.comparison.panels import Panel
from evaluation.decisions.likelihood_ratios import likelihood_ratios
from evaluation.decisions.proportions import Proportion, clopper_pearson, wilson
from evaluation.decisions.thresholds import OperatingPoint, count, rule_name
from evaluation.discrimination.precision_recall import f1
from search_spaces.study import Analysis, Threshold

_RATES = ("sensitivity", "specificity", "ppv", "npv")

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
    **{
        f"{rate}{bound}": pl.Float64()
        for rate in _RATES
        for bound in ("", "_low", "_high", "_wilson_low", "_wilson_high")
    },
    **{f"{ratio}{bound}": pl.Float64() for ratio in ("lr_positive", "lr_negative") for bound in ("", "_low", "_high")},
    "f1": pl.Float64(),
    "flag": pl.String(),
}
INDEPENDENT = "several images per patient: intervals take images as independent"
SHOWN_ROLES = ("reserve", "external")

Row = dict[str, Any]


class AtRule(NamedTuple):
    """One cell on one panel by one rule."""

    panel: Panel
    cell: str
    cases: Cases
    rule: Threshold
    by: Carried

    @property
    def point(self) -> OperatingPoint:
        """The counts."""
        return count(self.cases.labels, self.by.calls(self.panel, self.cell, self.cases), self.by.threshold)


def operating_points(boards: list[Panel], plan: Analysis, cells: pl.DataFrame) -> pl.DataFrame:
    """The 2 x 2 table of every cell, rule and center (OPERATING_POINTS); positive is score >= threshold.

    `source`: `reserve` is chosen once per cell and rule on all development centers together and carried unchanged;
    `fold thresholds`, where the reserve has too few cases, are one per single model with a majority decision (their
    `threshold` is NaN); `test` is chosen on the very images shown and is optimistic. A threshold of infinity calls
    nobody positive. Intervals are Clopper-Pearson's, with Wilson's beside, and take images as independent.
    """
    rows = [_row(at_rule) for cell in cells["cell"] for at_rule in _at_rule(boards, plan, cell)]
    return pl.DataFrame(rows, schema=OPERATING_POINTS, orient="row")


def _at_rule(boards: list[Panel], plan: Analysis, cell: str) -> list[AtRule]:
    shown = [panel for panel in boards if cell in panel.scores and panel.role in SHOWN_ROLES]
    found = []
    for rule in plan.thresholds:
        by = carried(boards, cell, rule)
        if by is not None:
            found += [AtRule(panel, cell, panel.cases(cell), rule, by) for panel in shown]
        tests = [(panel, panel.cases(cell)) for panel in shown if panel.role == "external"]
        found += [
            AtRule(panel, cell, cases, rule, chosen_on_test(panel, cell, cases, rule))
            for panel, cases in tests
            if not cases.one_class
        ]
    return found


def _row(at_rule: AtRule) -> Row:
    point, panel, cell = at_rule.point, at_rule.panel, at_rule.cell
    row: Row = {
        "arm": panel.arms[cell],
        "cell": cell,
        "role": panel.role,
        "center": panel.center,
        "rule": rule_name(at_rule.rule),
        "threshold": at_rule.by.shown(panel, cell),
        "source": at_rule.by.source,
        "tp": point.tp,
        "fp": point.fp,
        "fn": point.fn,
        "tn": point.tn,
        "f1": f1(point.tp, point.fp, point.fn).value,
        "flag": INDEPENDENT if at_rule.cases.clusters.repeat else "",
    }
    counts = {
        "sensitivity": (point.tp, point.tp + point.fn),
        "specificity": (point.tn, point.tn + point.fp),
        "ppv": (point.tp, point.tp + point.fp),
        "npv": (point.tn, point.tn + point.fn),
    }
    for rate, (successes, total) in counts.items():
        row |= _bounds(rate, clopper_pearson(successes, total), wilson(successes, total))
    return row | _ratios(point)


def _bounds(name: str, exact: Proportion, score: Proportion) -> Row:
    return {
        name: exact.value,
        f"{name}_low": exact.low,
        f"{name}_high": exact.high,
        f"{name}_wilson_low": score.low,
        f"{name}_wilson_high": score.high,
    }


def _ratios(point: OperatingPoint) -> Row:
    found = likelihood_ratios(point.tp, point.fp, point.fn, point.tn)
    return {
        f"{name}{bound}": value
        for name, ratio in (("lr_positive", found.positive), ("lr_negative", found.negative))
        for bound, value in (("", ratio.value), ("_low", ratio.low), ("_high", ratio.high))
    }
