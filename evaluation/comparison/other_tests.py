"""Planned pairs by the tests that the plan does not name, so that a published variant can be looked up."""

from __future__ import annotations

from math import nan

import numpy as np

from evaluation.arrays import Floats, Integers
from evaluation.comparison.paired import Columns, Decided
from evaluation.decisions.mcnemar import CLUSTERED, METHODS, VARIANTS, mcnemar_p
from evaluation.decisions.predictive_values import Predictive, compare_tables, cross_tabulate

INDEPENDENT = ", images as independent"


def other_tests(planned: Columns, decided: Decided, sides: Integers) -> dict[str, Floats]:
    """p-values of one metric by test: McNemar's other variants, or the tests of predictive values.

    Where the planned test is clustered by patient, McNemar's variants take images as independent, and say so.
    """
    if planned["metric"] in {"sensitivity", "specificity"}:
        suffix = INDEPENDENT if planned["test"] == CLUSTERED else ""
        lost = np.isnan(planned["difference"])
        return {
            METHODS[name] + suffix: np.where(lost, nan, mcnemar_p(planned["only_first"], planned["only_second"], name))
            for name in VARIANTS
            if METHODS[name] != planned["test"]
        }
    percentile = planned["test"].replace("normal", "percentile")
    return {percentile: planned["p_percentile"]} | _predictive(planned["metric"], decided, sides)


def _predictive(metric: str, decided: Decided, sides: Integers) -> dict[str, Floats]:
    found = [_compare(metric, decided, *pair) for pair in sides]
    tests = ("generalized_score", "weighted_generalized_score", "relative_predictive_value")
    by_test = {
        getattr(found[0], test).method: np.array([getattr(one, test).p for one in found], dtype=np.float64)
        for test in tests
    }
    # The logarithm of a value of 1 has no variance, and the ratio then looks certain.
    certain = np.array([max(one.first, one.second) == 1 for one in found])
    ratio = found[0].relative_predictive_value.method
    return by_test | {ratio: np.where(certain, nan, by_test[ratio])}


def _compare(metric: str, decided: Decided, first: int, second: int) -> Predictive:
    cases = decided.cases
    patients = cases.patients if cases.clusters.repeat else None
    table = cross_tabulate(cases.labels, decided.called[first], decided.called[second], patients)
    values = compare_tables(table)
    return values.ppv if metric == "ppv" else values.npv
