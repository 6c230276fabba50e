"""Maps as tables keep them, resampled by hand and ranked as R's `cor(method = "spearman")` does."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evaluation.robustness.heat import MAPS, finer, packed, rank_correlation, unpacked
from evaluation.tables import SALIENCY


def test_a_map_is_kept_to_three_digits_however_small_its_evidence_is():
    heat = np.array([[0.0, 1.0, 2.5], [3.0, 1e-3, 4.0]]) * 1e-9

    kept = packed(heat)

    assert (kept["rows"], kept["columns"], kept["highest"]) == (2, 3, 4e-9)
    assert len(kept["heat"]) == 12
    (again,) = unpacked([kept["heat"]], [kept["highest"]], 2, 3)
    np.testing.assert_allclose(again, heat, rtol=1e-3)


@pytest.mark.parametrize("heat", [[[-1.0, 2.0]], [[np.nan, 2.0]], [[np.inf, 2.0]], [1.0, 2.0]])
def test_a_map_with_evidence_below_zero_or_infinite_is_refused(heat):
    with pytest.raises(ValueError, match="finite numbers of at least 0"):
        packed(heat)


def test_a_job_writes_the_columns_that_are_left_after_its_identity():
    assert set(SALIENCY) - set(MAPS) == {"key", "fit_key", "cell", "fold", "seed"}
    assert pl.DataFrame(schema=MAPS).columns == [name for name in SALIENCY if name in MAPS]


def test_values_stand_in_the_middle_of_their_cells_and_go_on_beyond_the_outer_ones():
    heats = np.array([[[0.0, 4.0]], [[8.0, 0.0]]])

    found = finer(heats, np.array([0.1, 0.9]), np.array([0.0, 0.25, 0.5, 0.75, 1.0]))

    assert found.shape == (2, 2, 5)
    assert found[0, 0].tolist() == found[0, 1].tolist() == [0, 0, 2, 4, 4]
    assert found[1, 0].tolist() == [8, 8, 4, 0, 0]


def test_every_map_may_be_looked_at_in_places_of_its_own():
    heats = np.array([[[0.0, 4.0]], [[0.0, 4.0]]])

    found = finer(heats, np.array([[0.5], [0.5]]), np.array([[0.5], [0.75]]))

    assert found.ravel().tolist() == [2, 4]


def test_the_same_map_and_its_opposite_correlate_perfectly():
    heat = np.arange(49.0).reshape(7, 7)

    assert rank_correlation(heat, heat) == pytest.approx(1)
    assert rank_correlation(heat, heat * 1e-9) == pytest.approx(1), "maps have no common scale"
    assert rank_correlation(heat, 48 - heat) == pytest.approx(-1)


def test_maps_of_two_sizes_are_compared_place_by_place():
    columns = np.tile(np.arange(4.0), (4, 1))

    assert rank_correlation(columns, np.tile(np.arange(8.0), (2, 1))) == pytest.approx(1, abs=0.01)
    assert rank_correlation(columns, columns.T) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("other", [np.zeros((2, 2)), np.full((2, 2), 3.0), np.array([[1.0, np.inf], [0, 0]])])
def test_there_is_no_correlation_with_a_map_that_is_the_same_everywhere_or_overflows(other):
    assert rank_correlation([[1.0, 2.0], [3.0, 4.0]], other) is None
    assert rank_correlation(other, [[1.0, 2.0], [3.0, 4.0]]) is None
