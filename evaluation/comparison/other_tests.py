"""Planned pairs by the tests that the plan does not name, so that a published variant can be looked up."""

from __future__ import annotations

import numpy as np

from evaluation.arrays import Floats, Integers
from evaluation.comparison.paired import Columns, Decided
from evaluation.mcnemar import METHODS, VARIANTS, mcnemar_p
from evaluation.predictive_values import Predictive, compare_tables, cross_tabulate


def other_tests(planned: Columns, decided: Decided, sides: Integers) -> dict[str, Floats]:
    """P-values of one metric by each other test: McNemar's variants, or the tests of predictive values."""
    if planned["metric"] in {"sensitivity", "specificity"}:
        counts = planned["only_first"], planned["only_second"]
        return {METHODS[name]: mcnemar_p(*counts, name) for name in VARIANTS if METHODS[name] != planned["test"]}
    return _predictive(planned["metric"], decided, sides)


def _predictive(metric: str, decided: Decided, sides: Integers) -> dict[str, Floats]:
    found = [_compare(metric, decided, *pair) for pair in sides]
    tests = ("generalized_score", "weighted_generalized_score", "relative_predictive_value")
    return {
        getattr(found[0], test).method: np.array([getattr(one, test).p for one in found], dtype=np.float64)
        for test in tests
    }


def _compare(metric: str, decided: Decided, first: int, second: int) -> Predictive:
    cases = decided.cases
    patients = cases.patients if cases.clusters.repeat else None
    table = cross_tabulate(cases.labels, decided.called[first], decided.called[second], patients)
    values = compare_tables(table)
    return values.ppv if metric == "ppv" else values.npv
