"""Intraclass correlations, kappa and Friedman's test against R, by hand and in degenerate cases."""

from __future__ import annotations

from math import isnan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from evaluation.readers.agreement import cohen_kappa, friedman, intraclass
from tests.evaluation.reference import golden, golden_rows

MODELS = ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)")
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
"""The six targets and four judges of Shrout & Fleiss (1979), table 2."""


def matrix(name, of_set, column):
    rows = golden(f"robustness/{name}").filter(set=of_set)
    return rows["value"].to_numpy().reshape(rows[column].max(), -1).T


@pytest.mark.parametrize("row", golden_rows("robustness/intraclass"), ids=lambda row: f"{row['set']}-{row['model']}")
def test_intraclass_correlations_and_their_intervals_equal_psych(row):
    found = intraclass(matrix("ratings", row["set"], "rater"), f"ICC({row['model'][-1]},1)")

    assert (found.value, found.low, found.high) == pytest.approx((row["value"], row["low"], row["high"]), abs=1e-10)


@pytest.mark.parametrize(("model", "value"), [("ICC(1,1)", 0.17), ("ICC(2,1)", 0.29), ("ICC(3,1)", 0.71)])
def test_the_published_example_is_reproduced(model, value):
    assert intraclass(SHROUT_FLEISS, model).value == pytest.approx(value, abs=0.005)


def test_a_rater_who_is_always_higher_is_consistent_but_does_not_agree():
    ratings = [[1, 3], [2, 4], [4, 6], [5, 7]]

    consistency, agreement = intraclass(ratings), intraclass(ratings, "ICC(2,1)")

    assert (consistency.value, consistency.low, consistency.high, consistency.flag) == (1, 1, 1, "zero variance")
    # Mean squares: cases 20/3, raters 8, error 0; (20/3) / (20/3 + 2 * 8 / 4).
    assert agreement.value == pytest.approx(20 / 32)
    assert agreement.low < agreement.value < agreement.high
    assert agreement.flag == ""


@pytest.mark.parametrize("model", MODELS)
def test_constant_ratings_have_no_correlation(model):
    found = intraclass([[0.1, 0.1, 0.1]] * 7, model)

    assert all(isnan(value) for value in (found.value, found.low, found.high))
    assert found.flag == "cases do not differ"


@pytest.mark.parametrize("ratings", [[[1, 2], [2, 1]], [[1, 2, 3], [1, 2, 3]]])
def test_cases_of_the_same_mean_have_no_absolute_agreement(ratings):
    found = intraclass(ratings, "ICC(2,1)")

    assert isnan(found.value)
    assert found.flag == "cases do not differ"


@pytest.mark.parametrize("model", MODELS)
def test_identical_ratings_agree_without_variance(model):
    found = intraclass([[0.1, 0.1], [0.2, 0.2], [0.7, 0.7]], model)

    assert (found.value, found.low, found.high, found.flag) == (1, 1, 1, "zero variance")


@pytest.mark.parametrize(("ratings", "flag"), [([[1, 2, 3]], "one case"), ([[1], [2], [3]], "one rating")])
def test_one_case_or_one_rating_has_no_correlation(ratings, flag):
    found = intraclass(ratings)

    assert isnan(found.value)
    assert found.flag == flag


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(MODELS))
def test_shifting_scaling_and_reordering_ratings_changes_no_correlation(seed, model):
    rng = np.random.default_rng(seed)
    ratings = rng.normal(size=(12, 3)) + rng.normal(size=(12, 1))

    found = intraclass(ratings, model)
    changed = intraclass(3 - 2 * ratings, model)
    turned = intraclass(rng.permutation(ratings)[:, rng.permutation(3)], model)

    assert changed.value == pytest.approx(found.value)
    assert (turned.value, turned.low, turned.high) == pytest.approx((found.value, found.low, found.high))


@pytest.mark.parametrize("row", golden_rows("robustness/kappas"), ids=lambda row: f"{row['set']}-{row['weights']}")
def test_kappa_equals_psych_and_its_error_the_delta_method(row):
    graded = golden("robustness/graded").filter(set=row["set"])

    found = cohen_kappa(graded["first"], graded["second"], row["weights"])

    assert found.value == pytest.approx(row["value"], abs=1e-12)
    assert found.se == pytest.approx(sqrt(row["variance"]), rel=1e-6)
    if row["weights"] == "none":
        assert found.se == pytest.approx(sqrt(row["psych_variance"]), rel=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=30), st.booleans())
def test_kappa_equals_scikit_learns(pairs, squared):
    first, second = np.array(pairs).T
    weights = "quadratic" if squared else "linear"

    found = cohen_kappa(first, second, weights)

    # With sorted categories a distance is one of ranks, as in scikit-learn.
    if np.unique(np.array(pairs)).size > 1:
        assert found.value == pytest.approx(cohen_kappa_score(first, second, weights=weights), abs=1e-12)
        assert -1 <= found.low <= found.value <= found.high <= 1
    assert cohen_kappa(second, first, weights).value == pytest.approx(found.value, abs=1e-12, nan_ok=True)


def test_a_two_by_two_kappa_equals_the_hand_calculation():
    # 20 both yes, 5 + 10 apart, 15 both no: observed .7, expected .5 * .6 + .5 * .4 = .5.
    found = cohen_kappa(["y"] * 25 + ["n"] * 25, ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15)

    assert found.value == pytest.approx(0.4)


def test_an_unused_category_counts_in_the_distances():
    without = cohen_kappa([1, 2, 3, 3], [1, 3, 3, 2], "linear")
    within = cohen_kappa([1, 2, 9, 9], [1, 9, 9, 2], "linear", categories=[1, 2, 5, 9])

    assert without.value != pytest.approx(within.value)
    # In thirds of the largest distance: observed two disagreements of 2/3 among four cases.
    distance = np.abs(np.subtract.outer([0, 1, 3, 3], [0, 1, 3, 3])) / 3
    assert within.value == pytest.approx(1 - (4 / 12) / distance.mean())


def test_raters_who_know_one_category_have_no_kappa():
    found = cohen_kappa([1, 1, 1], [1, 1, 1])

    assert isnan(found.value)
    assert found.flag == "ratings do not vary"


def test_perfect_agreement_is_flagged_as_zero_variance():
    found = cohen_kappa([1, 2, 3, 1], [1, 2, 3, 1], "quadratic")

    assert (found.value, found.se, found.low, found.high, found.flag) == (1, 0, 1, 1, "zero variance")


@pytest.mark.parametrize("row", golden_rows("robustness/friedman"), ids=lambda row: row["set"])
def test_friedmans_test_equals_rs(row):
    found = friedman(matrix("treated", row["set"], "treatment"))

    assert (found.statistic, found.p) == pytest.approx((row["statistic"], row["p"]), rel=1e-10)
    assert found.flag == ("fewer than 10 cases" if row["set"] == "few" else "")


@pytest.mark.parametrize(
    ("ratings", "flag"),
    [
        ([[1, 2], [2, 3]], "fewer than three treatments"),
        ([[1, 2, 3]], "one case"),
        ([[1, 1, 1], [2, 2, 2]], "ratings do not vary"),
    ],
)
def test_friedmans_test_is_left_open_where_it_says_nothing(ratings, flag):
    found = friedman(ratings)

    assert isnan(found.p)
    assert found.flag == flag


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: intraclass([1, 2]), r"ratings must be a matrix .* got shape \(2,\)"),
        (lambda: intraclass([[1, float("nan")]]), "ratings must be a matrix of finite numbers"),
        (lambda: intraclass([[1, 2]], "ICC(3,k)"), r"model must be one of ICC\(1,1\), .*, got 'ICC\(3,k\)'"),
        (lambda: friedman([[1, float("inf"), 2]]), "ratings must be a matrix of finite numbers"),
        (lambda: cohen_kappa([1, 2], [1]), "equally long vectors"),
        (lambda: cohen_kappa([], []), "equally long vectors of cases"),
        (lambda: cohen_kappa([1.0, float("nan")], [1, 2]), "1 ratings are NaN"),
        (lambda: cohen_kappa([1, 7], [1, 2], categories=[1, 2]), "rating .*7.* is none of the categories 1, 2"),
        (lambda: cohen_kappa([1, 2], [1, 2], "cubic"), "weights must be one of none, linear, quadratic, got 'cubic'"),
    ],
)
def test_wrong_input_is_refused_with_its_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
