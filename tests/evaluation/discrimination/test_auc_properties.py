"""What holds for every AUC, difference and resample, whatever the data."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.discrimination.areas import auc, auc_difference
from evaluation.resampling import Resamples, auc_difference_bootstrap, resampled_auc

QUICK = settings(max_examples=60, deadline=None)


@st.composite
def paired_scores(draw):
    """Labels with at least two of each class, and two scores with many ties."""
    size = draw(st.integers(4, 40))
    labels = np.array([1, 1, 0, 0, *draw(st.lists(st.integers(0, 1), min_size=size - 4, max_size=size - 4))])
    first, second = (np.array(draw(st.lists(st.integers(-4, 4), min_size=size, max_size=size))) for _ in "ab")
    return labels, first / 4, second / 4


def numbers(found):
    return [found.difference, found.se, found.low, found.high, found.z, found.p]


@QUICK
@given(paired_scores(), st.integers(0, 2**32 - 1))
def test_the_order_of_the_cases_does_not_matter(cases, seed):
    labels, first, second = cases
    mixed = np.random.default_rng(seed).permutation(labels.size)

    straight, shuffled = (
        auc_difference(labels, first, second),
        auc_difference(labels[mixed], first[mixed], second[mixed]),
    )

    assert numbers(shuffled) == pytest.approx(numbers(straight), abs=1e-9, nan_ok=True)


@QUICK
@given(paired_scores())
def test_a_rising_transformation_of_a_score_changes_nothing(cases):
    labels, first, second = cases

    plain, transformed = auc_difference(labels, first, second), auc_difference(labels, np.exp(first) * 7 - 3, second)

    assert numbers(transformed) == numbers(plain)


@QUICK
@given(paired_scores())
def test_a_falling_transformation_mirrors_the_auc(cases):
    labels, first, _ = cases

    assert auc(labels, -first).auc == pytest.approx(1 - auc(labels, first).auc, abs=1e-12)


@QUICK
@given(paired_scores())
def test_swapped_scores_give_the_opposite_difference_and_the_same_p(cases):
    labels, first, second = cases
    forth, back = auc_difference(labels, first, second), auc_difference(labels, second, first)

    assert (back.difference, back.z, back.p) == (-forth.difference, -forth.z, forth.p)
    assert (back.low, back.high) == (-forth.high, -forth.low)


@QUICK
@given(paired_scores())
def test_one_image_per_patient_is_the_unclustered_method(cases):
    labels, first, second = cases

    assert auc_difference(labels, first, second, np.arange(labels.size)) == auc_difference(labels, first, second)


@QUICK
@given(paired_scores())
def test_areas_intervals_and_p_values_stay_within_their_bounds(cases):
    labels, first, second = cases
    area, gap = auc(labels, first), auc_difference(labels, first, second)

    assert 0 <= area.low <= area.auc <= area.high <= 1
    assert -1 <= gap.difference <= 1
    assert 0 <= gap.p <= 1 or isnan(gap.p)


@QUICK
@given(paired_scores())
def test_a_score_against_itself_has_p_exactly_one(cases):
    labels, first, _ = cases

    assert (auc_difference(labels, first, first).p, auc_difference(labels, first, first).z) == (1, 0)


@settings(max_examples=15, deadline=None)
@given(paired_scores())
def test_resampled_areas_follow_the_same_rules(cases):
    labels, first, second = cases
    resamples = Resamples.of(labels, draws=50)

    drawn = resampled_auc(labels, first, resamples)
    mirrored = resampled_auc(labels, -first, resamples)

    assert ((drawn >= 0) & (drawn <= 1)).all()
    assert drawn + mirrored == pytest.approx(np.ones(50), abs=1e-12)
    assert auc_difference_bootstrap(labels, first, np.exp(first), resamples).p == 1
    assert auc_difference_bootstrap(labels, first, second, resamples).estimate == pytest.approx(
        auc_difference(labels, first, second).difference, abs=1e-12
    )
