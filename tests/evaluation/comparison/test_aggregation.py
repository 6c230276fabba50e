"""From regions and replicates to one score per cell and image."""

from __future__ import annotations

import polars as pl
import pytest

from search_spaces.errors import StudyError
from tests.evaluation.study_example import (
    CHEST,
    IMAGENET,
    RADIOMICS,
    compared,
    labels,
    prediction,
    predictions,
    sigmoid,
)


def scores_of(*rows, truth=None):
    return compared(predictions(*rows), labels({"a": [0, 1]}) if truth is None else truth).scores


def test_an_image_scores_as_its_most_suspicious_region():
    found = scores_of(prediction(IMAGENET, "a1", 0.2, region=0), prediction(IMAGENET, "a1", 0.7, region=1))

    assert found.select("image", "label", "score", "replicates").rows() == [("a1", 1, 0.7, 1)]


def test_a_cell_scores_as_the_mean_of_its_replicates():
    found = scores_of(prediction(IMAGENET, "a1", 0.2), prediction(IMAGENET, "a1", 0.8, fold=1))

    assert found.select("score", "replicates").rows() == [(0.5, 2)]


def test_logits_are_averaged_where_all_replicates_have_them():
    found = scores_of(
        prediction(IMAGENET, "a1", sigmoid(-1), logit=-1.0), prediction(IMAGENET, "a1", sigmoid(4), logit=4.0, seed=1)
    )

    assert found["score"].to_list() == pytest.approx([sigmoid(1.5)])


def test_one_prediction_without_logit_makes_the_whole_cell_average_scores():
    both = {"logit": 2.0}
    found = scores_of(
        prediction(IMAGENET, "a0", 0.4, **both),
        prediction(IMAGENET, "a0", 0.6, seed=1, **both),
        prediction(IMAGENET, "a1", 0.1, **both),
        prediction(IMAGENET, "a1", 0.3, seed=1),
        prediction(CHEST, "a1", 0.9, **both),
    )

    assert dict(found.select(pl.col("cell") + pl.col("image"), "score").rows()) == pytest.approx(
        {f"{IMAGENET}a0": 0.5, f"{IMAGENET}a1": 0.2, f"{CHEST}a1": sigmoid(2)}
    )


def test_validation_images_meet_only_the_replicates_that_held_them_out():
    found = scores_of(
        prediction(IMAGENET, "a0", 0.2, role="validation", fold=0),
        prediction(IMAGENET, "a1", 0.9, role="train", fold=0),
        prediction(IMAGENET, "a1", 0.6, role="validation", fold=1),
        prediction(IMAGENET, "a0", 0.9, role="train", fold=1),
    )

    assert found.select("role", "image", "score").rows() == [("validation", "a0", 0.2), ("validation", "a1", 0.6)]


def test_perturbed_images_do_not_count():
    found = scores_of(prediction(IMAGENET, "a1", 0.2), prediction(IMAGENET, "a1", 0.9, variant="shift-1"))

    assert found["score"].to_list() == [0.2]


def test_images_without_a_label_in_the_cells_arm_are_left_out():
    found = scores_of(
        prediction(IMAGENET, "a0", 0.2),
        prediction(IMAGENET, "a1", 0.2),
        prediction(RADIOMICS, "a0", 0.2),
        truth=pl.concat([labels({"a": [1]}), labels({"b": [1]}, "radiomics")]),
    )

    assert found.select("cell", "image").rows() == [(IMAGENET, "a0")]


def test_equal_image_names_of_two_centers_stay_two_images():
    names = pl.DataFrame({"arm": ["classification"] * 2, "center": ["a", "b"], "image": ["a1", "a1"], "label": [0, 1]})
    table = predictions(prediction(IMAGENET, "a1", 0.2), prediction(IMAGENET, "a1", 0.8, center="b", patient="b1"))

    found = compared(table, names)

    assert found.scores.select("center", "label", "score").rows() == [("a", 0, 0.2), ("b", 1, 0.8)]
    assert found.performance.filter(center="all").select("n_positive", "n_negative", "auc").rows() == [(1, 1, 1)]


def test_a_replicate_that_scored_an_image_in_two_jobs_is_refused():
    rows = (prediction(IMAGENET, "a1", 0.2), prediction(IMAGENET, "a1", 0.3) | {"key": "an older one"})

    with pytest.raises(StudyError, match=r"image 'a1' was scored by 2 jobs of cell .*, fold 0, seed 0"):
        scores_of(*rows)


def test_a_cell_that_the_study_does_not_have_is_refused():
    with pytest.raises(StudyError, match="holds cell 'classification/other', which is none of the study's 4"):
        scores_of(prediction("classification/other", "a1", 0.2))


def test_a_third_label_and_a_label_given_twice_are_refused():
    rows = [prediction(IMAGENET, "a1", 0.2)]

    with pytest.raises(StudyError, match="image 'a1' of arm 'classification' has label 2"):
        scores_of(*rows, truth=labels({"a": [0, 2]}))
    with pytest.raises(StudyError, match="image 'a0' of center 'a' stands more than once"):
        scores_of(*rows, truth=pl.concat([labels({"a": [0]}), labels({"a": [1]})]))
