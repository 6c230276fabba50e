"""Intervals of proportions against R's binom.test and prop.test, and what a printed proportion can stand for."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.decisions.proportions import (
    attainable,
    clopper_pearson,
    clopper_pearson_intervals,
    wilson,
    wilson_intervals,
)
from tests.evaluation.reference import golden, golden_rows

COUNTS = golden("discrimination/proportions")


@pytest.mark.parametrize("row", golden_rows("proportions"))
def test_the_interval_equals_binom_test(row):
    found = clopper_pearson(row["successes"], row["total"])

    assert found.value == row["successes"] / row["total"]
    assert (found.low, found.high) == pytest.approx((row["low"], row["high"]), abs=1e-12)


@pytest.mark.parametrize("row", COUNTS.rows(named=True))
def test_wilsons_interval_equals_prop_test(row):
    found = wilson(row["successes"], row["total"])

    assert found.value == row["successes"] / row["total"]
    assert (found.low, found.high) == pytest.approx((row["wilson_low"], row["wilson_high"]), abs=1e-12)


def test_vectors_of_counts_give_the_intervals_of_r():
    exact, score = (
        find(COUNTS["successes"], COUNTS["total"]) for find in (clopper_pearson_intervals, wilson_intervals)
    )

    for found, name in ((exact, "exact"), (score, "wilson")):
        assert found[0].tolist() == pytest.approx(COUNTS[f"{name}_low"].to_list(), abs=1e-12)
        assert found[1].tolist() == pytest.approx(COUNTS[f"{name}_high"].to_list(), abs=1e-12)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=20), st.data())
@settings(max_examples=40, deadline=None)
def test_a_vector_gives_what_its_counts_give_one_by_one(totals, data):
    successes = [data.draw(st.integers(0, total)) for total in totals]

    for of_many, of_one in ((clopper_pearson_intervals, clopper_pearson), (wilson_intervals, wilson)):
        low, high = of_many(successes, totals)
        single = [of_one(k, n) for k, n in zip(successes, totals, strict=True)]
        np.testing.assert_array_equal(low, [one.low for one in single])
        np.testing.assert_array_equal(high, [one.high for one in single])


@given(st.integers(1, 400), st.data())
@settings(max_examples=40, deadline=None)
def test_failures_have_the_mirrored_interval_within_zero_and_one(total, data):
    successes = data.draw(st.integers(0, total))

    for find in (clopper_pearson, wilson):
        found, mirrored = find(successes, total), find(total - successes, total)
        assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((found.low, found.high), abs=1e-12)
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_no_cases_give_nan():
    assert all(isnan(value) for find in (clopper_pearson, wilson) for value in find(0, 0))
    assert np.isnan([*clopper_pearson_intervals([0], [0]), *wilson_intervals([0], [0])]).all()


def test_more_successes_than_cases_are_refused():
    for find in (clopper_pearson, wilson):
        with pytest.raises(ValueError, match="4 of 3"):
            find(4, 3)


def test_vectors_that_are_no_counts_are_refused():
    for find in (clopper_pearson_intervals, wilson_intervals):
        with pytest.raises(ValueError, match="equally long vectors"):
            find([1, 2], [3])
        with pytest.raises(ValueError, match="whole numbers between 0 and total, got -1 of 3"):
            find([2, -1], [3, 3])
        with pytest.raises(ValueError, match=r"got 1\.5 of 3"):
            find([1.5], [3])


@pytest.mark.parametrize(
    ("printed", "total", "verdict"),
    [
        (".903", 268, "rounded"),
        (".903", 475, "rounded"),
        (".867", 475, "rounded"),
        (".840", 288, "rounded"),
        (".793", 305, "rounded"),
        (".914", 268, "rounded"),
        (".892", 268, "rounded"),
        (".798", 268, "truncated"),
        (".764", 268, "truncated"),
        (".902", 475, "unattainable"),
    ],
)
def test_the_rates_of_a_published_study_are_sorted_out(printed, total, verdict):
    assert attainable(printed, total).verdict == verdict


def test_the_counts_behind_a_printed_rate_are_named():
    # 214/268 = .79851, 242/268 = .90299
    assert (attainable(".798", 268).rounded, attainable(".798", 268).truncated) == ((), (214,))
    assert (attainable("0.903", 268).rounded, attainable("0.903", 268).truncated) == ((242,), ())


def test_a_count_halfway_fits_if_half_up_or_half_to_even_prints_it():
    # 99/200 = .495 and 101/200 = .505 are both printed .50 by half to even, .495 also by half up; 103/200 never .51
    assert attainable("0.50", 200).rounded == (99, 100, 101)
    assert attainable("0.51", 200).rounded == (101, 102)
    assert attainable("0.51", 200).truncated == (102, 103)


def test_the_digits_that_are_printed_count():
    assert attainable("0.90", 475).verdict == "rounded"
    assert attainable("0.902", 475).verdict == "unattainable"
    assert attainable(".9000", 268).verdict == "unattainable"


@given(st.integers(1, 300), st.integers(1, 4), st.data())
@settings(max_examples=100, deadline=None)
def test_it_finds_what_printing_every_count_finds(total, digits, data):
    unit = Decimal(1).scaleb(-digits)
    exact = Context(prec=60)
    number = data.draw(st.integers(0, 10**digits))
    printed = f"{Decimal(number).scaleb(-digits):.{digits}f}"

    def counts(*roundings: str) -> tuple[int, ...]:
        # 60 digits of k/total: exact at every tie, which has a short decimal expansion
        return tuple(
            k
            for k in range(total + 1)
            if any(exact.divide(Decimal(k), total).quantize(unit, how) == Decimal(printed) for how in roundings)
        )

    found = attainable(printed, total)

    assert found.rounded == counts(ROUND_HALF_UP, ROUND_HALF_EVEN)
    assert found.truncated == counts(ROUND_DOWN)


@pytest.mark.parametrize("printed", ["798", "1.2", "-.3", "79.8%", "", ".", "0,798", "nan"])
def test_text_that_is_no_proportion_is_refused(printed):
    with pytest.raises(ValueError, match="decimal from 0 to 1"):
        attainable(printed, 268)


def test_a_printed_proportion_of_nobody_is_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        attainable(".5", 0)
