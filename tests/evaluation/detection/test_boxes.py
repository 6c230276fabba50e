"""Overlap of boxes by hand, and the matching of detections against loops written in R."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.detection.boxes import iou, match, match_images
from tests.evaluation.reference import golden

SQUARE = [0, 0, 10, 10]
BOX = ["x0", "y0", "x1", "y1"]


def test_overlap_is_the_shared_area_over_the_area_of_both():
    # shared 5 * 10 of 100 + 100 - 50; a quarter inside; the same box; touching only
    found = iou([SQUARE], [[5, 0, 15, 10], [0, 0, 5, 5], SQUARE, [10, 0, 20, 10]])

    assert found.tolist() == [[50 / 150, 0.25, 1, 0]]


def test_boxes_far_apart_in_both_directions_do_not_overlap():
    assert iou([SQUARE], [[20, 20, 30, 30]]).tolist() == [[0]]


def test_every_box_meets_every_other():
    assert iou([SQUARE] * 3, [SQUARE] * 2).shape == (3, 2)
    assert iou([], [SQUARE]).shape == (0, 1)


@pytest.mark.parametrize("wrong", [[0, 0, 0, 5], [0, 5, 5, 5], [5, 0, 4, 5], [0, 0, nan, 5], [0, 0, inf, 5]])
def test_boxes_without_area_or_with_unknown_coordinates_are_refused(wrong):
    with pytest.raises(ValueError, match=r"first: box 1 is .* x0 < x1 and y0 < y1"):
        iou([SQUARE, wrong], [SQUARE])


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape \(n, 4\), got \(4,\)"):
        iou(SQUARE, [SQUARE])


def test_a_further_detection_of_a_lesion_is_a_false_positive():
    found = match([SQUARE, [0, 0, 10, 9], [50, 50, 60, 60]], [0.6, 0.8, 0.9], [SQUARE])

    assert found.lesion.tolist() == [-1, 0, -1]
    assert found.false_positive.tolist() == [True, False, True]
    assert found.lesion_score.tolist() == [0.8]


def test_a_detection_takes_the_lesion_it_overlaps_most_of_those_left():
    lesions = [[0, 0, 10, 10], [0, 0, 10, 12]]
    found = match([[0, 0, 10, 12], [0, 0, 10, 11.9]], [0.9, 0.8], lesions)

    assert found.lesion.tolist() == [1, 0]
    assert found.lesion_score.tolist() == [0.8, 0.9]


def test_an_overlap_of_exactly_the_minimum_suffices():
    half = [0, 0, 5, 10]

    assert match([half], [0.5], [SQUARE], 0.5).lesion.tolist() == [0]
    assert match([half], [0.5], [SQUARE], 0.51).lesion.tolist() == [-1]


def test_lesions_that_nothing_marks_score_minus_infinity():
    assert match([], [], [SQUARE, SQUARE]).lesion_score.tolist() == [-inf, -inf]
    assert match([SQUARE], [0.5], []).lesion.tolist() == [-1]


def test_a_detection_finds_lesions_of_its_own_image_only():
    found = match_images([3, 7], [SQUARE, SQUARE], [0.5, 0.9], [7, 5], [SQUARE, SQUARE])

    assert found.lesion.tolist() == [-1, 0]


@pytest.mark.parametrize("limit", [30, 50, 75])
@pytest.mark.parametrize("name", ["distinct", "tied"])
def test_matches_equal_the_loops_written_in_r(name, limit):
    detections = golden("detection/detections").filter(set=name)
    targets = golden("detection/targets").with_row_index("row").filter(set=name)

    found = match_images(
        detections["image"],
        detections.select(BOX).to_numpy(),
        detections["score"],
        targets["image"],
        targets.select(BOX).to_numpy(),
        limit / 100,
    )

    rows = np.append(targets["row"].to_numpy().astype(int), -1)
    assert rows[found.lesion].tolist() == detections[f"lesion_{limit}"].to_list()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_rows_never_matters(seed):
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 7, (16, 2))
    boxes = np.hstack([corner, corner + rng.integers(3, 7, (16, 2))])
    images, scores, order = np.arange(16) % 2, rng.integers(0, 4, 16), rng.permutation(16)
    drawn, marked = order[order < 10], order[order >= 10]

    plain = match_images(images[:10], boxes[:10], scores[:10], images[10:], boxes[10:], 0.3)
    mixed = match_images(images[drawn], boxes[drawn], scores[drawn], images[marked], boxes[marked], 0.3)

    assert found(mixed, images[marked], boxes[marked]) == found(plain, images[10:], boxes[10:])


def found(matches, images, lesions):
    """Lesions with their scores in a fixed order, because equal lesions are interchangeable."""
    return sorted(zip(images.tolist(), lesions.tolist(), matches.lesion_score.tolist(), strict=True))


def test_unequal_lengths_and_faulty_scores_are_refused():
    with pytest.raises(ValueError, match=r"scores must be a vector with one entry per box \(1\), got shape \(2,\)"):
        match([SQUARE], [0.5, 0.6], [SQUARE])
    with pytest.raises(ValueError, match="1 of 2 scores are not finite, the first is nan"):
        match([SQUARE, SQUARE], [0.5, nan], [SQUARE])
    with pytest.raises(ValueError, match="images must be a vector"):
        match_images([1, 2], [SQUARE], [0.5], [1], [SQUARE])


@pytest.mark.parametrize("minimum", [0, 1.1, nan])
def test_a_minimum_overlap_outside_zero_and_one_is_refused(minimum):
    with pytest.raises(ValueError, match="minimum_iou must be above 0 and at most 1"):
        match([SQUARE], [0.5], [SQUARE], minimum)
