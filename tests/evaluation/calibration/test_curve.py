"""Smoothed curves and groups against R's loess, lowess, cut and binom.test."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from evaluation.calibration.curve import calibration_curve
from tests.evaluation.reference import golden


def cases(name: str) -> tuple[np.ndarray, np.ndarray]:
    rows = golden("calibration/cases").filter(set=name)
    return rows["label"].to_numpy(), rows["logit"].to_numpy()


@pytest.mark.parametrize("smoother", ["loess", "lowess"])
@pytest.mark.parametrize("name", ["plain", "tied", "floor"])
def test_the_curve_equals_rs(name, smoother):
    expected = golden("calibration/curves").filter(set=name)

    found = calibration_curve(*cases(name), smoother, points=11)

    assert found.predicted == pytest.approx(expected["predicted"].to_numpy(), rel=1e-12)
    assert found.observed == pytest.approx(expected[smoother].to_numpy(), rel=1e-6)


@pytest.mark.parametrize("name", ["plain", "tied", "floor"])
def test_the_groups_equal_rs_deciles(name):
    expected = golden("calibration/groups").filter(set=name)

    found = calibration_curve(*cases(name)).groups

    for column in ("predicted", "observed", "low", "high", "n", "n_positive"):
        assert [getattr(group, column) for group in found] == pytest.approx(expected[column].to_list(), abs=1e-12)


def test_the_name_of_the_smoother_is_part_of_the_curve():
    assert calibration_curve(*cases("plain")).smoother == "loess span .75"
    assert calibration_curve(*cases("plain"), "lowess").smoother == "lowess span 2/3"


def test_cases_with_equal_predictions_stay_in_one_group():
    found = calibration_curve([0, 1] * 10, [-1.0] * 10 + [1.0] * 10)

    assert [group.n for group in found.groups] == [10, 10]
    assert found.flag == "2 distinct probabilities: no loess"
    assert np.isnan(found.observed).all()


def test_lowess_gives_the_mean_where_a_neighborhood_is_one_tie():
    labels, risks = [1, 0, 0, 0, 0, 0, 0, 0, 1, 1], [0.1] * 8 + [0.6, 0.9]

    found = calibration_curve(labels, logit(risks), "lowess", points=2)

    # R: lowess(risks, labels, iter = 0)$y is .125 at .1.
    assert found.observed[0] == pytest.approx(0.125)
    assert np.array_equal(found.observed, calibration_curve(labels[::-1], logit(risks[::-1]), "lowess", 2).observed)


def test_one_prediction_that_most_cases_share_is_flagged():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 100)

    half, most = (np.append(np.full(n, 0.001), rng.random(100 - n)) for n in (60, 80))

    assert calibration_curve(labels, logit(half)).flag == "60% of the cases share one probability"
    found = calibration_curve(labels, logit(most))
    assert found.flag == "80% of the cases share one probability: no loess"
    assert np.isnan(found.observed).all()
    assert np.isfinite(calibration_curve(labels, logit(most), "lowess").observed).all()


def test_a_constant_score_has_one_group_and_no_curve():
    found = calibration_curve([0, 1, 0, 0], [-1.0] * 4)

    assert (found.flag, len(found.groups), found.groups[0].observed) == ("constant score", 1, 0.25)
    assert np.isnan(found.observed).all()


@pytest.mark.parametrize(("points", "groups"), [(1, 10), (5, 0)])
def test_a_curve_needs_points_and_groups(points, groups):
    with pytest.raises(ValueError, match=f"2 points and 1 group, got {points} and {groups}"):
        calibration_curve([0, 1], [0.1, 0.2], points=points, groups=groups)


def test_an_unknown_smoother_is_named():
    with pytest.raises(ValueError, match="unknown smoother 'mean'; known: loess, lowess"):
        calibration_curve([0, 1], [0.1, 0.2], "mean")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(12, 80), st.integers(1, 12))
def test_groups_hold_every_case_once_and_rise(seed, n, groups):
    rng = np.random.default_rng(seed)
    labels = np.append(rng.integers(0, 2, n), [0, 1])

    found = calibration_curve(labels, rng.normal(size=n + 2).round(1), "lowess", groups=groups).groups

    assert sum(group.n for group in found) == n + 2
    assert sum(group.n_positive for group in found) == labels.sum()
    assert all(np.diff([group.predicted for group in found]) > 0)
    assert all(group.low <= group.observed <= group.high for group in found)
