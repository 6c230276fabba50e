"""Average precision by hand and against pycocotools."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest

from evaluation.detection.mean_average_precision import mean_average_precision
from tests.evaluation.reference import golden, golden_rows

BOX = ["x0", "y0", "x1", "y1"]
SQUARE = [0, 0, 10, 10]
FAR = [50, 50, 60, 60]


@pytest.mark.parametrize("row", golden_rows("detection/coco"), ids=lambda row: row["set"])
def test_it_equals_pycocotools_whatever_the_order_of_rows(row):
    detections, targets = (golden(f"detection/{part}").filter(set=row["set"]) for part in ("detections", "targets"))

    found = mean_average_precision(
        detections["image"],
        detections.select(BOX).to_numpy(),
        detections["score"],
        targets["image"],
        targets.select(BOX).to_numpy(),
    )

    assert (found.map50, found.map75, found.map50_95) == pytest.approx((row["map50"], row["map75"], row["map50_95"]))


def test_a_case_worked_out_by_hand():
    # Two lesions (images 1, 2). By falling score: hit on 1, false positive on the lesion-free image 3, hit on 2 with
    # an overlap of .8. At .50 precision is 1 up to recall .5 (51 of the 101 recalls 0, .01 … 1) and 2/3 beyond (50).
    # From .85 on only the first hit counts: precision 1 at 51 recalls, else 0; that holds at 3 of the 10 overlaps.
    found = mean_average_precision([1, 3, 2], [SQUARE, SQUARE, [0, 0, 10, 8]], [0.9, 0.8, 0.7], [1, 2], [SQUARE] * 2)

    strict, loose = 51 / 101, (51 + 50 * 2 / 3) / 101
    assert (found.map50, found.map75) == pytest.approx((loose, loose))
    assert found.map50_95 == pytest.approx((7 * loose + 3 * strict) / 10)
    assert (found.lesions, found.detections, found.flag) == (2, 3, "")


def test_images_without_lesions_count_by_their_false_positives():
    alone = mean_average_precision([1], [SQUARE], [0.5], [1], [SQUARE])
    beside = mean_average_precision([1, 2], [SQUARE, FAR], [0.5, 0.9], [1], [SQUARE])

    assert (alone.map50, beside.map50) == pytest.approx((1, 0.5))


def test_images_without_detections_count_by_their_missed_lesions():
    found = mean_average_precision([1], [SQUARE], [0.5], [1, 2], [SQUARE, SQUARE])

    assert found.map50 == pytest.approx(51 / 101)


def test_a_detector_that_draws_nothing_has_zero():
    found = mean_average_precision([], [], [], [1], [SQUARE])

    assert (found.map50, found.map75, found.map50_95) == (0, 0, 0)


def test_without_lesions_it_is_not_a_number_and_flagged():
    found = mean_average_precision([1], [SQUARE], [0.5], [], [])

    assert all(isnan(value) for value in (found.map50, found.map75, found.map50_95))
    assert (found.flag, found.lesions) == ("no lesions", 0)


def test_of_an_image_only_the_hundred_highest_count():
    boxes = [FAR] * 100 + [SQUARE]

    assert mean_average_precision([1] * 101, boxes, [0.9] * 100 + [0.5], [1], [SQUARE]).map50 == 0
    assert mean_average_precision([1] * 101, boxes, [0.4] * 100 + [0.5], [1], [SQUARE]).map50 == pytest.approx(1)


def test_nothing_is_printed(capsys):
    mean_average_precision([1], [SQUARE], [0.5], [1], [SQUARE])

    assert capsys.readouterr() == ("", "")


def test_faulty_input_is_refused():
    with pytest.raises(ValueError, match="1 detections with 2 images and 1 scores"):
        mean_average_precision([1, 2], [SQUARE], [0.5], [1], [SQUARE])
    with pytest.raises(ValueError, match="scores must be finite numbers, got nan"):
        mean_average_precision([1], [SQUARE], [nan], [1], [SQUARE])
    with pytest.raises(ValueError, match=r"lesions: box 0 is .* x0 < x1"):
        mean_average_precision([1], [SQUARE], [np.float32(0.5)], [1], [[0, 0, 0, 1]])
