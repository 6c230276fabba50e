"""Likelihood ratios and odds ratios against epiR's epi.tests."""

from __future__ import annotations

from math import inf, isnan, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.decisions.likelihood_ratios import Ratio, diagnostic_odds_ratio, likelihood_ratios
from tests.evaluation.reference import golden_rows

COUNTS = st.integers(1, 500)


def numbers(ratio: Ratio) -> tuple[float, float, float]:
    return ratio.value, ratio.low, ratio.high


@pytest.mark.parametrize("row", golden_rows("discrimination/likelihood_ratios"))
def test_ratios_and_intervals_equal_epirs(row):
    table = row["tp"], row["fp"], row["fn"], row["tn"]
    expected = {
        name: tuple(row[name + end] for end in ("", "_low", "_high")) for name in ("positive", "negative", "odds")
    }

    found = likelihood_ratios(*table)

    assert numbers(found.positive) == pytest.approx(expected["positive"], rel=1e-10)
    assert numbers(found.negative) == pytest.approx(expected["negative"], rel=1e-10)
    assert numbers(diagnostic_odds_ratio(*table)) == pytest.approx(expected["odds"], rel=1e-10)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
@settings(max_examples=40, deadline=None)
def test_the_odds_ratio_is_the_ratio_of_the_likelihood_ratios(tp, fp, fn, tn):
    found = likelihood_ratios(tp, fp, fn, tn)

    assert diagnostic_odds_ratio(tp, fp, fn, tn).value == pytest.approx(found.positive.value / found.negative.value)
    assert found.positive.low < found.positive.value < found.positive.high


@given(COUNTS, COUNTS, COUNTS, COUNTS)
@settings(max_examples=40, deadline=None)
def test_swapping_the_classes_inverts_a_ratio_and_its_interval(tp, fp, fn, tn):
    forth, back = likelihood_ratios(tp, fp, fn, tn).positive, likelihood_ratios(fp, tp, tn, fn).positive

    assert (back.value, back.low, back.high) == pytest.approx((1 / forth.value, 1 / forth.high, 1 / forth.low))


@pytest.mark.parametrize(
    ("table", "value", "flag"),
    [
        ((5, 0, 3, 9), inf, "no negative is called positive"),
        ((0, 4, 3, 9), 0, "no positive is called positive"),
        ((0, 0, 3, 9), nan, "nobody is called positive"),
    ],
)
def test_empty_cells_give_extremes_without_interval(table, value, flag):
    found = likelihood_ratios(*table).positive

    assert found.value == pytest.approx(value, nan_ok=True)
    assert (isnan(found.low), isnan(found.high), found.flag) == (True, True, flag)


def test_a_negative_ratio_of_zero_or_infinity_is_flagged_too():
    assert likelihood_ratios(5, 2, 0, 9).negative == pytest.approx(likelihood_ratios(5, 2, 0, 9).negative)
    assert likelihood_ratios(5, 2, 0, 9).negative.flag == "no positive is called negative"
    assert likelihood_ratios(5, 9, 3, 0).negative.value == inf


def test_a_test_that_calls_everybody_positive_has_a_ratio_of_one_without_variance():
    found = likelihood_ratios(5, 9, 0, 0).positive

    assert (*numbers(found), found.flag) == (1, 1, 1, "zero variance")


def test_one_class_has_no_ratio():
    found = likelihood_ratios(5, 0, 3, 0)

    assert (found.positive.flag, found.negative.flag) == ("one class", "one class")
    assert isnan(found.positive.value)
    assert diagnostic_odds_ratio(5, 0, 3, 0).flag == "one class"


def test_an_odds_ratio_with_an_empty_cell_gets_no_half():
    assert diagnostic_odds_ratio(5, 0, 3, 9).value == inf
    assert diagnostic_odds_ratio(0, 2, 3, 9).value == 0
    assert isnan(diagnostic_odds_ratio(5, 9, 0, 0).value)
    assert diagnostic_odds_ratio(5, 0, 3, 9).flag == "empty cell"


def test_negative_counts_are_refused():
    with pytest.raises(ValueError, match="must not be negative, got tp 1, fp -2"):
        likelihood_ratios(1, -2, 3, 4)
    with pytest.raises(ValueError, match="must not be negative"):
        diagnostic_odds_ratio(1, 2, 3, -4)
