"""Whether the probe stays at chance without a center effect, and finds one that is there."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from scipy.special import ndtr

from evaluation.centers.center_probe import center_probe


def cohort(seed, patients=160, images=1, centers=2, effect=0.0, width=1):
    """Features (n, width), centers and patients; every feature shifts by `effect` from center to center."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(patients), images)
    where = rng.permutation(np.arange(patients) % centers)[who]
    features = rng.normal(size=(patients, width))[who] + 0.3 * rng.normal(size=(who.size, width))
    return features + effect * where[:, None], where, who


def test_without_a_center_effect_the_probe_stays_at_chance_and_p_is_even():
    found = [center_probe(*cohort(seed), seed=seed, permutations=6, folds=3) for seed in range(25)]
    p = np.array([one.p for one in found])

    assert np.mean([one.auc for one in found]) == pytest.approx(0.5, abs=0.03)
    assert np.mean([one.balanced_accuracy for one in found]) == pytest.approx(0.5, abs=0.03)
    assert (p < 0.05).sum() <= 4
    assert 0.25 < p.mean() < 0.75


def test_a_strong_center_effect_is_recognized_as_well_as_theory_allows():
    features, centers, patients = cohort(1, patients=1500, effect=2.0)

    found = center_probe(features[:, 0], centers, patients)

    # Two normal centers two apart, each with variance 1 + .3^2.
    apart = 2 / np.sqrt(1.09)
    assert found.auc == pytest.approx(ndtr(apart / np.sqrt(2)), abs=0.02)
    assert found.balanced_accuracy == pytest.approx(ndtr(apart / 2), abs=0.02)
    assert found.p < 1e-6
    assert (found.chance, found.centers, found.cases, found.flag) == (0.5, 2, 1500, "")


def test_a_patients_own_images_do_not_help():
    # Centers are arbitrary, but the four images of a patient look alike: a split by image would recognize patients.
    rng = np.random.default_rng(5)
    who = np.repeat(np.arange(40), 4)
    features = rng.normal(size=(40, 30))[who] + 0.01 * rng.normal(size=(160, 30))
    centers = rng.permutation(np.arange(40) % 2)[who]

    apart = center_probe(features, centers, who, permutations=0)
    mixed = center_probe(features, centers, rng.permutation(160), permutations=0)

    assert mixed.auc > 0.9
    assert apart.auc < 0.75


def test_other_prevalences_alone_do_not_betray_the_center_within_classes():
    rng = np.random.default_rng(3)
    centers = np.repeat([0, 1], 400)
    labels = (rng.random(800) < np.where(centers == 0, 0.2, 0.8)).astype(int)
    features = labels * 3.0 + rng.normal(size=800)

    naive = center_probe(features, centers, np.arange(800))
    within = center_probe(features, centers, np.arange(800), labels)

    assert naive.auc > 0.7
    assert within.auc == pytest.approx(0.5, abs=0.06)
    assert within.p > 0.05
    assert within.method.startswith(
        "linear discriminant analysis, Ledoit-Wolf shrinkage, 5 patient-grouped folds, with"
    )


def test_an_effect_that_turns_around_between_the_classes_is_found_within_them():
    rng = np.random.default_rng(4)
    centers, labels = np.repeat([0, 1], 200), np.tile([0, 1], 200)
    features = np.where(centers == labels, 1.5, -1.5) + rng.normal(size=400)

    assert center_probe(features, centers, np.arange(400), permutations=0).auc < 0.6
    assert center_probe(features, centers, np.arange(400), labels, permutations=0).auc > 0.95


def test_small_centers_have_the_same_weight_as_large_ones():
    rng = np.random.default_rng(6)
    centers = np.repeat(["large", "small"], [2900, 100])
    features = rng.normal(size=3000) + 2 * (centers == "small")

    found = center_probe(features, centers, np.arange(3000), permutations=0)

    # Halfway between the two: with the centers' own shares nearly all cases would be called large.
    assert found.balanced_accuracy == pytest.approx(ndtr(1), abs=0.04)


def test_three_centers_are_averaged_one_against_the_others():
    features, centers, patients = cohort(7, patients=600, centers=3, effect=6.0)

    found = center_probe(features, centers, patients, permutations=0)

    assert found.chance == pytest.approx(1 / 3)
    assert found.auc > 0.98
    assert found.balanced_accuracy > 0.98


def test_a_feature_that_is_constant_within_each_center_betrays_it():
    found = center_probe(np.repeat([0.1, 0.2], 30), np.repeat([0, 1], 30), range(60), permutations=0)

    assert (found.auc, found.balanced_accuracy) == (1, 1)


def test_centers_with_fewer_patients_than_folds_are_left_out_and_named():
    features, centers, patients = cohort(8, patients=100)
    centers = np.where(patients < 3, 2, centers)

    found = center_probe(features, centers, patients, permutations=0)

    assert (found.centers, found.cases, found.flag) == (2, 97, "2 left out (3 patients)")


@pytest.mark.parametrize(
    ("features", "centers", "flag"),
    [
        (np.arange(20.0), ["a"] * 20, "one center"),
        (np.arange(20.0), ["a"] * 18 + ["b"] * 2, "one center; b left out (2 patients)"),
        (np.ones((20, 2)), ["a", "b"] * 10, "constant features"),
    ],
)
def test_what_cannot_be_probed_is_left_open(features, centers, flag):
    found = center_probe(features, centers, range(20))

    assert all(isnan(value) for value in (found.balanced_accuracy, found.auc, found.chance, found.p))
    assert (found.cases, found.flag) == (0, flag)


def test_a_class_with_one_center_leaves_the_other_class_to_speak():
    features, centers, patients = cohort(9, patients=120, effect=3.0)
    labels = np.where(centers == 1, np.arange(120) % 2, 0)

    found = center_probe(features, centers, patients, labels, permutations=0)

    assert found.auc > 0.9
    assert found.flag == "one center"
    assert found.cases == (labels == 0).sum()


def test_the_same_seed_gives_the_same_probe_whatever_the_centers_are_called():
    features, centers, patients = cohort(10, patients=60, images=2, width=3)
    names = np.array(["clinic b", "clinic c"])[centers]

    first = center_probe(features, centers, patients, seed=4, permutations=3)

    assert center_probe(features, names, patients, seed=4, permutations=3) == first
    assert center_probe(features, centers, patients, seed=5, permutations=3) != first
    assert center_probe(100 - 5 * features, centers, patients, seed=4, permutations=0).auc == pytest.approx(
        first.auc, abs=1e-3
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: center_probe([1, nan], [0, 1], [0, 1]), "1 features are NaN or infinite"),
        (lambda: center_probe([1, 2], [0, 1], [0]), "got 2, 2, 1"),
        (lambda: center_probe([1, 2], [0, 1], [0, 1], [0, 2]), "labels must be 0 or 1, found .*2"),
        (lambda: center_probe([1, 2], [0, 1], [0, 1], folds=1), "folds must be at least 2 .* got 1 and 19"),
        (lambda: center_probe([1, 2], [0, 1], [0, 1], permutations=-1), "got 5 and -1"),
    ],
)
def test_wrong_input_is_refused_with_its_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
