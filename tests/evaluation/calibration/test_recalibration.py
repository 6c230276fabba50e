"""Platt and isotonic recalibration against R's glm and isoreg, by hand, and stored and restored."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from evaluation.calibration.measures import calibration
from evaluation.calibration.recalibration import isotonic, platt, restored
from tests.evaluation.reference import golden, golden_rows

FITTED = [row for row in golden_rows("calibration/calibration") if row["set"] not in ("perfect", "constant")]


@pytest.mark.parametrize("row", FITTED, ids=lambda row: row["set"])
def test_platts_line_equals_rs_converged_glm(row):
    cases = golden("calibration/cases").filter(set=row["set"])

    found = platt(cases["label"], cases["logit"])

    assert (found.intercept, found.slope) == pytest.approx((row["intercept"], row["slope"]), rel=1e-9)
    assert (found.method, found.flag) == ("Platt", "")
    assert (found.n_positive, found.n_negative) == (cases["label"].sum(), (1 - cases["label"]).sum())


def test_rare_positives_far_out_are_fitted_although_full_newton_steps_run_away():
    # R: glm(y ~ x, family = binomial, control = glm.control(epsilon = 1e-14, maxit = 100))
    found = platt([1] * 5 + [0] * 101, [3, 3, 3, 3, 0, 4, *[0, 0.1] * 50])

    assert (found.intercept, found.slope) == pytest.approx((-4.40425900439322, 1.72824353465267), rel=1e-10)


def test_platt_makes_its_own_cases_calibrated():
    cases = golden("calibration/cases").filter(set="overconfident")
    found = platt(cases["label"], cases["logit"])

    again = calibration(cases["label"], found.intercept + found.slope * cases["logit"].to_numpy())

    assert again.slope.value == pytest.approx(1)
    assert again.intercept.value == pytest.approx(0, abs=1e-12)
    assert found.apply(cases["logit"]).mean() == pytest.approx(cases["label"].mean())


def test_applied_to_new_logits_platt_is_the_logistic_function_of_its_line():
    cases = golden("calibration/cases").filter(set="plain")
    found = platt(cases["label"], cases["logit"])

    assert found.apply([-inf, 0, 2]) == pytest.approx(
        [0, expit(found.intercept), expit(found.intercept + 2 * found.slope)]
    )


def test_isotonic_equals_rs_isoreg():
    rows = golden("calibration/isotonic")

    found = isotonic(rows["label"], rows["logit"])

    assert found.apply(rows["logit"]) == pytest.approx(rows["fitted"].to_numpy(), abs=1e-12)
    assert (found.method, found.flag) == ("isotonic", "")


def test_isotonic_pools_ties_and_violators_and_is_flat_beyond_its_ends():
    # .1: 0 0 | .2: 1 0 (tie, mean .5) | .3: 0 1 1 (2/3) | .4: 1 0 (.5, pooled with .3 to 3/5) | .5: 1
    labels, scores = [0, 0, 1, 0, 0, 1, 1, 1, 0, 1], [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.3, 0.4, 0.4, 0.5]

    found = isotonic(labels, scores)

    assert found.apply([0.1, 0.2, 0.3, 0.35, 0.4, 0.5]) == pytest.approx([0, 0.5, 0.6, 0.6, 0.6, 1])
    assert found.apply([-5, 0.15, 5]) == pytest.approx([0, 0.25, 1])


@pytest.mark.parametrize("fit", [platt, isotonic])
def test_fewer_than_five_cases_in_a_class_are_not_fitted(fit):
    found = fit([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], np.arange(10.0) % 3)

    assert found.flag == "fewer than 5 cases in a class"
    assert (found.n_positive, found.n_negative) == (4, 6)
    assert np.isnan(found.apply([0.5, 1.0])).all()


@pytest.mark.parametrize(
    ("logits", "flag"),
    [
        (np.arange(10.0), "perfect separation"),
        (-np.arange(10.0), "perfect separation"),
        ([0, 1, 2, 3, 4, 4, 5, 6, 7, 8], "perfect separation"),
        (np.full(10, 0.4), "constant score"),
        ([0, 1, 2, 3, 1e200, -1e200, 1, 2, 3, 4], "did not converge"),
        ([-inf, 1, 2, 3, 4, 0, 1, 2, 3, inf], "infinite logits: 2"),
    ],
)
def test_platt_says_why_it_could_not_be_fitted(logits, flag):
    found = platt([0] * 5 + [1] * 5, logits)

    assert found.flag == flag
    assert isnan(found.slope)
    assert np.isnan(found.apply([0.0, 1.0])).all()


def test_a_reversed_order_is_flagged():
    labels = [1, 1, 1, 1, 0, 0, 0, 0, 0, 1]

    assert platt(labels, np.arange(10.0)).flag == "reversed order"
    found = isotonic([1] * 5 + [0] * 5, np.arange(10.0))
    assert (found.flag, found.apply([3.0])[0]) == ("constant probability", 0.5)


def test_isotonic_of_a_constant_score_is_the_prevalence():
    found = isotonic([1] * 5 + [0] * 15, [0.7] * 20)

    assert (found.flag, found.scores, found.probabilities) == ("constant probability", (0.7,), (0.25,))
    assert found.apply([0.1, 0.9]).tolist() == [0.25, 0.25]


def test_isotonic_takes_no_infinite_score():
    assert isotonic([1] * 5 + [0] * 5, [*range(9), inf]).flag == "infinite scores: 1"


def test_a_flat_stretch_keeps_only_its_ends():
    labels, scores = [0] * 5 + [1, 0, 1, 0] + [1] * 5, np.arange(14.0)

    assert isotonic(labels, scores).scores == (0, 4, 5, 8, 9, 13)


@pytest.mark.parametrize("fit", [platt, isotonic])
@pytest.mark.parametrize("name", ["plain", "tied", "perfect"])
def test_a_map_stored_as_json_is_restored_exactly(fit, name):
    cases = golden("calibration/cases").filter(set=name)
    found = fit(cases["label"], cases["logit"])

    again = restored(json.loads(json.dumps(asdict(found))))

    assert np.array_equal(again.apply([-1.0, 0.3, 2.0]), found.apply([-1.0, 0.3, 2.0]), equal_nan=True)
    assert (type(again), again.flag, again.n_positive) == (type(found), found.flag, found.n_positive)


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match="unknown recalibration method 'beta'; known: Platt, isotonic"):
        restored({"method": "beta"})


@pytest.mark.parametrize("fit", [platt, isotonic])
def test_wrong_input_is_named(fit):
    with pytest.raises(ValueError, match="1 of 2 scores are NaN"):
        fit([1, 0], [0.1, float("nan")])
    with pytest.raises(ValueError, match="both classes are needed"):
        fit([1, 1], [0.1, 0.2])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 50), st.floats(-20, 20))
def test_platts_probabilities_do_not_depend_on_the_scale_of_the_logits(seed, factor, shift):
    rng = np.random.default_rng(seed)
    labels, logits = rng.permutation([0, 1] * 15), rng.normal(size=30)

    found, scaled = platt(labels, logits), platt(labels, logits * factor + shift)

    assert scaled.flag == found.flag
    assert scaled.apply(logits * factor + shift) == pytest.approx(found.apply(logits), abs=1e-7, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_isotonic_rises_within_zero_and_one(seed):
    rng = np.random.default_rng(seed)

    found = isotonic(rng.permutation([0, 1] * 15), rng.normal(size=30).round(1))
    applied = found.apply(np.linspace(-4, 4, 50))

    assert (np.diff(applied) >= 0).all()
    assert 0 <= applied[0] <= applied[-1] <= 1
