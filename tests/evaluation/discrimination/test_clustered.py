"""Obuchowski's clustered variance against R, DeLong and a bootstrap of patients."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.discrimination import clustered, delong
from evaluation.discrimination.clustered import Clusters
from evaluation.discrimination.delong import placements
from tests.evaluation.reference import golden, golden_rows


@pytest.mark.parametrize("row", golden_rows("clustered"), ids=lambda row: row["set"])
def test_variance_and_covariance_equal_the_loops_written_in_r(row):
    group = golden("clusters").filter(set=row["set"])
    clusters = Clusters.of(group["label"], group["patient"])
    first, second = (placements(group["label"], group[score]) for score in ("first", "second"))

    of_first = clustered.variance(first.positive, first.negative, clusters)
    of_second = clustered.variance(second.positive, second.negative, clusters)
    of_difference = clustered.variance(first.positive - second.positive, first.negative - second.negative, clusters)

    assert first.auc == pytest.approx(row["auc_first"])
    assert of_first == pytest.approx(row["variance_first"], rel=1e-12)
    assert of_second == pytest.approx(row["variance_second"], rel=1e-12)
    assert of_difference == pytest.approx(of_first + of_second - 2 * row["covariance"], rel=1e-12)


def test_three_patients_give_the_variance_computed_by_hand():
    # Patient a: positive .9 and negative .5; b: positive .4; c: negative .1.
    # V10 = (1, .5), V01 = (.5, 1), AUC .75, all deviations +-.25.
    # S10 = 2/1/2 (.0625 + .0625), S01 the same; S11 = 3/2 (.25 * -.25)
    # variance = .125/2 + .125/2 + 2 * -.09375 / 4
    placed = placements([1, 0, 1, 0], [0.9, 0.5, 0.4, 0.1])

    found = clustered.variance(placed.positive, placed.negative, Clusters.of([1, 0, 1, 0], ["a", "a", "b", "c"]))

    assert found == pytest.approx(0.125 - 0.046875)


def test_one_case_per_patient_gives_delongs_variance():
    rng = np.random.default_rng(3)
    labels, scores = rng.integers(0, 2, 200), rng.normal(size=200).round(1)
    placed = placements(labels, scores)

    found = clustered.variance(placed.positive, placed.negative, Clusters.of(labels, rng.permutation(200)))

    assert found == pytest.approx(delong.variance(placed.positive, placed.negative), rel=1e-12)


def test_it_agrees_with_a_bootstrap_of_patients_where_delong_is_too_narrow():
    rng = np.random.default_rng(11)
    patients = np.repeat(np.arange(120), 4)
    effect = rng.normal(size=120)[patients]
    labels = np.where(rng.random(480) < 0.1, 0, rng.integers(0, 2, 120)[patients])
    scores = labels + effect + rng.normal(size=480)
    placed = placements(labels, scores)

    found = np.sqrt(clustered.variance(placed.positive, placed.negative, Clusters.of(labels, patients)))

    rows = np.arange(480).reshape(120, 4)
    chosen = [rows[rng.integers(0, 120, 120)].ravel() for _ in range(1000)]
    resampled = np.std([placements(labels[pick], scores[pick]).auc for pick in chosen])
    assert found == pytest.approx(resampled, rel=0.08)
    assert np.sqrt(delong.variance(placed.positive, placed.negative)) < 0.8 * resampled


def test_positives_of_a_single_patient_have_no_variance():
    placed = placements([1, 1, 0, 0], [0.9, 0.4, 0.5, 0.1])

    found = clustered.variance(placed.positive, placed.negative, Clusters.of([1, 1, 0, 0], ["a", "a", "b", "c"]))

    assert np.isnan(found)


def test_a_perfect_score_has_exactly_no_variance():
    placed = placements([1, 1, 1, 0, 0], [0.9, 0.8, 0.7, 0.2, 0.1])
    clusters = Clusters.of([1, 1, 1, 0, 0], ["a", "a", "b", "b", "c"])

    assert clustered.variance(placed.positive, placed.negative, clusters) == 0


def test_a_constant_difference_of_placements_is_zero_variance_despite_rounding():
    clusters = Clusters.of([1, 1, 1, 0, 0], ["a", "a", "b", "b", "c"])

    assert clustered.variance(np.array([0.1 + 0.2, 0.3, 0.3]), np.array([0.2, 0.2]), clusters) == 0


def test_labels_and_patients_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="equally long"):
        Clusters.of([1, 0], ["a", "b", "c"])
