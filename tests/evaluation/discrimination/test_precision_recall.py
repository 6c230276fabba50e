"""Average precision, its interval and F1 against loops in R and scikit-learn."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve

from evaluation.discrimination.precision_recall import average_precision, best_f1, f1, precision_recall_points
from tests.evaluation.reference import case_sets, golden_rows

ROWS = golden_rows("discrimination/precision_recall")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['set']}-{row['score']}")
def test_average_precision_and_best_f1_equal_loops_in_r(row):
    cases = case_sets()[row["set"]]
    found = average_precision(cases["label"], cases[row["score"]])
    best = best_f1(cases["label"], cases[row["score"]])

    assert found.value == pytest.approx(row["value"], rel=1e-12)
    if row["value"] < 1:
        assert (found.low, found.high) == pytest.approx((row["low"], row["high"]), rel=1e-10)
    assert (best.value, best.threshold) == pytest.approx((row["best_f1"], row["best_threshold"]), rel=1e-12)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_everything_equals_scikit_learn_under_any_order_and_monotone_change(seed):
    rng = np.random.default_rng(seed)
    labels, scores = rng.permutation([1] * 8 + [0] * 22), rng.integers(0, 12, 30).astype(float)
    order = rng.permutation(30)
    precision, recall, threshold = precision_recall_curve(labels, scores)

    points = precision_recall_points(labels[order], scores[order])
    found = average_precision(labels[order], np.exp(scores[order]))

    # scikit-learn runs from the lowest threshold up and adds precision 1 at recall 0.
    assert points.precision.tolist() == pytest.approx(precision[:-1][::-1].tolist())
    assert points.recall.tolist() == pytest.approx(recall[:-1][::-1].tolist())
    assert points.threshold.tolist() == threshold[::-1].tolist()
    assert found.value == pytest.approx(average_precision_score(labels, scores), rel=1e-12)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_no_threshold_has_a_larger_f1_than_the_best(seed):
    rng = np.random.default_rng(seed)
    labels, scores = rng.permutation([1] * 8 + [0] * 22), rng.integers(0, 12, 30)
    # 2 hits / (called + positives) at every observed score
    by_threshold = {at: 2 * labels[scores >= at].sum() / ((scores >= at).sum() + 8) for at in np.unique(scores)}

    found = best_f1(labels, scores)

    assert found.value == pytest.approx(max(by_threshold.values()))
    assert found.value == pytest.approx(by_threshold[found.threshold])
    assert found.value == pytest.approx(f1_score(labels, scores >= found.threshold))
    assert found.tp + found.fn == 8


def test_a_small_ranking_gives_the_values_computed_by_hand():
    # Falling: + - + | tie of + and -. Precision 1, 1/2, 2/3, 3/5 at recall 1/3, 1/3, 2/3, 1.
    labels, scores = [1, 0, 1, 1, 0], [9, 8, 7, 5, 5]
    points, found = precision_recall_points(labels, scores), average_precision(labels, scores)

    assert points.threshold.tolist() == [9, 8, 7, 5]
    assert points.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 3 / 5])
    assert points.recall.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 1])
    assert found.value == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert (found.prevalence, found.n_positive, found.n_negative) == (0.6, 3, 2)
    assert found.method == "average precision, logit interval (Boyd)"


def test_a_constant_score_reaches_the_prevalence():
    found = average_precision([1, 0, 0, 0, 1], [0.3] * 5)

    assert found.value == found.prevalence == 0.4


def test_perfect_separation_has_no_interval_and_says_so():
    found = average_precision([0, 0, 1, 1], [1, 2, 3, 4])

    assert (found.value, found.flag, best_f1([0, 0, 1, 1], [1, 2, 3, 4]).value) == (1, "perfect separation", 1)
    assert isnan(found.low)
    assert isnan(found.high)


def test_one_positive_has_no_interval():
    found = average_precision([0, 1, 0], [1, 2, 3])

    assert (found.value, isnan(found.low), found.flag) == (0.5, True, "one positive")


def test_f1_is_the_harmonic_mean_of_precision_and_recall():
    # precision 242/288, recall 242/268
    assert f1(242, 46, 26).value == pytest.approx(2 / (288 / 242 + 268 / 242))
    assert f1(0, 3, 4).value == 0


def test_equal_f1_values_give_the_most_sensitive_threshold():
    # + - - +: two thirds with one called, with all called 2 * 2 / (4 + 2), the same
    assert best_f1([1, 0, 0, 1], [4, 3, 2, 1]).threshold == 1


def test_nobody_to_find_and_nobody_called_is_not_a_number():
    found = f1(0, 0, 0)

    assert (isnan(found.value), found.flag) == (True, "no positive and none called")


def test_wrong_input_is_refused_by_name():
    with pytest.raises(ValueError, match="both classes"):
        average_precision([0, 0], [1, 2])
    with pytest.raises(ValueError, match="NaN"):
        best_f1([0, 1], [1, float("nan")])
    with pytest.raises(ValueError, match="must not be negative, got tp -1"):
        f1(-1, 0, 0)
