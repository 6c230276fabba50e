from __future__ import annotations

import numpy as np
import pytest

from cohorts.laying import in_stored_pixels, laid


def test_a_cell_of_a_map_lies_on_the_pixels_that_it_was_made_of():
    # Squares may reach beyond the film: this one from x 10 to 50 and y -5 to 35; a cell is 10 pixels wide.
    cells = np.zeros((4, 4), np.float32)
    cells[1, 2] = 1.0

    found = in_stored_pixels(cells, np.array([10.0, -5.0, 50.0, 35.0]), 60, 80)

    y, x = np.unravel_index(found.argmax(), found.shape)
    assert 34 <= x < 36  # the cell spans x 30..40 and y 5..15
    assert 9 <= y < 11
    assert found[10, 35] > 0.85
    assert found[10, 25] == pytest.approx(0.05, abs=0.01)
    assert not found[40:].any()


def test_a_rectangle_that_is_no_square_is_laid_on_both_axes_alike():
    ramp = np.tile(np.arange(8, dtype=np.float32), (2, 1))

    found = in_stored_pixels(ramp, np.array([0.0, 10.0, 80.0, 30.0]), 40, 80)

    assert found[20, 5:76:10].tolist() == pytest.approx([0.05, 1.05, 2.05, 3.05, 4.05, 5.05, 6.05, 7.0], abs=0.01)
    assert not found[:10].any()
    assert not found[30:].any()


def test_the_highest_counts_where_two_maps_overlap_and_nothing_where_there_is_none():
    low, high = np.full((1, 1), 2, np.float32), np.full((1, 1), 3, np.float32)

    found = laid([(low, np.array([0.0, 0, 4, 4])), (high, np.array([2.0, 0, 6, 4]))], 4, 8)

    assert found[0].tolist() == [2, 2, 3, 3, 3, 3, 0, 0]
    assert not laid([], 2, 2).any()
