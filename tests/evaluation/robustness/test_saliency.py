"""Heat maps against boxes by hand, and their summaries against R."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.decisions.proportions import clopper_pearson
from evaluation.robustness.saliency import saliency, summarize
from tests.evaluation.reference import golden, golden_rows

# Rows are y, columns are x; the box (1, 0, 3, 2) holds the four pixels 8, 4, 2, 2.
HEAT = [[0, 8, 4, 0], [1, 2, 2, 3], [0, 0, 0, 0]]
BOX = [[1, 0, 3, 2]]


def test_a_map_is_measured_as_by_hand():
    found = saliency(HEAT, BOX)

    assert found.hit
    assert found.chance == 4 / 12
    assert found.energy == 16 / 20
    # Cut at 1.2: 8, 4, 2, 2, 3; at 2: the same; at 4: 8, 4; the four highest: 8, 4, 3 and both tied 2.
    assert (found.iou_15, found.iou_25, found.iou_50, found.iou_same_area) == (4 / 5, 4 / 5, 2 / 4, 4 / 5)


def test_boxes_are_half_open():
    heat = [[0, 0, 5], [0, 0, 0]]

    assert not saliency(heat, [[0, 0, 2, 1]]).hit
    assert saliency(heat, [[0, 0, 3, 1]]).hit
    assert saliency(heat, [[2, 0, 3, 1]]).chance == 1 / 6


def test_a_pixel_belongs_to_a_box_with_fractions_if_its_number_lies_in_it():
    assert saliency([[1, 2, 4, 8]], [[0.5, 0, 3.0, 1]]).energy == 6 / 15
    assert saliency([[1, 2, 4, 8]], [[-7, -7, 2.1, 9]]).energy == 7 / 15


def test_overlapping_boxes_count_their_pixels_once():
    found = saliency(HEAT, [*BOX, [2, 0, 4, 2]])

    assert found.chance == 6 / 12
    assert found.energy == 19 / 20


def test_tied_maxima_hit_only_if_all_of_them_lie_in_a_box():
    assert not saliency([[5, 0, 5]], [[0, 0, 1, 1]]).hit
    assert saliency([[5, 0, 5]], [[0, 0, 1, 1], [2, 0, 3, 1]]).hit


def test_the_maximum_may_be_looked_for_in_a_part_of_the_map():
    # A map of one row of cells, drawn twice as fine: beyond the middle of the first cell its value only goes on.
    heat, box = [[6, 6, 4, 2]], [[1, 0, 3, 1]]

    assert not saliency(heat, box).hit
    assert saliency(heat, box, [[False, True, True, False]]).hit
    assert saliency(heat, box, [[False] * 4]) == saliency(heat, box), "where nothing is left, all counts"
    with pytest.raises(ValueError, match="`within` must have the map's shape"):
        saliency(heat, box, [[True]])


def test_a_map_that_is_zero_everywhere_hits_nothing_and_has_no_energy():
    found = saliency(np.zeros((4, 4)), [[0, 0, 4, 4]])

    assert not found.hit
    assert isnan(found.energy)
    assert (found.iou_15, found.iou_same_area, found.flag) == (0, 0, "zero map")


def test_the_cut_at_the_boxes_area_takes_as_many_pixels_as_the_boxes_have():
    heat = np.arange(1, 17).reshape(4, 4)

    # The box holds 11, 12, 15, 16; the four highest are 13 to 16.
    assert saliency(heat, [[2, 2, 4, 4]]).iou_same_area == 2 / 6


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1e-300, 0.5, 8.0, 1e305]))
def test_scaling_or_turning_a_map_changes_nothing(seed, factor):
    rng = np.random.default_rng(seed)
    heat = rng.integers(0, 9, (6, 9)).astype(float)
    x0, y0 = rng.integers(0, 4, 2)
    x1, y1 = x0 + rng.integers(1, 5), y0 + rng.integers(1, 3)

    found = saliency(heat, [[x0, y0, x1, y1]])

    assert saliency(heat.T, [[y0, x0, y1, x1]]) == found
    scaled = saliency(heat * factor, [[x0, y0, x1, y1]])
    assert (scaled.hit, scaled.chance, scaled.iou_same_area) == (found.hit, found.chance, found.iou_same_area)
    assert scaled.energy == pytest.approx(found.energy, nan_ok=True)
    assert 0 <= found.iou_15 <= 1
    everywhere = saliency(heat, [[0, 0, 9, 6]])
    assert (everywhere.hit, everywhere.chance, everywhere.energy) == (True, 1, pytest.approx(1))


@pytest.mark.parametrize("place", range(3))
def test_summaries_of_patients_with_several_images_equal_rs(place):
    row, heat = golden_rows("robustness/heat_summary")[place], golden("robustness/heat")

    found = summarize(heat["hit"], heat["energy"], [0.25] * heat.height, heat["patient"], heat["correct"])[place]

    assert (found.decisions, found.images, found.patients) == (row["decisions"], row["images"], row["patients"])
    assert (found.pointing.value, found.energy.value) == pytest.approx((row["hit"], row["energy"]))
    for interval, se in ((found.pointing, row["hit_se"]), (found.energy, row["energy_se"])):
        assert interval.high - interval.low == pytest.approx(2 * 1.959963984540054 * se, rel=1e-6)
    assert found.pointing_method == found.energy_method == "normal, clustered by patient"
    assert found.chance == 0.25


def test_one_image_per_patient_has_the_exact_interval_of_a_proportion():
    energies = np.array([0.2, 0.4, 0.9, 0.6])

    (found,) = summarize([1, 0, 1, 1], energies, [0.1, 0.2, 0.3, 0.4])

    assert found.pointing == clopper_pearson(3, 4)
    assert (found.pointing_method, found.energy_method) == ("Clopper-Pearson", "normal")
    assert found.chance == pytest.approx(0.25)
    # The standard error of a mean.
    assert found.energy.value - found.energy.low == pytest.approx(1.959963984540054 * energies.std(ddof=1) / 2)
    assert summarize([1, 0, 1, 1], energies, [0.1, 0.2, 0.3, 0.4], ["d", "b", "a", "c"]) == [found]


def test_zero_maps_count_as_misses_and_are_left_out_of_the_energy():
    (found,) = summarize([1, 0, 0], [0.5, nan, 0.7], [0.5] * 3)

    assert found.pointing.value == 1 / 3
    assert found.energy.value == pytest.approx(0.6)
    assert found.flag == "zero maps: 1"


def test_what_has_no_interval_is_flagged():
    alike = summarize([1, 1, 1], [0.5] * 3, [0.5] * 3, ["a", "a", "b"])[0]
    alone = summarize([1, 0], [0.5, 0.1], [0.5] * 2, ["a", "a"])[0]

    assert alike.flag == "pointing: zero variance; energy: zero variance"
    assert alone.flag == "pointing: one patient; energy: one patient"
    assert isnan(alone.energy.low)


def test_decisions_of_which_there_is_none_are_left_open():
    everything, right, wrong = summarize([1, 0], [0.5, 0.1], [0.5] * 2, correct=[True, True])

    assert (everything.images, right.images, wrong.images) == (2, 2, 0)
    assert isnan(wrong.pointing.value)
    assert isnan(wrong.energy.value)
    assert wrong.flag == "no images"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: saliency([[1, -0.5]], BOX), "heat must be finite and at least 0, found -0.5"),
        (lambda: saliency([[1, nan]], BOX), "heat must be finite and at least 0, found nan"),
        (lambda: saliency([1, 2], BOX), r"h x w pixels, got shape \(2,\)"),
        (lambda: saliency(HEAT, []), "boxes must be at least one row"),
        (lambda: saliency(HEAT, [[1, 2, 3]]), r"got shape \(1, 3\)"),
        (lambda: saliency(HEAT, [[3, 0, 1, 2]]), "x0 < x1 and y0 < y1"),
        (lambda: saliency(HEAT, [[4, 0, 6, 2]]), "no pixel of the 3 x 4 map lies in the boxes"),
        (lambda: summarize([1], [0.5, 0.5], [0.5]), r"each image needs hit, energy and chance, got \(1,\), \(2,\)"),
        (lambda: summarize([2], [0.5], [0.5]), "hits must be 0 or 1, found 2"),
        (lambda: summarize([1], [0.5], [0]), r"chances must be in \(0, 1\], found 0"),
        (lambda: summarize([1], [1.5], [0.5]), r"energies must lie in \[0, 1\] or be NaN, found 1.5"),
        (lambda: summarize([1], [0.5], [0.5], ["a", "b"]), "1 images need as many patients"),
    ],
)
def test_wrong_input_is_refused_with_its_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
