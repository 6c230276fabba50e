"""Clopper-Pearson intervals against R's binom.test."""

from __future__ import annotations

from math import isnan

import pytest

from evaluation.proportions import clopper_pearson
from tests.evaluation.reference import golden_rows


@pytest.mark.parametrize("row", golden_rows("proportions"))
def test_the_interval_equals_binom_test(row):
    found = clopper_pearson(row["successes"], row["total"])

    assert found.value == row["successes"] / row["total"]
    assert (found.low, found.high) == pytest.approx((row["low"], row["high"]), abs=1e-12)


def test_no_cases_give_nan():
    assert all(isnan(value) for value in clopper_pearson(0, 0))


def test_more_successes_than_cases_are_refused():
    with pytest.raises(ValueError, match="4 of 3"):
        clopper_pearson(4, 3)
