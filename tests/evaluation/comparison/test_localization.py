"""Localization per cell, role and center: two detectors, numbers that can be checked by hand."""

from __future__ import annotations

from math import isnan, sqrt

import polars as pl
import pytest

from evaluation.comparison.comparing import CELLS
from evaluation.comparison.localization import FROC, GRID, LESIONS, LOCALIZATION, localization
from evaluation.detection.free_response import Marks, wafroc
from evaluation.tables import DETECTIONS
from search_spaces.errors import StudyError
from tests.evaluation.study_example import prediction, predictions

CHEST, SCRATCH, CLASSIFIER = "detection/yolo-chest", "detection/yolo-none", "classification/resnet18"
ARM = "detection"
HIT, NEAR, FAR = [0, 0, 10, 10], [0, 0, 10, 8], [50, 50, 60, 60]
EXTERNAL = {"role": "external"}


def cells(*names):
    rows = [(name, name.split("/")[0], name.split("/")[0], "b", "p", "i", 1, False, "not given") for name in names]
    return pl.DataFrame(rows, schema=CELLS, orient="row")


def scored(cell, images, **changes):
    """Predictions of some images; "b3" belongs to center "b"."""
    return [prediction(cell, image, 0.5, **changes) for image in images]


def box(cell, image, where, score, **changes):
    row = prediction(cell, image, score, **{"variant": "original"} | changes)
    return (
        {name: row.get(name) for name in DETECTIONS}
        | dict(zip(("x0", "y0", "x1", "y1"), where, strict=True))
        | {"class": changes.get("class", 0)}
    )


def lesions(*where, arm=ARM):
    rows = [(arm, image[0], image, *map(float, coordinates)) for image, coordinates in where]
    return pl.DataFrame(rows, schema=LESIONS, orient="row")


def found(boxes, scores, truth, *, open_external=True, of=(CHEST,), **changes):
    table = pl.DataFrame(boxes, schema=DETECTIONS, strict=False)
    return localization(table, predictions(*scores), truth, cells(*of), open_external=open_external, **changes)


def rows_of(result):
    return {(row["cell"], row["role"], row["center"]): row for row in result.localization.iter_rows(named=True)}


def one_replicate(**changes):
    """Images b0 (a lesion, hit at .9), b1 (a lesion, missed), b2 (lesion-free, marked at .6), b3 (nothing at all)."""
    boxes = [box(CHEST, "b0", HIT, 0.9, **changes), box(CHEST, "b2", FAR, 0.6, **changes)]
    return boxes, scored(CHEST, ["b0", "b1", "b2", "b3"], **changes)


TRUTH = lesions(("b0", HIT), ("b1", HIT))


def test_one_replicate_by_hand():
    row = rows_of(found(*one_replicate(), TRUTH))[CHEST, "reserve", "all"]

    assert (row["images"], row["lesion_free_images"], row["lesions"], row["replicates"]) == (4, 2, 2, 1)
    assert (row["map50"], row["map75"], row["map50_95"]) == pytest.approx((51 / 101,) * 3)
    assert [row[f"sensitivity_at_{number}"] for number in ("1_8", "1", "8")] == [0.5] * 3
    # .9 beats .6 and the unmarked image, the unmarked lesion loses to .6 and ties with the unmarked image
    assert row["afroc"] == row["wafroc"] == pytest.approx(2.5 / 4)
    assert row["mean_sensitivity"] == 0.5
    assert isnan(row["wafroc_sd"])


def test_images_without_any_detection_count():
    boxes, scores = one_replicate()

    fewer = rows_of(found(boxes, scores[:3], TRUTH))[CHEST, "reserve", "all"]

    # without the unmarked lesion-free image: .9 beats .6, the missed lesion does not
    assert (fewer["lesion_free_images"], fewer["wafroc"]) == (1, 0.5)


def test_replicates_are_measured_apart_and_averaged_never_merged():
    first, second = one_replicate(), one_replicate(fold=1)
    third = [box(CHEST, "b1", HIT, 0.1, fold=1)]

    row = rows_of(found(first[0] + second[0] + third, first[1] + second[1], TRUTH))[CHEST, "reserve", "all"]

    # fold 0 finds one lesion of two; fold 1 finds the other too, at a score below its false positive
    assert (row["replicates"], row["sensitivity_at_1"]) == (2, 0.75)
    assert row["sensitivity_at_1_sd"] == pytest.approx(0.5 / sqrt(2))
    assert (row["wafroc"], row["wafroc_sd"]) == pytest.approx(((2.5 + 3) / 8, 0.125 / sqrt(2)))
    assert (row["images"], row["lesions"], row["flag"]) == (4, 2, "")


def test_a_replicate_that_draws_nothing_counts_as_one():
    boxes, scores = one_replicate()

    row = rows_of(found(boxes, scores + scored(CHEST, ["b0", "b1", "b2", "b3"], seed=1), TRUTH))[
        CHEST, "reserve", "all"
    ]

    assert (row["replicates"], row["map50"], row["wafroc"]) == (2, pytest.approx(51 / 202), pytest.approx(4.5 / 8))
    assert row["flag"] == "zero variance"


def test_standard_errors_are_those_of_single_replicates_clustered_by_patient():
    images = ["b0", "b1", "b2", "b3", "b4", "b5"]
    places = [("b0", HIT, 0.9), ("b1", HIT, 0.3), ("b3", FAR, 0.5), ("b4", FAR, 0.2)]
    scores = [prediction(CHEST, image, 0.5, patient=f"p{int(image[1]) // 2}") for image in images]
    truth = lesions(("b0", HIT), ("b1", HIT), ("b2", HIT))

    row = rows_of(found([box(CHEST, *place) for place in places], scores, truth))[CHEST, "reserve", "all"]

    marks = Marks.of(6, [0, 1, 2], [0.9, 0.3, -float("inf")], [3, 4], [0.5, 0.2])
    assert row["wafroc_se"] == pytest.approx(wafroc(marks, [0, 0, 1, 1, 2, 2]).se)
    assert row["wafroc_se"] != pytest.approx(wafroc(marks).se)


def test_centers_stand_beside_the_pool():
    boxes = [box(CHEST, "b0", HIT, 0.9, **EXTERNAL), box(CHEST, "c0", FAR, 0.6, **EXTERNAL)]
    truth = lesions(("b0", HIT), ("c0", HIT))

    result = rows_of(found(boxes, scored(CHEST, ["b0", "b1", "c0", "c1"], **EXTERNAL), truth))

    assert {center: row["sensitivity_at_8"] for (_, _, center), row in result.items()} == {"b": 1, "c": 0, "all": 0.5}
    assert [row["images"] for row in result.values()] == [2, 2, 4]


def test_images_of_the_same_name_in_two_centers_are_two():
    boxes = [box(CHEST, "x", HIT, 0.9, center="b", **EXTERNAL)]
    scores = scored(CHEST, ["x"], center="b", **EXTERNAL) + scored(CHEST, ["x"], center="c", **EXTERNAL)
    truth = pl.DataFrame([(ARM, "c", "x", 0.0, 0.0, 10.0, 10.0)], schema=LESIONS, orient="row")

    row = rows_of(found(boxes, scores, truth))[CHEST, "external", "all"]

    assert (row["images"], row["lesions"], row["sensitivity_at_8"], row["afroc"]) == (2, 1, 0, 0)


def test_validation_and_unopened_external_images_are_left_out():
    boxes, scores = one_replicate()
    more = [one_replicate(role=role, key=role) for role in ("validation", "external")]
    every = boxes + more[0][0] + more[1][0], scores + more[0][1] + more[1][1]

    assert {role for _, role, _ in rows_of(found(*every, TRUTH))} == {"reserve", "external"}
    assert {role for _, role, _ in rows_of(found(*every, TRUTH, open_external=False))} == {"reserve"}


def test_only_original_boxes_of_the_target_class_count():
    boxes, scores = one_replicate()
    other = [box(CHEST, "b1", HIT, 0.95, variant="rotated"), box(CHEST, "b1", HIT, 0.95) | {"class": 1}]

    assert found(boxes + other, scores, TRUTH).localization.equals(found(boxes, scores, TRUTH).localization)


def test_boxes_on_images_that_have_no_prediction_are_left_out():
    boxes, scores = one_replicate()

    extra = found([*boxes, box(CHEST, "b9", FAR, 0.99)], scores, TRUTH)

    assert extra.localization.equals(found(boxes, scores, TRUTH).localization)


def test_other_tasks_have_no_rows_and_cells_keep_their_order():
    boxes, scores = one_replicate()
    other = [row | {"cell": SCRATCH, "key": "other"} for row in scores]
    classified = scored(CLASSIFIER, ["b0", "b1"])

    result = found(boxes, scores + other + classified, TRUTH, of=(SCRATCH, CLASSIFIER, CHEST))

    assert list(rows_of(result)) == [(cell, "reserve", center) for cell in (SCRATCH, CHEST) for center in ("b", "all")]


def test_lesions_of_other_arms_do_not_count():
    boxes, scores = one_replicate()

    row = rows_of(found(boxes, scores, pl.concat([TRUTH, lesions(("b2", FAR), arm="other")])))[CHEST, "reserve", "all"]

    assert row["lesions"] == 2


def test_a_larger_minimum_overlap_turns_hits_into_false_positives():
    scores = scored(CHEST, ["b0", "b1"])

    half, strict = (
        rows_of(found([box(CHEST, "b0", NEAR, 0.9)], scores, lesions(("b0", HIT)), minimum_iou=limit))
        for limit in (0.5, 0.9)
    )

    assert [one[CHEST, "reserve", "all"]["sensitivity_at_8"] for one in (half, strict)] == [1, 0]
    assert strict[CHEST, "reserve", "all"]["minimum_iou"] == 0.9
    assert strict[CHEST, "reserve", "all"]["map50"] == pytest.approx(1)


def test_without_lesions_numbers_are_nan_and_flagged_never_null():
    result = found(*one_replicate(), lesions())
    row = rows_of(result)[CHEST, "reserve", "all"]

    assert row["flag"] == "no lesions"
    assert all(isnan(row[name]) for name in ("map50", "sensitivity_at_1", "mean_sensitivity", "afroc", "wafroc"))
    assert result.localization.null_count().sum_horizontal().item() == 0
    assert result.froc.null_count().sum_horizontal().item() == 0


def test_replicates_that_scored_different_images_are_flagged():
    boxes, scores = one_replicate()

    row = rows_of(found(boxes, scores + scored(CHEST, ["b0", "b2"], fold=1), TRUTH))[CHEST, "reserve", "all"]

    assert (row["images"], row["lesions"]) == (4, 2)
    assert "replicates scored different images" in row["flag"]


def test_the_mean_curve_has_few_points_and_passes_through_the_fixed_sensitivities():
    first, second = one_replicate(), one_replicate(fold=1)
    result = found([*first[0], *second[0], box(CHEST, "b1", HIT, 0.1, fold=1)], first[1] + second[1], TRUTH)

    curve = result.froc.filter(center="all")
    row = rows_of(result)[CHEST, "reserve", "all"]

    assert (curve.height, GRID.size < 200, curve["replicates"].unique().to_list()) == (GRID.size, True, [2])
    for number, limit in (("1_8", 1 / 8), ("1_4", 1 / 4), ("1", 1), ("8", 8)):
        point = curve.filter(false_positives=limit)
        assert point["sensitivity"].item() == row[f"sensitivity_at_{number}"]
        assert point["sensitivity_sd"].item() == row[f"sensitivity_at_{number}_sd"]


def test_frames_have_their_schema_even_when_empty():
    for result in (found(*one_replicate(), TRUTH), found([], [], TRUTH)):
        assert result.localization.schema == LOCALIZATION
        assert result.froc.schema == FROC


def test_an_image_scored_by_two_jobs_is_refused():
    boxes, scores = one_replicate()

    with pytest.raises(
        StudyError, match="image 'b0' was scored by 2 jobs of cell 'detection/yolo-chest', fold 0, seed 0"
    ):
        found(boxes, [*scores, scores[0] | {"key": "older"}], TRUTH)


def test_a_faulty_table_is_refused():
    with pytest.raises(StudyError, match="Table 'lesions' lacks column 'x0'"):
        found(*one_replicate(), TRUTH.drop("x0"))
