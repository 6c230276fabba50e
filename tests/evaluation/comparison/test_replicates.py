"""Single models beside the aggregate: their interval over cases and replicates, and their spread."""

from __future__ import annotations

from itertools import chain
from math import isnan, sqrt

import numpy as np
import pytest

from evaluation.discrimination.areas import auc
from evaluation.discrimination.clustered import Clusters
from evaluation.discrimination.delong import placements
from evaluation.discrimination.single_models import case_variances, mean_difference
from tests.evaluation.study_example import (
    IMAGENET,
    compared,
    labels,
    prediction,
    predictions,
    scored,
    series,
    two_per_patient,
)

EXTERNAL = {"role": "external"}
TRUTH = {"b": [0, 0, 1, 1], "c": [0, 0, 0, 1, 1]}
B, C = [0.1, 0.6, 0.4, 0.9], [0.2, 0.3, 0.8, 0.7, 0.9]


def rows_of(table, truth):
    """Rows by role and center."""
    found = compared(table, labels(truth)).performance
    return {(row["role"], row["center"]): row for row in found.rows(named=True)}


def test_a_single_model_has_the_interval_of_its_area():
    row = rows_of(scored({IMAGENET: {"b": B}}), TRUTH)["external", "b"]

    expected = auc(TRUTH["b"], B)
    assert (row["single_low"], row["single_high"]) == pytest.approx((expected.low, expected.high))
    assert row["single_method"] == "DeLong, case uncertainty only"


def replicated(*models, patients=None):
    """Rows of replicates (fold, seed, scores) on the same external images of center b, and their labels."""
    truth = [0, 1] * 5
    parts = [series(IMAGENET, "b", scores, fold=fold, seed=seed, **EXTERNAL) for fold, seed, scores in models]
    table = predictions(*chain(*parts))
    return rows_of(table if patients is None else patients(table), {"b": truth})["external", "b"], truth


MODELS = [
    (0, 0, [0.1, 0.9, 0.5, 0.4, 0.2, 0.6, 0.3, 0.8, 0.7, 0.55]),
    (0, 1, [0.4, 0.3, 0.2, 0.9, 0.6, 0.5, 0.1, 0.7, 0.45, 0.8]),
    (1, 0, [0.7, 0.2, 0.3, 0.6, 0.1, 0.9, 0.5, 0.4, 0.2, 0.8]),
    (1, 1, [0.2, 0.6, 0.1, 0.5, 0.3, 0.7, 0.8, 0.9, 0.4, 0.35]),
]
THIRD_FOLD = [
    (2, 0, [0.3, 0.8, 0.6, 0.7, 0.5, 0.9, 0.2, 0.1, 0.45, 0.65]),
    (2, 1, [0.15, 0.5, 0.9, 0.6, 0.4, 0.3, 0.25, 0.7, 0.1, 0.95]),
]


@pytest.mark.parametrize("patients", [None, two_per_patient], ids=["apart", "two images each"])
def test_three_models_or_more_have_an_interval_over_cases_and_replicates(patients):
    models = MODELS + THIRD_FOLD
    row, truth = replicated(*models, patients=patients)

    placed = [placements(truth, scores) for _, _, scores in models]
    clusters = Clusters.of(truth, np.arange(10) // 2 if patients else np.arange(10))
    # The two seeds of a fold share their training patients: a fold is one draw.
    positive, negative, areas = (
        np.array([getattr(model, name) for model in placed]).reshape(3, 2, -1).mean(axis=1)
        for name in ("positive", "negative", "auc")
    )
    expected = mean_difference(areas[:, 0], case_variances(positive, negative, clusters), units="folds", models=6)
    assert (row["single_low"], row["single_high"]) == pytest.approx((max(0, expected.low), min(1, expected.high)))
    assert row["single_method"] == "Obuchowski-Rockette, folds as random readers"


def test_the_spread_over_folds_and_that_over_seeds_stand_apart():
    row, truth = replicated(*MODELS)

    areas = np.array([auc(truth, scores).auc for _, _, scores in MODELS]).reshape(2, 2)
    assert row["single_sd_folds"] == pytest.approx(areas.mean(axis=1).std(ddof=1))
    assert row["single_sd_seeds"] == pytest.approx(sqrt(areas.var(axis=1, ddof=1).mean()))
    assert row["single_sd"] == pytest.approx(areas.std(ddof=1))
    assert row["single_sd_folds"] != pytest.approx(row["single_sd_seeds"])


def test_one_seed_has_no_spread_over_seeds_and_one_fold_none_over_folds():
    folds, seeds = replicated(MODELS[0], MODELS[2])[0], replicated(*MODELS[2:])[0]

    assert isnan(folds["single_sd_seeds"])
    assert isnan(seeds["single_sd_folds"])
    assert folds["single_sd_folds"] > 0
    assert seeds["single_sd_seeds"] > 0


def test_the_interval_of_perfect_models_stays_within_zero_and_one():
    row, _ = replicated(*((fold, 0, [0.1, 0.9] * 5) for fold in (1, 2)), MODELS[0])

    assert row["single_high"] == 1
    assert 0 <= row["single_low"] < 1


def test_an_interval_that_cannot_be_estimated_is_no_interval():
    row = rows_of(scored({IMAGENET: {"b": B}}), {"b": [0, 0, 0, 1]})["external", "b"]

    assert isnan(row["single_low"])
    assert isnan(row["single_high"])
    assert row["single_mean"] == 1


def test_a_replicate_that_lacks_an_image_leaves_the_mean_without_an_interval():
    row, truth = replicated(*MODELS[:3], (1, 1, MODELS[3][2][:9]))

    # The mean is of all four, the interval would be of the three that scored every image.
    areas = [auc(truth, scores).auc for _, _, scores in MODELS[:3]] + [auc(truth[:9], MODELS[3][2][:9]).auc]
    assert row["single_mean"] == pytest.approx(np.mean(areas))
    assert isnan(row["single_low"])
    assert isnan(row["single_high"])
    assert (row["single_method"], row["complete"]) == ("", False)


def test_validation_folds_have_no_interval_of_single_models():
    scores = {"v": [0.1, 0.2]}
    table = predictions(
        *series(IMAGENET, "v", scores["v"], role="validation"),
        *(prediction(IMAGENET, f"v{place}", score, role="validation", fold=1) for place, score in ((2, 0.9), (3, 0.8))),
    )

    row = rows_of(table, {"v": [0, 1, 0, 1]})["validation", "all"]

    assert isnan(row["single_low"])
    assert row["single_method"] == ""
    assert row["single_mean"] == 0.5


def test_the_stratified_interval_of_single_models_weighs_centers_by_their_pairs():
    row = rows_of(scored({IMAGENET: {"b": B, "c": C}}), TRUTH)["external", "stratified"]

    assert (row["single_low"], row["single_high"]) == pytest.approx((row["low"], row["high"]))
