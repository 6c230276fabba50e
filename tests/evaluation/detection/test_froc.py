"""FROC curves and their sensitivities against loops in R and numbers by hand."""

from __future__ import annotations

from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.detection.free_response import Marks
from evaluation.detection.froc import curve, sensitivities, sensitivity_at
from evaluation.resampling import Resamples
from tests.evaluation.marks_example import generated, marks
from tests.evaluation.reference import golden, golden_rows

SETS = golden("detection/lesions")["set"].unique(maintain_order=True).to_list()

HAND = Marks.of(4, [0, 0, 1], [0.9, 0.4, -inf], [0, 2, 3, 3], [0.6, 0.4, 0.7, 0.1])
"""Two of three lesions are marked; false positives on one image with lesions and on two without."""


@pytest.mark.parametrize("variant", ["all images", "lesion-free images"])
@pytest.mark.parametrize("name", SETS)
def test_sensitivities_equal_the_loops_written_in_r(name, variant):
    expected = [
        row for row in golden_rows("detection/sensitivities") if (row["set"], row["variant"]) == (name, variant)
    ]

    found = sensitivity_at(marks(name), [row["false_positives"] for row in expected], variant)

    assert found.tolist() == pytest.approx([row["sensitivity"] for row in expected], abs=1e-12)


def test_the_curve_rises_where_another_lesion_is_found():
    # Falling: .9 hit; .7, .6 false; .4 hit with a false positive on image 2; .1 false.
    found = curve(HAND)

    assert found.threshold.tolist() == [inf, 0.9, 0.4, 0.1]
    assert found.false_positives.tolist() == [0, 0, 3 / 4, 1]
    assert found.sensitivity.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3])
    assert found.method == "FROC, attainable points, false positives per image of all images"


def test_false_positives_on_lesion_free_images_have_their_own_denominator():
    found = curve(HAND, "lesion-free images")

    assert found.false_positives.tolist() == [0, 0, 1, 1.5]
    assert found.method.endswith("of lesion-free images")


def test_only_points_within_the_limit_count_and_the_limit_itself_does():
    found = sensitivity_at(HAND, [0, 0.74, 0.75, 8])

    assert found.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3])


def test_a_tie_of_hit_and_false_positive_counts_both():
    tied = Marks.of(2, [0], [0.5], [1], [0.5])

    assert sensitivity_at(tied, [0.4, 0.5]).tolist() == [0, 1]


def test_a_detector_that_marks_nothing_finds_nothing():
    silent = Marks.of(2, [0], [-inf], [], [])

    assert sensitivity_at(silent).tolist() == [0] * 7
    assert (curve(silent).threshold.tolist(), curve(silent).sensitivity.tolist()) == ([inf], [0])


def test_without_lesions_or_lesion_free_images_it_is_not_a_number_and_flagged():
    healthy, diseased = Marks.of(2, [], [], [0], [0.5]), Marks.of(1, [0], [0.5], [0], [0.2])

    assert (curve(healthy).flag, curve(diseased, "lesion-free images").flag) == ("no lesions", "no lesion-free images")
    assert np.isnan(sensitivity_at(healthy)).all()
    assert np.isnan(sensitivity_at(diseased, denominator="lesion-free images")).all()
    assert sensitivity_at(diseased).tolist() == [1] * 7


@pytest.mark.parametrize("variant", ["all images", "lesion-free images"])
@pytest.mark.parametrize("patients", [np.arange(60), np.arange(60) ** 2 // 60], ids=["one image", "several images"])
def test_intervals_are_percentiles_of_curves_of_the_images_as_often_as_drawn(patients, variant):
    one = marks("several")
    resamples = Resamples.of(one.has_lesion, patients, draws=60, seed=4)

    found = sensitivities(one, resamples, denominator=variant)

    drawn = np.array([redrawn(one, counts, variant) for chunk in resamples.chunks() for counts in chunk])
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    assert [single.sensitivity for single in found.single] == sensitivity_at(one, denominator=variant).tolist()
    assert [single.low for single in found.single] == pytest.approx(low.tolist())
    assert [single.high for single in found.single] == pytest.approx(high.tolist())
    assert found.mean.sensitivity == pytest.approx(sensitivity_at(one, denominator=variant).mean())
    assert (found.mean.low, found.mean.high) == pytest.approx(tuple(np.quantile(drawn.mean(axis=1), [0.025, 0.975])))


def redrawn(one, counts, variant):
    """Sensitivities of the images repeated as drawn."""
    images = np.repeat(np.arange(one.count), counts.astype(int))
    lesions, false = (images[:, None] == part for part in (one.lesion_images, one.false_images))
    lesion_place, lesion = np.nonzero(lesions)
    false_place, mark = np.nonzero(false)
    scores = one.lesion_scores[lesion], one.false_scores[mark]
    return sensitivity_at(Marks.of(images.size, lesion_place, scores[0], false_place, scores[1]), denominator=variant)


def test_whole_patients_are_drawn():
    one = generated(3)
    images = sensitivities(one, Resamples.of(one.has_lesion, draws=200))
    patients = sensitivities(one, Resamples.of(one.has_lesion, np.arange(40) // 4, draws=200))

    assert patients.mean.method.endswith("percentile bootstrap of patients, stratified by class")
    assert (patients.mean.low, patients.mean.high) != (images.mean.low, images.mean.high)
    assert patients.mean.sensitivity == images.mean.sensitivity


def test_draws_without_lesions_are_left_out_and_flagged():
    one = Marks.of(4, [0], [0.5], [1, 2], [0.4, 0.6])

    found = sensitivities(one, Resamples.of([1, 1, 0, 0], draws=200))

    # The resamples take image 1 for one with lesions, so that some draws have none.
    assert found.single[0].flag.startswith("undefined in")
    assert found.single[0].high == 1


def test_undefined_sensitivities_have_no_interval():
    found = sensitivities(Marks.of(2, [], [], [0], [0.5]), Resamples.of([0, 0], draws=20))

    assert found.mean.flag == "no lesions"
    assert all(isnan(value) for value in (found.mean.sensitivity, found.mean.low, found.mean.high))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_more_false_positives_never_find_fewer_lesions(seed):
    found = sensitivity_at(generated(seed), np.linspace(0, 3, 31))

    assert (np.diff(found) >= 0).all()
    assert found[-1] == np.isfinite(generated(seed).lesion_scores).mean()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_a_monotone_transform_of_the_scores_changes_nothing(seed):
    one = generated(seed)
    changed = Marks.of(40, one.lesion_images, 3 * one.lesion_scores + 1, one.false_images, 3 * one.false_scores + 1)

    assert sensitivity_at(changed).tolist() == sensitivity_at(one).tolist()


def test_faulty_input_is_refused():
    with pytest.raises(ValueError, match=r"numbers of at least 0, got \[-1\.0\]"):
        sensitivity_at(HAND, [-1])
    with pytest.raises(ValueError, match="at least 0"):
        sensitivity_at(HAND, [nan])
    with pytest.raises(ValueError, match="denominator must be one of all images, lesion-free images, got 'healthy'"):
        curve(HAND, "healthy")
    with pytest.raises(ValueError, match="the resamples are of 2 images, the marks of 4"):
        sensitivities(HAND, Resamples.of([0, 1]))
