"""Stability under perturbation against loops in R, by hand, and by its invariances."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.discrimination.areas import auc_difference
from evaluation.robustness.perturbation import (
    compare_stability,
    mean_changes,
    pair_flips,
    patient_means,
    robustness,
    stability,
)
from tests.evaluation.reference import golden, golden_rows

DRAWS = ["draw1", "draw2", "draw3"]


def perturbed(of_set):
    return golden("robustness/perturbed").filter(set=of_set)


@pytest.mark.parametrize("row", golden_rows("robustness/results"), ids=lambda row: row["set"])
def test_one_perturbation_with_three_draws_equals_the_loops_written_in_r(row):
    cases = perturbed(row["set"])

    found = stability(cases["label"], cases["original"], cases.select(DRAWS), cases["patient"], threshold=0.5)

    assert (found.auc.auc, found.change.first, found.change.second) == pytest.approx(
        (row["auc"], row["auc"], row["auc_original"]), abs=1e-12
    )
    assert found.change.se == pytest.approx(row["se"], rel=1e-9)
    assert found.mean_change == pytest.approx(row["mean_change"])
    assert found.pair_flips == pytest.approx(row["pair_flips"], abs=1e-12)
    assert found.decision_flips == pytest.approx(
        (row["decision_flips"], row["decision_flips_positive"], row["decision_flips_negative"])
    )
    assert found.change.method == ("clustered (Obuchowski)" if row["set"] == "clustered" else "DeLong")
    assert found.draws == 3


def test_one_draw_is_tested_like_any_pair_of_scores():
    cases = perturbed("single")

    found = stability(cases["label"], cases["original"], cases["draw1"]).change

    assert found == auc_difference(cases["label"], cases["draw1"], cases["original"])
    assert found.p == pytest.approx(golden_rows("robustness/one_draw")[0]["p"], rel=1e-9)


def test_draws_are_not_averaged_into_an_ensemble():
    labels, original = [0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]
    # Each draw puts one negative on top; their mean ranks all cases right.
    draws = np.array([[1.0, 0.1], [0.2, 1.0], [0.8, 0.8], [0.9, 0.9]])

    assert stability(labels, original, draws).auc.auc == 0.5
    assert stability(labels, original, draws.mean(axis=1)).auc.auc == 1


def test_a_model_that_does_not_move_has_p_exactly_one():
    cases = perturbed("tied")

    found = stability(cases["label"], cases["original"], np.column_stack([cases["original"]] * 3))

    assert (found.change.p, found.change.flag) == (1, "same ranking")
    assert (found.mean_change, found.pair_flips, found.consistency.value) == (0, 0, 1)
    assert all(isnan(share) for share in found.decision_flips)


def test_a_tie_that_is_made_counts_half_a_flip_and_a_reversal_one():
    labels, original = [1, 0, 0], [3, 2, 1]

    assert pair_flips(labels, original, [3, 2, 1]) == 0
    assert pair_flips(labels, original, [3, 3, 1]) == 0.5 / 2
    assert pair_flips(labels, original, [3, 4, 1]) == 1 / 2
    assert pair_flips(labels, original, [0, 2, 1]) == 1
    assert pair_flips(labels, [3, 3, 1], original) == 0.5 / 2


def test_pairs_are_counted_in_parts_when_they_are_many():
    rng = np.random.default_rng(2)
    labels, original, after = rng.integers(0, 2, 2500), rng.random(2500), rng.random(2500)
    above, above_after = (np.greater.outer(x[labels == 1], x[labels == 0]) for x in (original, after))

    assert above.size > 2**20
    assert pair_flips(labels, original, after) == np.mean(above != above_after)


def test_a_score_at_the_threshold_is_a_positive_decision():
    found = stability([1, 1, 0, 0], [0.5, 0.4, 0.2, 0.4], [0.49, 0.5, 0.5, 0.3], threshold=0.5).decision_flips

    assert found == (0.75, 1, 0.5)


def test_a_patients_images_are_averaged_before_the_patients_are():
    found = stability([0, 1, 1], [0, 0.5, 0.5], [0.3, 0.6, 0.8], ["a", "a", "b"])

    assert mean_changes([0, 0.5, 0.5], [0.3, 0.6, 0.8]).tolist() == pytest.approx([0.3, 0.1, 0.3])
    assert found.mean_change == pytest.approx((0.2 + 0.3) / 2)
    assert patient_means([[1, 2], [3, 6], [5, 5]], ["b", "a", "b"]).tolist() == [[3, 6], [3, 3.5]]


def test_columns_of_one_name_are_draws_of_one_perturbation():
    cases = perturbed("clustered")
    scores = cases.select("original", *DRAWS).to_numpy()

    found = robustness(cases["label"], scores, ["shift", "scale", "shift"], cases["patient"], 0.5)

    assert {name: one.draws for name, one in found.perturbations.items()} == {"shift": 2, "scale": 1}
    assert found.perturbations["shift"] == stability(
        cases["label"], scores[:, 0], scores[:, [1, 3]], cases["patient"], 0.5
    )
    assert (found.consistency.cases, found.consistency.ratings) == (75, 4)
    assert (found.friedman.cases, found.friedman.treatments) == (25, 3)
    assert found.agreement.method == "ICC(2,1), absolute agreement"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_flips_follow_the_ranks_only_and_bound_the_change_of_the_auc(seed):
    rng = np.random.default_rng(seed)
    labels = rng.permutation([0, 1] + [0, 1, 1, 0, 0] * 3)
    original, after = rng.integers(0, 6, (2, labels.size)) / 5
    order = rng.permutation(labels.size)

    found = stability(labels, original, after)

    assert abs(found.change.difference) <= found.pair_flips + 1e-12
    assert pair_flips(labels, after, original) == found.pair_flips
    assert pair_flips(labels, np.exp(original), after**3) == found.pair_flips
    assert pair_flips(1 - labels, original, after) == found.pair_flips
    assert pair_flips(labels[order], original[order], after[order]) == found.pair_flips


@pytest.mark.parametrize("row", golden_rows("robustness/ranks"), ids=lambda row: str(row["set"]))
def test_the_signed_rank_test_and_the_difference_equal_rs(row):
    drifts = golden("robustness/drifts").filter(set=str(row["set"]))

    found = compare_stability(drifts["first"], drifts["second"])

    assert (found.difference, found.se, found.p) == pytest.approx((row["difference"], row["se"], row["p"]), rel=1e-9)
    assert found.high - found.low == pytest.approx(2 * 1.959963984540054 * row["se"], rel=1e-9)
    is_exact = row["set"] in {"exact", "49", "two", "all_larger"}
    assert found.method.startswith("Wilcoxon signed-rank, exact" if is_exact else "Wilcoxon signed-rank, normal")


def test_changes_count_by_their_size_averaged_over_draws_and_patients():
    first = [[0.2, -0.4], [0.1, 0.1], [-0.5, 0.5]]

    found = compare_stability(first, [0.1, -0.1, 0.1], ["a", "a", "b"])

    assert (found.first, found.second) == pytest.approx(((0.2 + 0.5) / 2, 0.1))
    assert found.patients == 2


def test_models_that_change_alike_have_p_exactly_one():
    found = compare_stability([0.3, -0.1, 0.2], [0.1 + 0.2, 0.1, -0.2])

    assert (found.difference, found.se, found.p, found.flag) == (pytest.approx(0, abs=1e-15), 0, 1, "same changes")


def test_a_difference_without_variance_is_flagged():
    found = compare_stability([0.3, 0.4, 0.5], [0.2, 0.3, 0.4])

    assert (found.se, found.flag) == (0, "zero variance")
    assert found.p > 0.05


def test_one_patient_gives_no_test():
    found = compare_stability([0.3, 0.1], [0.1, 0.1], ["a", "a"])

    assert found.difference == pytest.approx(0.1)
    assert isnan(found.p)
    assert isnan(found.low)
    assert found.flag == "one patient"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 60))
def test_swapping_the_models_turns_the_difference_and_keeps_p(seed, size):
    first, second = np.random.default_rng(seed).normal(size=(2, size)).round(1)
    forth, back = compare_stability(first, second), compare_stability(second, first)

    assert (back.difference, back.low, back.high) == pytest.approx((-forth.difference, -forth.high, -forth.low))
    assert back.p == pytest.approx(forth.p)
    assert compare_stability(first, second, range(size)) == forth


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: robustness([0, 1], [[1, 2]], ["a", "b"]), r"original \+ 2 named variants\), got shape \(1, 2\)"),
        (lambda: stability([0, 1], [1, 2], [[1, 2, 3]]), r"must be 2 cases x draws, got shape \(1, 3\)"),
        (lambda: stability([0, 1], [1, 2], [1, nan]), "1 of 2 scores are NaN"),
        (lambda: stability([0, 1], [1, 2], [1, 2], threshold=nan), "the threshold is NaN"),
        (lambda: stability([1, 1], [1, 2], [1, 2]), "both classes are needed"),
        (lambda: stability([1, 0], [1, 2], [1, 2], ["a"]), "equally long"),
        (lambda: compare_stability([1, 2], [1, 2, 3]), "changes of the same cases, got 2 and 3"),
        (lambda: compare_stability([1, nan], [1, 2]), "changes must be finite"),
        (lambda: compare_stability([1, 2], [1, 2], ["a"]), "got 1 patients for 2 cases"),
    ],
)
def test_wrong_input_is_refused_with_its_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
