"""AUC intervals, paired differences and curves against pROC and by hand."""

from __future__ import annotations

from math import exp, inf, isnan, log

import numpy as np
import pytest

from evaluation.discrimination.areas import auc, auc_difference, roc_points
from evaluation.normal import Z95, logit_interval
from tests.evaluation.reference import case_sets, golden_rows


@pytest.mark.parametrize("row", golden_rows("areas"), ids=lambda row: f"{row['set']}-{row['score']}")
def test_the_interval_equals_procs(row):
    cases = case_sets()[row["set"]]

    found = auc(cases["label"], cases[row["score"]])

    assert (found.low, found.high) == pytest.approx((row["low"], row["high"]), abs=1e-12)


@pytest.mark.parametrize("row", golden_rows("pairs"), ids=lambda row: row["set"])
def test_the_paired_test_equals_procs(row):
    cases = case_sets()[row["set"]]

    found = auc_difference(cases["label"], cases["first"], cases["second"])

    assert (found.z, found.p) == pytest.approx((row["z"], row["p"]), rel=1e-9)
    assert (found.low, found.high) == pytest.approx((row["low"], row["high"]), abs=1e-12)


@pytest.mark.parametrize(
    ("pair", "z", "p"),
    [("s100b_wfns", -2.2090, 0.02718), ("s100b_ndka", 1.3908, 0.1643), ("wfns_ndka", 2.7978, 0.00515)],
)
def test_the_published_asah_comparisons_are_reproduced(pair, z, p):
    cases = case_sets()[f"asah_{pair}"]

    found = auc_difference(cases["label"], cases["first"], cases["second"])

    assert found.z == pytest.approx(z, abs=5e-5)
    assert found.p == pytest.approx(p, abs=5e-5)


def test_scores_with_the_same_ranking_have_p_exactly_one():
    scores = np.random.default_rng(0).normal(size=50)

    found = auc_difference([0, 1] * 25, scores, np.exp(scores))

    assert (found.p, found.z, found.flag) == (1.0, 0.0, "same ranking")


def test_swapping_the_scores_turns_the_sign_and_keeps_p():
    cases = case_sets()["tied"]
    forth = auc_difference(cases["label"], cases["first"], cases["second"])
    back = auc_difference(cases["label"], cases["second"], cases["first"])

    assert forth.difference == pytest.approx(0.71291666666666664 - 0.84270833333333328)
    assert (back.difference, back.z, back.p) == (-forth.difference, -forth.z, forth.p)


def test_perfect_separation_is_flagged_as_zero_variance():
    found = auc([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])

    assert (found.auc, found.se, found.low, found.high, found.flag) == (1, 0, 1, 1, "zero variance")


def test_a_difference_without_variance_is_infinite_and_flagged():
    found = auc_difference([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], [0.5] * 4)

    assert (found.difference, found.z, found.p, found.flag) == (0.5, inf, 0, "zero variance")


def test_one_positive_has_an_area_but_no_interval_and_no_test():
    single = auc([1, 0, 0], [0.5, 0.4, 0.9])
    pair = auc_difference([1, 0, 0], [0.5, 0.4, 0.9], [0.9, 0.4, 0.5])

    assert (single.auc, single.flag, pair.difference, pair.flag) == (0.5, "one positive", -0.5, "one positive")
    assert all(isnan(value) for value in (single.se, single.low, single.high, pair.z, pair.p, pair.low))


def test_one_negative_is_flagged_too():
    assert auc([1, 1, 0], [0.5, 0.4, 0.9]).flag == "one negative"


def test_a_class_from_one_patient_only_is_flagged():
    assert auc([1, 1, 0, 0], [4, 2, 3, 1], ["a", "a", "b", "c"]).flag == "one patient in a class"


def test_intervals_stay_within_zero_and_one():
    found = auc([1, 0, 1, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.1])

    assert found.auc + 1.96 * found.se > 1
    assert found.high == 1


def test_the_logit_interval_is_the_delta_method_on_log_odds():
    # AUC .9, se .03: log odds 2.197225 with se .03 / .09 = 1/3.
    low, high = logit_interval(0.9, 0.03)

    assert (low, high) == pytest.approx((1 / (1 + exp(-(log(9) - Z95 / 3))), 1 / (1 + exp(-(log(9) + Z95 / 3)))))
    assert all(isnan(value) for value in (*logit_interval(1.0, 0.0), *logit_interval(0.9, float("nan"))))


def test_patients_with_several_images_switch_to_the_clustered_method():
    labels, scores = [1, 0, 1, 0], [0.9, 0.5, 0.4, 0.1]

    assert auc(labels, scores, ["a", "b", "c", "d"]).method == "DeLong"
    assert auc(labels, scores, ["a", "a", "b", "c"]).method == "clustered (Obuchowski)"
    assert auc_difference(labels, scores, scores[::-1], ["a", "a", "b", "c"]).method == "clustered (Obuchowski)"


def test_a_curve_keeps_its_corners_and_drops_points_on_a_line():
    # In falling order + + - | tie of + and - | -: the second + lies on the line up, nothing else does.
    curve = roc_points([1, 1, 0, 1, 0, 0], [0.9, 0.8, 0.7, 0.5, 0.5, 0.2])

    assert curve.threshold.tolist() == [inf, 0.8, 0.7, 0.5, 0.2]
    assert curve.tpr.tolist() == pytest.approx([0, 2 / 3, 2 / 3, 1, 1])
    assert curve.fpr.tolist() == pytest.approx([0, 0, 1 / 3, 2 / 3, 1])


def test_the_area_under_the_thinned_curve_is_the_auc():
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 500)
    scores = (rng.normal(size=500) + labels).round(1)

    curve = roc_points(labels, scores)

    assert np.trapezoid(curve.tpr, curve.fpr) == pytest.approx(auc(labels, scores).auc, abs=1e-12)
    assert curve.fpr.size < np.unique(scores).size + 1
