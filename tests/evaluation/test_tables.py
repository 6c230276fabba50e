"""The check that every table passes before it is used."""

from __future__ import annotations

import polars as pl
import pytest

from evaluation.tables import DETECTIONS, PREDICTIONS, check
from search_spaces.errors import StudyError
from tests.evaluation.study_example import IMAGENET, prediction, predictions


def test_a_sound_table_comes_back_in_the_order_of_the_schema():
    table = predictions(prediction(IMAGENET, "a1", 0.5))

    found = check(table.select(reversed(table.columns)).with_columns(extra=pl.lit(1)), PREDICTIONS, "predictions")

    assert found.equals(table)


def test_narrow_numbers_and_empty_logits_take_the_types_of_the_schema():
    table = predictions(prediction(IMAGENET, "a1", 0.5))
    narrow = table.with_columns(pl.col("fold", "region").cast(pl.Int32), pl.col("score").cast(pl.Float32), logit=None)

    assert check(narrow, PREDICTIONS, "predictions").schema == pl.Schema(PREDICTIONS)


def test_an_empty_table_is_sound():
    assert check(pl.DataFrame(schema=DETECTIONS), DETECTIONS, "detections").height == 0


def test_a_missing_column_is_named():
    with pytest.raises(StudyError, match=r"'predictions' lacks column 'region'"):
        check(predictions().drop("region"), PREDICTIONS, "predictions")


def test_a_wrong_type_is_named_with_what_is_wanted():
    with pytest.raises(StudyError, match=r"column 'fold' is String, it must be Int64"):
        check(predictions().with_columns(pl.col("fold").cast(pl.String)), PREDICTIONS, "predictions")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"score": 1.5}, r"score of image 'a1' is 1.5"),
        ({"score": float("nan")}, r"score of image 'a1' is nan"),
        ({"score": None}, r"column 'score' has 1 empty"),
        ({"logit": float("inf")}, r"logit of image 'a1' is inf"),
        ({"role": "test"}, r"role of image 'a1' is 'test', it must be one of train"),
    ],
)
def test_impossible_values_are_refused_with_image_and_value(changes, problem):
    row = prediction(IMAGENET, "a1", 0.5) | changes

    with pytest.raises(StudyError, match=problem):
        check(predictions(row), PREDICTIONS, "predictions")


def test_the_same_prediction_twice_is_refused():
    row = prediction(IMAGENET, "a1", 0.5)

    with pytest.raises(StudyError, match=r"region -1, image 'a1', variant 'original' more than once"):
        check(predictions(row, row | {"score": 0.6}), PREDICTIONS, "predictions")


def test_several_boxes_of_one_image_are_no_duplicates():
    row = prediction(IMAGENET, "a1", 0.5) | {
        "variant": "original",
        "x0": 0.0,
        "y0": 0.0,
        "x1": 9.0,
        "y1": 9.0,
        "class": 0,
    }
    table = pl.DataFrame([row, row], schema_overrides=DETECTIONS)

    assert check(table, DETECTIONS, "detections").height == 2
