"""DeLong's placements and variance against hand calculation and pROC."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.discrimination.delong import placements, variance
from tests.evaluation.reference import case_sets, golden_rows


def test_placements_count_cases_of_the_other_class_and_ties_as_half():
    placed = placements([1, 0, 1, 0], [0.5, 0.5, 0.9, 0.1])

    assert placed.positive.tolist() == [0.75, 1.0]
    assert placed.negative.tolist() == [0.75, 1.0]
    assert placed.auc == 0.875


def test_the_variance_of_four_cases_is_the_one_computed_by_hand():
    placed = placements([1, 0, 1, 0], [0.5, 0.5, 0.9, 0.1])

    # sample variance of (.75, 1) is .03125, for either class; divided by two cases each
    assert variance(placed.positive, placed.negative) == pytest.approx(0.03125)


@pytest.mark.parametrize("row", golden_rows("areas"), ids=lambda row: f"{row['set']}-{row['score']}")
def test_auc_and_variance_equal_proc(row):
    cases = case_sets()[row["set"]]

    placed = placements(cases["label"], cases[row["score"]])

    assert placed.auc == pytest.approx(row["auc"], rel=1e-12)
    assert variance(placed.positive, placed.negative) == pytest.approx(row["variance"], rel=1e-10, abs=1e-18)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=30).filter(
        lambda cases: len({label for label, _ in cases}) == 2
    )
)
def test_placements_equal_the_definition_by_pairs(cases):
    labels, scores = np.array([label for label, _ in cases]), np.array([score for _, score in cases])
    positives, negatives = scores[labels], scores[~labels]
    wins = (positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives)

    placed = placements(labels, scores)

    np.testing.assert_allclose(placed.positive, wins.mean(axis=1), atol=1e-15)
    np.testing.assert_allclose(placed.negative, wins.mean(axis=0), atol=1e-15)


def test_a_single_positive_gives_an_auc_but_no_variance():
    placed = placements([1, 0, 0], [0.5, 0.4, 0.9])

    assert placed.auc == 0.5
    assert np.isnan(variance(placed.positive, placed.negative))


def test_a_constant_score_has_an_area_of_one_half_and_exactly_no_variance():
    placed = placements([1, 1, 1, 0, 0, 0, 0], [0.1] * 7)

    assert placed.auc == 0.5
    assert variance(placed.positive, placed.negative) == 0


def test_a_constant_difference_of_placements_is_zero_variance_despite_rounding():
    assert variance(np.array([0.1 + 0.2, 0.3, 0.3]), np.array([0.2, 0.2])) == 0


@pytest.mark.parametrize(
    ("labels", "scores", "problem"),
    [
        ([1, 0, 1], [0.1, np.nan, 0.3], "1 of 3 scores are NaN"),
        ([1, 0, 2], [0.1, 0.2, 0.3], "third label"),
        ([1, 0], [0.1, 0.2, 0.3], "equally long"),
        ([1, 1], [0.1, 0.2], "2 positive and 0 negative"),
        ([0, 0], [0.1, 0.2], "0 positive and 2 negative"),
    ],
)
def test_faulty_input_raises_and_names_the_problem(labels, scores, problem):
    with pytest.raises(ValueError, match=problem):
        placements(labels, scores)


def test_infinite_scores_are_ranked_like_any_other():
    assert placements([1, 0, 0], [np.inf, 1.0, -np.inf]).auc == 1
