"""Adjusted p-values against R's p.adjust."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.multiplicity import ADJUSTMENTS, benjamini_hochberg, holm, hommel
from tests.evaluation.reference import golden

FAMILIES = {str(part["family"][0]): part for part in golden("discrimination/multiplicity").partition_by("family")}
P_VALUES = st.lists(st.floats(0, 1), max_size=30)


@pytest.mark.parametrize("method", ["holm", "hommel", "bh"])
@pytest.mark.parametrize("family", list(FAMILIES))
def test_adjusted_values_equal_p_adjust(family, method):
    found = ADJUSTMENTS[method](FAMILIES[family]["p"])

    assert found.tolist() == pytest.approx(FAMILIES[family][method].to_list(), abs=1e-15, rel=1e-13)


@pytest.mark.parametrize("method", ["holm", "hommel", "bh"])
def test_a_missing_p_value_counts_as_one_and_stays_missing(method):
    adjust = ADJUSTMENTS[method]
    found = adjust([0.02, np.nan, 0.01, np.nan, 0.6])

    assert np.isnan(found[[1, 3]]).all()
    assert found[[0, 2, 4]].tolist() == adjust([0.02, 1, 0.01, 1, 0.6])[[0, 2, 4]].tolist()


@given(P_VALUES)
@settings(max_examples=40, deadline=None)
def test_bh_is_below_hommel_below_holm_and_none_below_p(p):
    assert (np.asarray(p) <= benjamini_hochberg(p)).all()
    assert (benjamini_hochberg(p) <= hommel(p) + 1e-12).all()
    assert (hommel(p) <= holm(p) + 1e-12).all()
    assert (holm(p) <= 1).all()


@given(P_VALUES, st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_order_of_a_family_does_not_matter(p, random):
    order = random.sample(range(len(p)), len(p))

    for adjust in ADJUSTMENTS.values():
        assert adjust(np.asarray(p)[order]).tolist() == adjust(p)[order].tolist()


def test_input_is_left_alone():
    p = np.array([0.5, 0.01])

    for adjust in ADJUSTMENTS.values():
        adjust(p)

    assert p.tolist() == [0.5, 0.01]


def test_two_thousand_p_values_are_adjusted_in_half_a_second():
    p = np.random.default_rng(0).random(2000)
    begun = perf_counter()

    hommel(p)

    assert perf_counter() - begun < 0.5


@pytest.mark.parametrize("method", ["holm", "hommel", "bh"])
def test_wrong_families_are_refused(method):
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.2"):
        ADJUSTMENTS[method]([0.1, 1.2])
    with pytest.raises(ValueError, match="must be a vector"):
        ADJUSTMENTS[method]([[0.1]])
