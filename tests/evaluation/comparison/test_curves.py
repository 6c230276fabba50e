"""ROC and precision-recall curves: their points, their thresholds, and where there is none."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from evaluation.comparison.curves import MOST_POINTS, precision_recall, roc
from evaluation.discrimination.areas import roc_points
from evaluation.discrimination.precision_recall import average_precision, precision_recall_points
from tests.evaluation.study_example import (
    CHEST,
    IMAGENET,
    boards,
    cells,
    labels,
    logit_series,
    predictions,
    scored,
    sigmoid,
)

SCORES, TRUTH = [0.9, 0.8, 0.7, 0.6, 0.55, 0.4, 0.4, 0.2], [1, 1, 0, 1, 0, 1, 0, 0]


def panels_of(scores, truth=None):
    return boards(scored(scores), labels(truth or dict.fromkeys("abcv", TRUTH)))


def test_roc_corners_are_those_of_the_scores():
    found = roc(panels_of({IMAGENET: {"b": SCORES}}), cells()).filter(center="b")

    # By hand: two positives first, then a negative, a positive, a negative, and a tie of one each.
    assert found.select("threshold", "fpr", "tpr").rows() == [
        (inf, 0, 0),
        (0.8, 0, 0.5),
        (0.7, 0.25, 0.5),
        (0.6, 0.25, 0.75),
        (0.55, 0.5, 0.75),
        (0.4, 0.75, 1),
        (0.2, 1, 1),
    ]
    assert set(found.select("arm", "cell", "role").rows()) == {("classification", IMAGENET, "external")}


def test_every_center_and_the_pool_of_every_role_have_a_roc_curve():
    found = roc(panels_of({IMAGENET: dict.fromkeys("abcv", SCORES), CHEST: {"b": SCORES}}), cells())

    assert found.select("cell", "role", "center").unique(maintain_order=True).rows() == [
        *((IMAGENET, "reserve", center) for center in ("a", "all")),
        *((IMAGENET, "validation", center) for center in ("v", "all")),
        *((IMAGENET, "external", center) for center in ("b", "c", "all")),
        *((CHEST, "external", center) for center in ("b", "all")),
    ]


def test_the_pooled_curve_is_of_all_external_images():
    other = [score / 2 for score in SCORES]
    found = roc(panels_of({IMAGENET: {"b": SCORES, "c": other, "a": SCORES}}), cells())

    pooled = found.filter(center="all", role="external")
    expected = roc_points(TRUTH * 2, SCORES + other)
    assert pooled["fpr"].to_list() == expected.fpr.tolist()
    assert pooled["tpr"].to_list() == expected.tpr.tolist()


def test_thresholds_of_logits_are_shown_as_probabilities():
    logits = [-1.0, 2.0, 0.5, 1.0]
    table = predictions(*logit_series(IMAGENET, "b", logits, role="external"))
    found = boards(table, labels({"b": [0, 1, 1, 0]}))

    assert roc(found, cells()).filter(center="b")["threshold"].to_list() == pytest.approx(
        [inf, *(sigmoid(logit) for logit in (2, 1, 0.5, -1))]
    )
    assert precision_recall(found, cells())["threshold"].to_list() == pytest.approx(
        [sigmoid(logit) for logit in (2, 1, 0.5, -1)]
    )


def test_precision_and_recall_follow_by_hand():
    found = precision_recall(panels_of({IMAGENET: {"b": SCORES}}), cells())

    assert found["threshold"].to_list() == [0.9, 0.8, 0.7, 0.6, 0.55, 0.4, 0.2]
    assert found["recall"].to_list() == [0.25, 0.5, 0.5, 0.75, 0.75, 1, 1]
    assert found["precision"].to_list() == pytest.approx([1, 1, 2 / 3, 3 / 4, 3 / 5, 4 / 7, 4 / 8])


def test_precision_recall_curves_are_of_pooled_images_only():
    found = precision_recall(panels_of({IMAGENET: dict.fromkeys("abcv", SCORES)}), cells())

    assert found.select("role", "center").unique(maintain_order=True).rows() == [
        ("reserve", "all"),
        ("validation", "all"),
        ("external", "all"),
    ]


def test_a_long_precision_recall_curve_is_thinned_and_keeps_its_ends_and_shape():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 1000).tolist()
    scores = (rng.random(1000) * 0.8 + 0.2 * np.array(truth)).tolist()

    found = precision_recall(panels_of({IMAGENET: {"b": scores}}, {"b": truth}), cells())

    whole = precision_recall_points(truth, scores)
    points = set(zip(whole.threshold.tolist(), whole.recall.tolist(), whole.precision.tolist(), strict=True))
    assert found.height == MOST_POINTS
    assert set(found.select("threshold", "recall", "precision").rows()) <= points
    assert (found["threshold"][0], found["threshold"][-1]) == (max(scores), min(scores))
    area = np.sum(np.diff(found["recall"], prepend=0) * found["precision"].to_numpy())
    assert area == pytest.approx(average_precision(truth, scores).value, abs=0.01)


def test_a_short_precision_recall_curve_is_whole():
    scores = [place / 200 for place in range(150)]
    found = precision_recall(panels_of({IMAGENET: {"b": scores}}, {"b": [0, 1] * 75}), cells())

    assert found.height == 150


def test_one_class_has_no_curve():
    found = panels_of({IMAGENET: {"b": SCORES, "c": SCORES}}, {"b": TRUTH, "c": [1] * 8})

    assert set(roc(found, cells())["center"]) == {"b", "all"}


def test_a_detector_that_finds_nothing_in_most_images_has_a_straight_last_stretch():
    found = panels_of({IMAGENET: {"b": [0.9, 0.0, 0.0, 0.0, 0.5, 0.0]}}, {"b": [1, 1, 0, 0, 0, 1]})

    assert roc(found, cells()).filter(center="b").select("threshold", "fpr", "tpr").rows() == [
        (inf, 0, 0),
        (0.9, 0, pytest.approx(1 / 3)),
        (0.5, pytest.approx(1 / 3), pytest.approx(1 / 3)),
        (0, 1, 1),
    ]
