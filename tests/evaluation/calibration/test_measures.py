"""Calibration against R (glm, loess, rms::val.prob), by hand, and where it cannot be estimated."""

from __future__ import annotations

from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from evaluation.calibration.measures import Calibration, attainable_points, calibration, logits_of
from tests.evaluation.reference import golden, golden_rows

ROWS = golden_rows("calibration/calibration")
FITTED = [row for row in ROWS if row["set"] not in ("perfect", "constant")]


def of_set(name: str, smoother: str = "loess") -> Calibration:
    cases = golden("calibration/cases").filter(set=name)
    return calibration(cases["label"], cases["logit"], smoother=smoother)


def drawn(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=n)
    labels = rng.integers(0, 2, n)
    labels[:4] = [0, 1, 0, 1]
    logits[:4] = [-0.5, -1, 1, 0.5]
    return labels, logits


@pytest.mark.parametrize("row", FITTED, ids=lambda row: row["set"])
def test_slope_and_intercepts_equal_rs_converged_glm(row):
    found = of_set(row["set"])

    assert found.slope[:2] == pytest.approx((row["slope"], row["slope_se"]), rel=1e-10)
    assert found.intercept[:2] == pytest.approx((row["intercept"], row["intercept_se"]), rel=1e-9)
    assert found.slope.value == pytest.approx(row["slope_rms"], rel=1e-6)
    assert found.slope.high == pytest.approx(row["slope"] + 1.959963984540054 * row["slope_se"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["set"])
def test_calibration_in_the_large_equals_rs_offset_model(row):
    found = of_set(row["set"]).calibration_in_the_large

    assert found[:2] == pytest.approx((row["large"], row["large_se"]), rel=1e-10)
    assert found.low == pytest.approx(row["large"] - 1.959963984540054 * row["large_se"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["set"])
def test_brier_and_observed_to_expected_equal_r(row):
    found = of_set(row["set"])

    assert found.brier == pytest.approx(row["brier_rms"], rel=1e-12)
    ratio = found.observed_expected
    expected = (row["ratio"], row["ratio_low"], row["ratio_high"])
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("row", [row for row in ROWS if row["set"] != "constant"], ids=lambda row: row["set"])
def test_ici_by_loess_equals_rs_loess(row):
    found = of_set(row["set"])

    assert found.smoother == "loess span .75"
    assert (found.ici, found.e50, found.e90) == pytest.approx((row["ici"], row["e50"], row["e90"]), rel=1e-10)


@pytest.mark.parametrize("row", [row for row in ROWS if row["set"] != "constant"], ids=lambda row: row["set"])
def test_ici_by_lowess_and_spiegelhalters_z_equal_rms(row):
    found = of_set(row["set"], "lowess")

    assert found.smoother == "lowess span 2/3"
    assert (found.ici, found.e90) == pytest.approx((row["ici_rms"], row["e90_rms"]), rel=1e-6)
    assert (found.spiegelhalter_z, found.spiegelhalter_p) == pytest.approx((row["z_rms"], row["p_rms"]), rel=1e-10)


def test_slope_equals_statsmodels_glm():
    labels, logits = drawn(8, 500)
    model = GLM(labels, np.column_stack([np.ones(500), logits]), family=Binomial()).fit(tol=1e-15, maxiter=100)

    found = calibration(labels, logits)

    assert (found.intercept.value, found.slope.value) == pytest.approx(tuple(model.params), rel=1e-10)


def test_repeated_patients_take_the_sandwich_of_sums_per_patient():
    row = golden_rows("calibration/several")[0]
    cases = golden("calibration/cases").filter(set="several")

    found = calibration(cases["label"], cases["logit"], cases["patient"])

    assert found.method == "logistic regression, Wald intervals from sums per patient (sandwich)"
    assert found.slope == pytest.approx((of_set("several").slope.value, row["slope_se"], *found.slope[2:]), rel=1e-9)
    assert found.intercept.se == pytest.approx(row["intercept_se"], rel=1e-9)
    assert found.calibration_in_the_large.se == pytest.approx(row["large_se"], rel=1e-9)
    ratio = found.observed_expected
    assert np.log(ratio.high / ratio.value) == pytest.approx(1.959963984540054 * row["log_ratio_se"], rel=1e-9)
    assert found.spiegelhalter_z == pytest.approx(row["z"], rel=1e-9)


def test_patients_with_one_image_each_change_nothing():
    labels, logits = drawn(2)

    assert calibration(labels, logits, np.arange(60)) == calibration(labels, logits)


def test_four_cases_by_hand():
    # p = .25, .75, .75, .25 with labels 0, 1, 0, 1: Brier (2 * .0625 + 2 * .5625) / 4; prevalence and mean p are .5.
    found = calibration([0, 1, 0, 1], np.log([1 / 3, 3, 3, 1 / 3]))

    assert (found.brier, found.brier_scaled) == pytest.approx((0.3125, -0.25))
    assert found.observed_expected.value == pytest.approx(1)
    assert (found.slope.value, found.calibration_in_the_large.value) == pytest.approx((0, 0), abs=1e-12)
    # z = sum (y - p)(1 - 2p) = 2 (-.125) + 2 (.375) over sqrt(4 * .25 * .1875)
    assert found.spiegelhalter_z == pytest.approx(0.5 / 0.1875**0.5)


def test_perfect_separation_has_no_slope_and_says_so():
    found = of_set("perfect")

    assert found.flag == "perfect separation"
    assert all(isnan(value) for value in (*found.slope, *found.intercept))


def test_classes_that_only_touch_have_no_slope_either():
    found = calibration([0, 0, 0, 1, 1], [-2, -1, 0, 0, 1])

    assert "perfect separation" in found.flag
    assert isnan(found.slope.value)


def test_a_constant_score_keeps_what_needs_no_spread():
    found = of_set("constant")

    assert found.flag == "constant score"
    assert isnan(found.slope.value)
    assert isnan(found.ici)
    assert found.calibration_in_the_large.value == pytest.approx(np.log(1 / 3) + 0.7)


def test_predictions_of_exactly_zero_or_one_leave_brier_and_ici():
    rng = np.random.default_rng(0)
    logits = np.append(rng.normal(size=60), [-inf, inf, inf])
    labels = np.append(rng.integers(0, 2, 60), [0, 1, 0])

    found = calibration(labels, logits)

    assert found.flag == "infinite logits: 3"
    assert all(isnan(value) for value in (*found.slope, *found.calibration_in_the_large))
    assert found.brier == pytest.approx(np.mean((expit(logits) - labels) ** 2))
    assert found.ici > 0


def test_saturated_predictions_do_not_place_the_calibration_in_the_large():
    found = calibration([0, 0, 1, 1], [-800, -900, 900, 800])

    assert isnan(found.calibration_in_the_large.value)
    assert "saturated predictions" in found.flag


def test_huge_logits_have_the_slope_of_the_same_logits_made_small():
    labels, logits = drawn(5)

    huge, plain = calibration(labels, 1e4 * logits), calibration(labels, logits)

    assert huge.slope.value * 1e4 == pytest.approx(plain.slope.value, rel=1e-9)


def test_one_positive_has_a_slope_without_error():
    found = calibration([1, 0, 0, 0], [0.5, 0.4, 0.9, -1.0])

    assert "one positive" in found.flag
    assert not isnan(found.slope.value)
    assert all(isnan(part.se) for part in (found.slope, found.calibration_in_the_large, found.observed_expected))


def test_a_class_from_one_patient_has_no_error():
    found = calibration([1, 1, 0, 0, 0], [0.5, 0.1, 0.9, -1.0, 0.3], ["a", "a", "b", "c", "d"])

    assert "one patient in a class" in found.flag
    assert isnan(found.slope.se)


def test_one_patient_alone_leaves_estimates_without_error_or_test():
    found = calibration([1, 0, 1, 0, 0], [0.5, 0.7, 0.9, -1.0, 0.3], ["a"] * 5)

    assert isnan(found.observed_expected.low)
    assert isnan(found.spiegelhalter_z)
    assert found.observed_expected.value > 0


def test_predictions_of_one_half_have_no_z():
    found = calibration([0, 1, 1, 0], [0.0] * 4)

    assert found.flag == "constant score; no variance of Spiegelhalter's z"
    assert isnan(found.spiegelhalter_p)


@pytest.mark.parametrize(
    ("distinct", "flag"), [(6, "6 distinct probabilities"), (9, "9 distinct probabilities"), (10, "")]
)
def test_fewer_than_ten_distinct_probabilities_are_flagged(distinct, flag):
    labels = np.random.default_rng(1).integers(0, 2, 90)

    found = calibration(labels, np.arange(90.0) % distinct - 2)

    assert found.flag == flag
    assert found.ici > 0


@pytest.mark.parametrize(
    ("labels", "logits", "message"),
    [
        ([1, 1], [0.2, 0.4], "both classes are needed"),
        ([1, 0], [0.2, nan], "1 of 2 scores are NaN"),
        ([1, 2, 0], [0.2, 0.1, 0.3], "third label"),
        ([1, 0], [0.2], "equally long"),
    ],
)
def test_wrong_input_is_named(labels, logits, message):
    with pytest.raises(ValueError, match=message):
        calibration(labels, logits)


def test_an_unknown_smoother_and_unequal_patients_are_named():
    with pytest.raises(ValueError, match="unknown smoother 'spline'; known: loess, lowess"):
        calibration([1, 0], [0.2, 0.4], smoother="spline")
    with pytest.raises(ValueError, match="equally long"):
        calibration([1, 0], [0.2, 0.4], patients=["a"])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(-2, 2), st.floats(0.2, 3))
def test_rescaled_logits_rescale_slope_and_shift_the_large(seed, shift, factor):
    labels, logits = drawn(seed)

    found, moved = calibration(labels, logits), calibration(labels, logits + shift)
    stretched = calibration(labels, logits * factor)

    assert stretched.slope.value * factor == pytest.approx(found.slope.value, abs=1e-9)
    expected = found.calibration_in_the_large.value - shift
    assert moved.calibration_in_the_large.value == pytest.approx(expected, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_order_of_the_cases_does_not_matter(seed):
    labels, logits = drawn(seed)
    order = np.random.default_rng(seed).permutation(60)
    patients = np.arange(60) // 2

    found, shuffled = calibration(labels, logits, patients), calibration(labels[order], logits[order], patients[order])

    assert shuffled.slope == pytest.approx(found.slope, abs=1e-9)
    assert (shuffled.ici, shuffled.spiegelhalter_z) == pytest.approx((found.ici, found.spiegelhalter_z), abs=1e-9)


def test_a_case_without_logit_enters_at_the_floor():
    filled, at_floor = logits_of([0.0, 0.9, 0.3, 1.0, 0.01, 0.0], [nan, 2.5, nan, nan, nan, -9.0], floor=0.01)

    assert filled == pytest.approx([-np.log(99), 2.5, np.log(3 / 7), np.log(99), -np.log(99), -9])
    assert at_floor == 2


@pytest.mark.parametrize(
    ("scores", "logits", "floor", "message"),
    [
        ([0.2, 1.2], [nan, nan], 0.01, r"scores must lie in \[0, 1\], found 1.2"),
        ([0.2, nan], [nan, 1.0], 0.01, r"scores must lie in \[0, 1\], found nan"),
        ([0.2], [nan, 1.0], 0.01, "equally long"),
        ([0.2], [nan], 0.0, "floor must lie between 0 and .5, got 0.0"),
        ([0.2], [nan], 0.5, "floor must lie between 0 and .5, got 0.5"),
    ],
)
def test_logits_are_not_made_of_wrong_scores(scores, logits, floor, message):
    with pytest.raises(ValueError, match=message):
        logits_of(scores, logits, floor)


def test_tied_cases_at_the_floor_end_the_curve_before_everyone_is_positive():
    # One positive and two negatives without a finding; above the floor .9+ .5- .2+ .1-.
    found = attainable_points([1, 0, 0, 1, 0, 1, 0], [0.0, 0.0, 0.01, 0.9, 0.5, 0.2, 0.1], floor=0.01)

    assert (found.at_floor_positive, found.at_floor_negative) == (1, 2)
    assert (found.last.threshold, found.last.tp, found.last.fp) == (0.1, 2, 2)
    assert found.last.sensitivity.value == pytest.approx(2 / 3)
    assert found.last.specificity.value == pytest.approx(0.5)


def test_without_a_case_at_the_floor_every_point_remains():
    found = attainable_points([1, 0], [0.9, 0.2], floor=0.01)

    assert (found.at_floor_positive, found.at_floor_negative, found.last.fn, found.last.tn) == (0, 0, 0, 0)


def test_with_every_case_at_the_floor_nobody_is_called_positive():
    found = attainable_points([1, 0], [0.0, 0.0], floor=0.01)

    assert (found.last.threshold, found.last.tp, found.flag) == (inf, 0, "no case above the floor")
