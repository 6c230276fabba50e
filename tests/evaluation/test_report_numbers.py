"""Numbers as they are printed."""

from __future__ import annotations

from math import inf, nan

import pytest

from evaluation.report import numbers


def test_an_estimate_has_three_decimals_and_an_en_dash() -> None:
    assert numbers.estimate(0.7384, 0.714, 0.762) == "0.738 (0.714–0.762)"


@pytest.mark.parametrize(("value", "text"), [(0.069, "+0.069"), (-0.0126, "−0.013"), (-0.0001, "0.000"), (nan, "–")])
def test_a_difference_has_a_sign_unless_it_rounds_to_zero(value: float, text: str) -> None:
    assert numbers.signed(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.00099, "<0.001"), (0.001, "0.001"), (0.0374, "0.037"), (1.0, "1.000")])
def test_small_p_values_are_bounded(value: float, text: str) -> None:
    assert numbers.p_value(value) == text


def test_p_reads_as_an_equation_inside_a_sentence() -> None:
    assert (numbers.p_equation(0.0002), numbers.p_equation(0.53)) == ("p\u00a0<\u00a00.001", "p\u00a0=\u00a00.530")


@pytest.mark.parametrize(
    "show",
    [
        numbers.fraction,
        numbers.signed,
        numbers.p_value,
        numbers.count,
        numbers.threshold,
        numbers.plain,
        numbers.percent,
    ],
)
def test_what_is_missing_is_a_dash(show: object) -> None:
    assert callable(show)
    assert [show(value) for value in (None, nan)] == ["–", "–"]


@pytest.mark.parametrize(("value", "text"), [(0.41373, "0.4137"), (inf, "∞"), (-inf, "−∞")])
def test_thresholds_have_four_decimals_or_are_infinite(value: float, text: str) -> None:
    assert numbers.threshold(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0"), (85.04, "85.0 s"), (5400, "90 min"), (32000, "8.9 h")])
def test_durations_come_in_the_unit_a_person_would_use(seconds: float, text: str) -> None:
    assert numbers.duration(seconds) == text


def test_nouns_follow_their_number() -> None:
    assert (numbers.plural(1, "cell"), numbers.plural(0, "cell")) == ("1 cell", "0 cells")


@pytest.mark.parametrize(("value", "text"), [(1.3062, "1.306"), (-0.12, "−0.120"), (inf, "∞"), (-inf, "−∞")])
def test_any_number_has_a_true_minus_and_an_infinity_sign(value: float, text: str) -> None:
    assert numbers.plain(value) == text


def test_bounds_below_zero_are_joined_by_a_word() -> None:
    assert (numbers.bounds(0.5, 1.25, 2), numbers.bounds(-0.5, 1.25, 2)) == ("0.50–1.25", "−0.50 to 1.25")
    assert numbers.bounds(nan, 1.0) == "–"


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, "10%"), (0.125, "12.5%"), (0.00863, "0.9%"), (0.0, "0%"), (1.0, "100%")]
)
def test_shares_in_percent_have_a_decimal_only_where_there_is_one(value: float, text: str) -> None:
    assert numbers.percent(value) == text
