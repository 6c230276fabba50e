"""Two AUCs of different patients against pROC's unpaired test."""

from __future__ import annotations

from math import inf, isnan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evaluation.discrimination.unpaired import unpaired_difference
from tests.evaluation.reference import case_sets, golden, golden_rows

GOLDEN = "discrimination/unpaired"


@pytest.mark.parametrize("row", golden_rows(GOLDEN), ids=lambda row: f"{row['set_first']}-{row['set_second']}")
def test_statistic_df_and_p_equal_procs(row):
    first, second = case_sets()[row["set_first"]], case_sets()[row["set_second"]]

    found = unpaired_difference(first["label"], first[row["score_first"]], second["label"], second[row["score_second"]])

    assert (found.statistic, found.df) == pytest.approx((row["statistic"], row["df"]), rel=1e-10)
    assert (found.p, found.se) == pytest.approx((row["p"], row["se"]), rel=1e-9)


@pytest.mark.parametrize("row", golden_rows(f"{GOLDEN}_asah"), ids=lambda row: row["score"])
def test_men_and_women_of_asah_compare_as_in_proc(row):
    asah, is_male = golden("asah"), golden("discrimination/asah_gender")["male"] == 1
    men, women = asah.filter(is_male), asah.filter(~is_male)

    found = unpaired_difference(men["label"], men[row["score"]], women["label"], women[row["score"]])

    assert (found.statistic, found.df, found.p) == pytest.approx((row["statistic"], row["df"], row["p"]), rel=1e-9)
    assert found.method == "unpaired DeLong, t with Welch's df"


def test_the_interval_is_that_of_the_same_t():
    cases = case_sets()
    found = unpaired_difference(
        cases["tiny"]["label"], cases["tiny"]["second"], cases["tied"]["label"], cases["tied"]["first"]
    )

    half = stats.t.ppf(0.975, found.df) * found.se

    assert (found.low, found.high) == pytest.approx((found.difference - half, found.difference + half), rel=1e-10)
    assert half > 1.97 * found.se


def test_repeated_patients_get_obuchowskis_variance_and_a_normal_test():
    groups = {str(part["set"][0]): part for part in golden("clusters").partition_by("set")}
    variances = {row["set"]: row for row in golden_rows("clustered")}
    tiny, larger = groups["tiny"], groups["larger"]
    patients = [f"x{patient}" for patient in tiny["patient"]], larger["patient"]

    found = unpaired_difference(tiny["label"], tiny["first"], larger["label"], larger["first"], *patients)

    se = sqrt(variances["tiny"]["variance_first"] + variances["larger"]["variance_first"])
    gap = variances["tiny"]["auc_first"] - variances["larger"]["auc_first"]
    assert (found.statistic, found.p) == pytest.approx((gap / se, 2 * stats.norm.sf(abs(gap / se))), rel=1e-10)
    assert (found.low, found.df) == (pytest.approx(gap - stats.norm.ppf(0.975) * se), inf)
    assert found.method == "unpaired, clustered (Obuchowski), normal"


def test_patients_without_repeats_leave_the_t_test():
    found = unpaired_difference([1, 0, 1, 0], [4, 3, 2, 1], [1, 0, 1, 0], [1, 3, 4, 2], list("abcd"), list("efgh"))

    assert found.method == "unpaired DeLong, t with Welch's df"


def test_a_patient_in_both_groups_is_refused():
    with pytest.raises(ValueError, match=r"both groups hold patient 'd' \(1 are shared\)"):
        unpaired_difference([1, 0, 1, 0], [4, 3, 2, 1], [1, 0], [2, 1], list("abcd"), list("de"))


def test_two_perfect_areas_are_equal_and_flagged():
    found = unpaired_difference([0, 0, 1, 1], [1, 2, 3, 4], [0, 0, 1, 1], [1, 2, 3, 4])

    assert (found.difference, found.statistic, found.p, found.low, found.high) == (0, 0, 1, 0, 0)
    assert found.flag == "first: zero variance; second: zero variance"


def test_a_difference_without_variance_is_infinite_and_flagged():
    found = unpaired_difference([0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 1, 1], [1, 2, 3, 4])

    assert (found.difference, found.statistic, found.p, found.low) == (-0.5, -inf, 0, -0.5)
    assert "zero variance" in found.flag


def test_one_positive_has_a_difference_but_no_test():
    found = unpaired_difference([1, 0, 0], [2, 1, 3], [1, 1, 0, 0], [4, 2, 3, 1])

    assert (found.difference, found.flag) == (-0.25, "first: one positive")
    assert all(isnan(value) for value in (found.se, found.low, found.high, found.statistic, found.df, found.p))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_swapping_the_groups_turns_the_sign_and_ranks_are_all_that_counts(seed):
    rng = np.random.default_rng(seed)
    labels, others = [1, 0] * 6, [1, 0, 0] * 5
    first, second = rng.integers(0, 6, 12), rng.integers(0, 6, 15)
    forth = unpaired_difference(labels, first, others, second)
    back = unpaired_difference(others, np.exp(second), labels, first)

    assert (back.difference, back.low, back.statistic) == (-forth.difference, -forth.high, -forth.statistic)
    assert back.p == forth.p
