"""Non-inferiority against the interval of pROC's paired test."""

from __future__ import annotations

from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.discrimination.areas import auc_difference
from evaluation.discrimination.non_inferiority import non_inferiority
from tests.evaluation.reference import case_sets, golden_rows


@pytest.mark.parametrize(
    "row", golden_rows("discrimination/non_inferiority"), ids=lambda row: f"{row['set']}-{row['margin']}"
)
def test_z_p_and_bound_follow_from_procs_interval(row):
    cases = case_sets()[row["set"]]

    found = non_inferiority(auc_difference(cases["label"], cases["first"], cases["second"]), row["margin"])

    assert (found.z, found.p, found.low) == pytest.approx((row["z"], row["p"], row["low"]), rel=1e-8)
    assert found.non_inferior == (row["p"] < 0.025)
    assert found.method == "DeLong, one-sided normal"


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.5))
@settings(max_examples=40, deadline=None)
def test_the_bound_and_the_p_value_agree(seed, margin):
    rng = np.random.default_rng(seed)
    labels = np.array([1, 0] * 15)
    found = non_inferiority(auc_difference(labels, labels + rng.normal(size=30), labels + rng.normal(size=30)), margin)

    assert found.non_inferior == (found.p < 0.025) == (found.low > -margin)


def test_a_score_is_never_inferior_to_itself():
    found = non_inferiority(auc_difference([0, 1, 0, 1], [1, 2, 3, 4], [1, 2, 3, 4]), 0.05)

    assert (found.z, found.p, found.non_inferior, found.flag) == (inf, 0, True, "same ranking")


def test_no_variance_is_flagged_and_a_clear_loss_is_not_hidden():
    found = non_inferiority(auc_difference([0, 0, 1, 1], [5, 5, 5, 5], [1, 2, 3, 4]), 0.05)

    assert (found.z, found.p, found.non_inferior, found.flag) == (-inf, 1, False, "zero variance")


def test_a_difference_without_standard_error_shows_nothing():
    found = non_inferiority(auc_difference([1, 0, 0], [3, 2, 1], [1, 2, 3]), 0.05)

    assert isnan(found.z)
    assert isnan(found.p)
    assert isnan(found.low)
    assert (found.non_inferior, found.flag) == (False, "one positive")


@pytest.mark.parametrize("margin", [0, -0.05, float("nan"), inf])
def test_a_margin_must_be_positive(margin):
    with pytest.raises(ValueError, match="margin must be a finite number > 0"):
        non_inferiority(auc_difference([0, 1, 0, 1], [1, 2, 3, 4], [1, 3, 2, 4]), margin)
