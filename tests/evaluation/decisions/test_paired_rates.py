"""Differences of paired proportions against R's roots of the score, PropCIs and by hand."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.decisions.mcnemar import mcnemar_p, per_patient
from evaluation.decisions.paired_rates import (
    clustered_interval,
    paired_difference,
    paired_difference_clustered,
    tango_interval,
)
from evaluation.normal import Z95
from tests.evaluation.reference import golden, golden_rows

few = settings(max_examples=40, deadline=None)
tables = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200)).filter(any)


def test_tangos_interval_equals_the_roots_found_by_r():
    rows = golden("paired/tango")

    low, high = tango_interval(rows["only_first"], rows["only_second"], rows["total"])

    assert low == pytest.approx(rows["low"].to_numpy(), abs=1e-10)
    assert high == pytest.approx(rows["high"].to_numpy(), abs=1e-10)


@pytest.mark.parametrize("row", golden_rows("paired/propcis"))
def test_tangos_interval_equals_propcis_within_its_stopping_rule(row):
    found = paired_difference(row["only_first"], row["only_second"], row["total"])

    assert (found.low, found.high) == pytest.approx((row["low"], row["high"]), abs=2e-6)


def test_the_difference_of_the_seed_studys_specificities():
    found = paired_difference(38, 21, 475)

    assert found.difference == pytest.approx(429 / 475 - 412 / 475)
    assert (found.low, found.high) == pytest.approx((0.00422, 0.06871), abs=5e-6)
    assert (found.method, found.flag) == ("Tango score", "")


@pytest.mark.parametrize("total", [1, 10, 5000])
def test_without_discordant_cases_the_interval_has_a_closed_form(total):
    # q is 0, so (n d)^2 = z^2 n d (1 - d).
    bound = Z95**2 / (total + Z95**2)

    found = paired_difference(0, 0, total)

    assert (found.difference, found.low, found.high) == pytest.approx((0, -bound, bound), abs=1e-12)


@pytest.mark.parametrize("total", [1, 10, 5000])
def test_if_only_one_model_is_ever_right_the_interval_has_a_closed_form(total):
    # q is (1 - d) / 2, so (n - n d)^2 = z^2 n (1 - d^2).
    bound = (total - Z95**2) / (total + Z95**2)
    first, second = paired_difference(total, 0, total), paired_difference(0, total, total)

    assert (first.difference, first.low, first.high) == pytest.approx((1, bound, 1), abs=1e-12)
    assert (second.difference, second.low, second.high) == pytest.approx((-1, -1, -bound), abs=1e-12)


@pytest.mark.filterwarnings("error")
def test_no_cases_have_no_difference():
    found = paired_difference(0, 0, 0)

    assert all(isnan(value) for value in (found.difference, found.low, found.high))
    assert found.flag == "no cases"


@few
@given(table=tables)
def test_the_interval_leaves_out_zero_exactly_if_the_uncorrected_test_is_significant(table):
    only_first, only_second, concordant = table

    found = paired_difference(only_first, only_second, only_first + only_second + concordant)

    assert (found.low > 0 or found.high < 0) == (mcnemar_p(only_first, only_second, "chi2") < 0.05)


@few
@given(table=tables)
def test_swapping_the_models_turns_the_interval_around(table):
    only_first, only_second, concordant = table
    total = only_first + only_second + concordant
    forth, back = paired_difference(only_first, only_second, total), paired_difference(only_second, only_first, total)

    assert (back.difference, back.low, back.high) == (-forth.difference, -forth.high, -forth.low)
    assert -1 <= forth.low <= forth.difference <= forth.high <= 1


def test_more_discordant_cases_than_cases_are_refused():
    with pytest.raises(ValueError, match=r"at most the total, got 3 \+ 2 of 4"):
        tango_interval([1, 3], [1, 2], 4)


def test_a_count_below_zero_is_refused():
    with pytest.raises(ValueError, match="got -1"):
        paired_difference(-1, 2, 4)


def cases_of(row):
    cases = golden("paired/cases").filter(set=row["set"], label=row["class"])
    return cases["first"] == row["class"], cases["second"] == row["class"], cases["patient"]


@pytest.mark.parametrize("row", golden_rows("paired/clustered"), ids=lambda row: f"{row['set']}-{row['class']}")
def test_the_clustered_interval_equals_the_loops_written_in_r(row):
    low, high = row["difference"] - Z95 * row["se"], row["difference"] + Z95 * row["se"]

    found = paired_difference_clustered(*cases_of(row))

    assert found.difference == pytest.approx(row["difference"], rel=1e-12)
    assert (found.low, found.high) == pytest.approx((max(low, -1), min(high, 1)), rel=1e-12)
    assert found.method == "cluster-robust Wald (Obuchowski)"


def test_three_patients_give_the_standard_error_computed_by_hand():
    # Gaps 1 of 2, 0 of 1, -1 of 1: d = 0, sum of squares 2, se = sqrt(3/2 * 2) / 4.
    found = paired_difference_clustered([1, 1, 1, 0], [0, 1, 1, 1], ["a", "a", "b", "c"])

    assert (found.difference, found.low, found.high) == pytest.approx((0, -Z95 * 3**0.5 / 4, Z95 * 3**0.5 / 4))


def test_it_agrees_with_a_bootstrap_of_patients_where_the_images_alone_are_too_sure():
    rng = np.random.default_rng(8)
    patients = np.repeat(np.arange(150), 4)
    leaning = rng.normal(0, 0.4, 150)[patients]
    first, second = rng.random(600) < 0.6 + leaning, rng.random(600) < 0.5 - leaning

    found = paired_difference_clustered(first, second, patients)

    gaps = (first.astype(int) - second).reshape(150, 4).sum(axis=1)
    resampled = np.std(gaps[rng.integers(0, 150, (4000, 150))].sum(axis=1) / 600)
    assert (found.high - found.low) / (2 * Z95) == pytest.approx(resampled, rel=0.05)
    only_first, only_second = (first & ~second).sum(), (second & ~first).sum()
    alone = paired_difference(int(only_first), int(only_second), 600)
    assert alone.high - alone.low < 0.8 * (found.high - found.low)


def test_many_pairs_at_once_equal_each_pair_alone():
    rng = np.random.default_rng(5)
    right, patients = rng.random((5, 80)) < 0.7, rng.integers(0, 30, 80)
    sums, sizes = per_patient(right, patients)

    difference, low, high = clustered_interval(sums[0] - sums[1:], sizes)

    alone = [paired_difference_clustered(right[0], other, patients) for other in right[1:]]
    assert difference == pytest.approx([each.difference for each in alone])
    assert low == pytest.approx([each.low for each in alone])
    assert high == pytest.approx([each.high for each in alone])


def test_one_case_per_patient_gives_walds_interval():
    # n / (n - 1) times (b + c - (b - c)^2 / n) / n^2, with b = 9, c = 3 and n = 30.
    first, second = [1] * 9 + [0] * 3 + [1] * 18, [0] * 9 + [1] * 3 + [1] * 18

    found = paired_difference_clustered(first, second, range(30))

    half = Z95 * ((12 - 36 / 30) / 900 * 30 / 29) ** 0.5
    assert (found.low, found.high) == pytest.approx((0.2 - half, 0.2 + half), rel=1e-12)


def test_the_interval_stays_within_minus_one_and_one():
    found = paired_difference_clustered([1, 1, 1], [0, 0, 1], ["a", "b", "c"])

    assert found.high == 1


def test_equal_gaps_in_all_patients_are_flagged_as_zero_variance():
    found = paired_difference_clustered([1, 1, 1, 1], [1, 1, 1, 1], ["a", "a", "b", "c"])

    assert (found.difference, found.low, found.high, found.flag) == (0, 0, 0, "zero variance")


def test_equal_gaps_have_exactly_no_variance_despite_rounding():
    # 49 times 1 / 49 is not 1 in floating point.
    first, patients = np.tile(np.arange(49) == 0, 3), np.repeat(["a", "b", "c"], 49)

    found = paired_difference_clustered(first, np.zeros(147), patients)

    assert (found.low, found.high, found.flag) == (1 / 49, 1 / 49, "zero variance")


def test_patients_without_a_case_take_no_part():
    with_one, without = clustered_interval([1, 0, -1, 0], [2, 1, 1, 0]), clustered_interval([1, 0, -1], [2, 1, 1])

    assert with_one == without


def test_one_patient_has_a_difference_and_no_interval():
    found = paired_difference_clustered([1, 0], [0, 0], ["a", "a"])

    assert (found.difference, found.flag) == (0.5, "fewer than two patients")
    assert isnan(found.low)
    assert isnan(found.high)


@pytest.mark.filterwarnings("error")
def test_no_clustered_cases_have_no_difference():
    assert paired_difference_clustered([], [], []).flag == "no cases"
