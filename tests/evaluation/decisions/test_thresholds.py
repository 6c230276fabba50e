"""Operating points by hand and against pROC's coords."""

from __future__ import annotations

from math import inf, isnan

import pytest

from evaluation.decisions.thresholds import choose_threshold, operating_point, rule_name
from search_spaces.study import SensitivityAtLeast, SpecificityAtLeast
from tests.evaluation.reference import case_sets, golden_rows

RULES = {
    "sensitivity>=0.90": SensitivityAtLeast(sensitivity=0.9),
    "specificity>=0.90": SpecificityAtLeast(specificity=0.9),
    "youden": "youden",
}


@pytest.mark.parametrize("row", golden_rows("points"), ids=lambda row: f"{row['set']}-{row['rule']}")
def test_counts_at_the_chosen_threshold_equal_procs(row):
    cases = case_sets()[row["set"]]

    threshold = choose_threshold(cases["label"], cases["first"], RULES[row["rule"]])
    point = operating_point(cases["label"], cases["first"], threshold)

    assert (point.tp, point.fp, point.fn, point.tn) == (row["tp"], row["fp"], row["fn"], row["tn"])


def test_a_score_equal_to_the_threshold_is_positive():
    point = operating_point([1, 0, 1, 0], [0.5, 0.5, 0.4, 0.4], 0.5)

    assert (point.tp, point.fp, point.fn, point.tn) == (1, 1, 1, 1)


def test_exactly_nine_of_ten_reaches_ninety_percent():
    labels, scores = [1] * 10 + [0] * 10, [*range(10, 20), *range(10)]

    assert choose_threshold(labels, scores, RULES["sensitivity>=0.90"]) == 11
    assert choose_threshold(labels, scores, RULES["specificity>=0.90"]) == 9


def test_a_specificity_that_only_nobody_reaches_gives_an_infinite_threshold():
    threshold = choose_threshold([1, 0], [0.3, 0.7], RULES["specificity>=0.90"])
    point = operating_point([1, 0], [0.3, 0.7], threshold)

    assert threshold == inf
    assert (point.tp, point.fp, point.fn, point.tn) == (0, 0, 1, 1)
    assert isnan(point.ppv.value)
    assert point.npv.value == 0.5


def test_equally_good_youden_points_give_the_more_sensitive_one():
    assert choose_threshold([1, 0, 1, 0], [4, 3, 2, 1], "youden") == 2


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (SensitivityAtLeast(sensitivity=0.9), "sensitivity>=0.90"),
        (SpecificityAtLeast(specificity=0.975), "specificity>=0.975"),
        ("youden", "youden"),
    ],
)
def test_rules_are_named_as_in_the_report(rule, name):
    assert rule_name(rule) == name


def test_a_single_class_can_be_counted_but_not_choose_a_threshold():
    assert operating_point([1, 1], [0.2, 0.8], 0.5).sensitivity.value == 0.5
    assert isnan(operating_point([1, 1], [0.2, 0.8], 0.5).specificity.low)
    with pytest.raises(ValueError, match="both classes"):
        choose_threshold([1, 1], [0.2, 0.8], "youden")
