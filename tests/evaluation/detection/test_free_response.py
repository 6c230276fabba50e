"""Areas under the AFROC and weighted AFROC curve against RJafroc, loops in R and numbers by hand."""

from __future__ import annotations

from math import inf, isnan, nan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.detection.free_response import Marks, afroc, afroc_placements, wafroc, wafroc_placements
from evaluation.discrimination import delong
from evaluation.discrimination.areas import auc, difference
from evaluation.discrimination.clustered import Clusters
from tests.evaluation.marks_example import generated, marks, weights
from tests.evaluation.reference import golden_rows

SQUARE = [0, 0, 10, 10]
AREAS = golden_rows("detection/areas")


@pytest.mark.parametrize("row", golden_rows("detection/rjafroc"), ids=lambda row: row["set"])
def test_areas_equal_rjafrocs(row):
    one = marks(row["set"])

    found = afroc(one).auc, wafroc(one).auc, wafroc(one, weights=weights(row["set"])).auc

    assert found == pytest.approx((row["afroc"], row["wafroc"], row["uneven"]), abs=1e-12)


@pytest.mark.parametrize("row", AREAS, ids=lambda row: row["set"])
def test_standard_errors_equal_the_loops_written_in_r(row):
    one = marks(row["set"])

    # The weighted area is linear in each sample, so that the jackknife within samples gives DeLong's variance exactly.
    assert wafroc(one).se ** 2 == pytest.approx(row["wafroc_variance"], abs=1e-15)
    assert wafroc(one, weights=weights(row["set"])).se ** 2 == pytest.approx(row["uneven_variance"], abs=1e-15)
    assert afroc(one).se ** 2 == pytest.approx(row["afroc_variance"], abs=1e-15)


@pytest.mark.parametrize("name", ["several", "tied", "busy"])
def test_the_linearized_variance_is_near_the_jackknifes(name):
    row = next(row for row in AREAS if row["set"] == name)

    assert afroc(marks(name)).se ** 2 == pytest.approx(row["afroc_jackknife"], rel=0.03)


def test_three_lesions_and_two_lesion_free_images_by_hand():
    # Lesions .9 and unmarked on image 0, .4 on image 2; highest false positives .5, .3, .9 on 1 (twice) and 2: image 2
    # has a lesion, so its .9 does not count; image 1 scores .5, image 3 scores .4.
    # .9 beats both, the unmarked one neither, .4 ties with .4: AFROC (2 + 0 + .5) / 6, weighted ((1/2) 2 + .5) / 4.
    one = marks("tiny")

    assert (afroc(one).auc, wafroc(one).auc) == (pytest.approx(2.5 / 6), pytest.approx(1.5 / 4))


def test_with_one_lesion_per_image_both_are_the_auc_of_the_lesion_scores():
    one = marks("one_each")
    scores = np.where(one.has_lesion, -inf, one.highest_false)
    scores[one.lesion_images] = one.lesion_scores
    expected = auc(one.has_lesion.astype(int), scores)

    for found in (afroc(one), wafroc(one)):
        assert (found.auc, found.se, found.low) == pytest.approx((expected.auc, expected.se, expected.low))


def test_a_detector_that_marks_nothing_has_one_half_without_variance():
    found = wafroc(marks("silent"))

    assert (found.auc, found.se, found.flag) == (0.5, 0, "zero variance")


def test_lesions_above_every_false_positive_give_one():
    found = wafroc(marks("perfect"))

    assert (found.auc, found.low, found.high, found.flag) == (1, 1, 1, "zero variance")


def test_false_positives_on_images_with_lesions_do_not_count():
    plain = Marks.of(3, [0], [0.5], [1, 2], [0.6, 0.4])
    more = Marks.of(3, [0], [0.5], [1, 2, 0], [0.6, 0.4, 0.9])

    assert afroc(plain).auc == afroc(more).auc == 0.5


def test_without_lesion_free_images_or_lesions_it_is_not_a_number_and_flagged():
    diseased, healthy = Marks.of(2, [0, 1], [0.5, 0.6], [0], [0.1]), Marks.of(2, [], [], [0], [0.1])

    for area in (afroc, wafroc):
        assert (area(diseased).flag, area(healthy).flag) == ("no lesion-free images", "no lesions")
        assert all(isnan(area(one).auc) and isnan(area(one).se) for one in (diseased, healthy))


def test_placements_need_both_kinds_of_images():
    with pytest.raises(ValueError, match="images with and without lesions are needed, got no lesions"):
        wafroc_placements(Marks.of(2, [], [], [0], [0.1]))


def test_one_image_with_lesions_has_an_area_and_no_standard_error():
    found = wafroc(Marks.of(3, [0, 0], [0.5, 0.2], [1], [0.4]))

    # .5 beats both images, .2 beats the unmarked one
    assert (found.auc, found.flag, isnan(found.se)) == (0.75, "one positive", True)


def test_patients_with_several_images_are_clustered():
    one = generated(1)
    placed, patients = wafroc_placements(one), np.arange(40) // 2
    clusters = Clusters.of(one.has_lesion, patients)

    found = wafroc(one, patients)

    assert (found.method, wafroc(one, np.arange(40)).method) == ("wAFROC, clustered (Obuchowski)", "wAFROC, DeLong")
    assert found.se != wafroc(one).se
    assert (clusters.positive.size, clusters.negative.size) == (placed.positive.size, placed.negative.size)


def test_clustering_agrees_with_a_bootstrap_of_patients():
    rng = np.random.default_rng(5)
    kind = np.repeat(rng.integers(0, 2, 150), 4) == 1
    effect = np.repeat(rng.normal(size=150), 4)
    lesions = np.repeat(np.flatnonzero(kind), 2)
    alarms = np.arange(600)
    one = Marks.of(
        600, lesions, rng.normal(size=lesions.size) + 1 + effect[lesions], alarms, rng.normal(size=600) + effect
    )
    groups = np.arange(600).reshape(150, 4)

    def again():
        chosen = groups[rng.integers(0, 150, 150)].ravel()
        lesion_score = one.lesion_scores.reshape(-1, 2)
        place = np.cumsum(kind) - 1
        sick, well = chosen[kind[chosen]], chosen[~kind[chosen]]
        below = np.searchsorted(np.sort(one.false_scores[well]), lesion_score[place[sick]])
        return below.mean() / well.size

    assert afroc(one, np.arange(600) // 4).se == pytest.approx(np.std([again() for _ in range(500)]), rel=0.1)
    assert afroc(one).se < 0.75 * afroc(one, np.arange(600) // 4).se


def test_placements_serve_the_paired_difference_of_two_detectors():
    first, second = wafroc_placements(generated(1)), wafroc_placements(generated(1))
    other = Marks.of(40, generated(1).lesion_images, generated(2).lesion_scores, [], [])

    assert difference(first, second).p == 1
    assert difference(first, wafroc_placements(other)).difference == pytest.approx(
        wafroc(generated(1)).auc - wafroc(other).auc
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_a_monotone_transform_of_the_scores_changes_nothing(seed):
    one = generated(seed)
    changed = Marks.of(40, one.lesion_images, 3 * one.lesion_scores + 1, one.false_images, 3 * one.false_scores + 1)

    assert (afroc(changed), wafroc(changed)) == (afroc(one), wafroc(one))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_components_average_to_the_area_within_zero_and_one(seed):
    one = generated(seed)

    for placed in (afroc_placements(one), wafroc_placements(one)):
        assert 0 <= placed.auc <= 1
        assert (placed.positive.mean(), placed.negative.mean()) == pytest.approx((placed.auc, placed.auc))


def test_the_standard_error_is_delongs_of_the_components():
    placed = afroc_placements(generated(3))

    assert afroc(generated(3)).se == sqrt(delong.variance(placed.positive, placed.negative))


def test_boxes_become_marks():
    found = Marks.found(3, [0, 0, 2], [SQUARE, SQUARE, SQUARE], [0.5, 0.9, 0.3], [0, 1], [SQUARE, SQUARE])

    assert (found.lesion_scores.tolist(), found.has_lesion.tolist()) == ([0.9, -inf], [True, True, False])
    assert (found.false_images.tolist(), found.highest_false.tolist()) == ([0, 2], [0.5, -inf, 0.3])


def test_marks_of_some_images_are_numbered_anew():
    part = marks("tiny").on(np.array([False, True, True, True]))

    assert (part.count, part.lesion_images.tolist(), part.lesion_scores.tolist()) == (3, [1], [0.4])
    assert (part.false_images.tolist(), part.false_scores.tolist()) == ([0, 0, 1, 2], [0.5, 0.3, 0.9, 0.4])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0], [nan], [], []), "lesion_scores must be finite numbers, got nan"),
        (([0], [0.5], [0], [-inf]), "false_scores hold -infinity"),
        (([0, 1], [0.5], [], []), "lesion_images and lesion_scores must be equally long"),
        (([2], [0.5], [], []), r"lesion_images must lie in 0 … 1, got 2 … 2"),
        (([0], [0.5], [-1], [0.5]), "false_images must lie in 0 … 1"),
    ],
)
def test_faulty_marks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Marks.of(2, *arguments)


def test_faulty_weights_are_refused():
    one = marks("tiny")

    with pytest.raises(ValueError, match=r"weights must sum to 1 in each image with lesions, got 1\.5"):
        wafroc(one, weights=[0.5, 1, 1])
    with pytest.raises(ValueError, match="weights must be 3 numbers of at least 0"):
        wafroc(one, weights=[-0.5, 1.5, 1])
    with pytest.raises(ValueError, match="one per lesion"):
        wafroc(one, weights=[1, 1])
