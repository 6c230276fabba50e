"""The bootstrap: what is drawn, that it counts right, and that it is paired."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from evaluation.discrimination.areas import auc_difference
from evaluation.resampling import (
    CHUNK,
    Resamples,
    auc_difference_bootstrap,
    bootstrap,
    far_side,
    resampled_auc,
    summarize,
)
from tests.evaluation.reference import case_sets

LABELS = [1, 1, 1, 0, 0, 0, 0]


def counts(resamples):
    return np.concatenate(list(resamples.chunks()))


def test_every_draw_keeps_the_numbers_of_positives_and_negatives():
    drawn = counts(Resamples.of(LABELS, draws=50))

    assert drawn.shape == (50, 7)
    assert (drawn[:, :3].sum(axis=1) == 3).all()
    assert (drawn[:, 3:].sum(axis=1) == 4).all()


def test_the_same_seed_draws_the_same_and_another_seed_does_not():
    first, again, other = (counts(Resamples.of(LABELS, draws=20, seed=seed)) for seed in (1, 1, 2))

    assert (first == again).all()
    assert (first != other).any()


def test_a_case_is_drawn_once_on_average_and_as_often_as_with_replacement():
    drawn = counts(Resamples.of([1] * 40 + [0] * 60, draws=4000))

    # Binomial(40, 1/40): mean 1, variance 1 - 1/40; the share never drawn is (39/40)^40 = .363.
    assert drawn.mean(axis=0) == pytest.approx(np.ones(100), abs=0.1)
    assert drawn[:, :40].var() == pytest.approx(39 / 40, abs=0.02)
    assert (drawn[:, :40] == 0).mean() == pytest.approx(0.363, abs=0.005)


def test_a_patients_images_are_drawn_together_and_patients_within_their_kind():
    labels = [1, 1, 1, 0] * 10 + [0, 0]  # ten patients with both classes, and two with a negative image each
    patients = [place // 4 for place in range(40)] + [10, 11]

    drawn = counts(Resamples.of(labels, patients, draws=200))

    assert (drawn[:, 0] == drawn[:, 3]).all()
    assert (drawn[:, :40:4].sum(axis=1) == 10).all()
    assert (drawn[:, 40:].sum(axis=1) == 2).all()


def test_few_patients_with_both_classes_are_drawn_with_the_positive_ones():
    labels, patients = [1, 1, 1, 0, 0, 0], ["a", "b", "c", "c", "d", "e"]

    drawn = counts(Resamples.of(labels, patients, draws=200))

    # Alone in a stratum patient c would be drawn once in every draw, as if she were certain.
    assert np.unique(drawn[:, 2]).size > 1
    assert (drawn[:, :3].sum(axis=1) == 3).all()
    assert (drawn[:, 2] == drawn[:, 3]).all()


def test_the_method_says_whether_patients_or_cases_were_drawn():
    assert Resamples.of(LABELS).method == Resamples.of(LABELS, list("abcdefg")).method
    assert "patients" in Resamples.of(LABELS, list("aabcdef")).method


def test_draws_come_in_bounded_parts_and_do_not_depend_on_who_asks():
    resamples = Resamples.of([0, 1] * 50_000, draws=50)
    parts = list(resamples.chunks())

    assert len(parts) > 1
    assert max(part.size for part in parts) <= CHUNK
    assert (np.concatenate(parts) == counts(resamples)).all()


@pytest.mark.parametrize("name", ["continuous", "tied", "imbalanced", "constant", "perfect"])
def test_the_auc_of_every_draw_equals_scikit_learns_weighted_auc(name):
    cases = case_sets()[name]
    labels, scores = cases["label"].to_numpy(), cases["first"].to_numpy()
    resamples = Resamples.of(labels, draws=20, seed=3)

    found = resampled_auc(labels, scores, resamples)

    expected = [roc_auc_score(labels, scores, sample_weight=weights) for weights in counts(resamples)]
    assert found == pytest.approx(np.array(expected), abs=1e-12)


def test_the_bootstrap_standard_error_of_a_difference_is_near_delongs():
    cases = case_sets()["tied"]
    labels, first, second = (cases[name] for name in ("label", "first", "second"))

    found = auc_difference_bootstrap(labels, first, second, Resamples.of(labels, draws=4000))

    exact = auc_difference(labels, first, second)
    assert found.estimate == pytest.approx(exact.difference, abs=1e-12)
    assert found.se == pytest.approx(exact.se, rel=0.05)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=0.012)
    assert found.p_normal == pytest.approx(exact.p, abs=0.02)


def test_swapping_the_scores_turns_the_sign_draw_by_draw():
    cases = case_sets()["continuous"]
    resamples = Resamples.of(cases["label"], draws=500)
    forth = auc_difference_bootstrap(cases["label"], cases["first"], cases["second"], resamples)
    back = auc_difference_bootstrap(cases["label"], cases["second"], cases["first"], resamples)

    assert (back.estimate, back.se, back.p) == pytest.approx((-forth.estimate, forth.se, forth.p))
    assert (back.low, back.high) == pytest.approx((-forth.high, -forth.low))


def test_the_same_ranking_has_no_spread_and_p_exactly_one():
    cases = case_sets()["same_ranking"]
    found = auc_difference_bootstrap(cases["label"], cases["first"], cases["second"], Resamples.of(cases["label"]))

    assert (found.estimate, found.se, found.low, found.high, found.p, found.p_normal) == (0, 0, 0, 0, 1, 1)


def test_any_metric_can_be_resampled_with_its_undefined_draws_counted():
    labels = np.array([1, 1, 0, 0])
    called = np.array([1.0, 0.0, 0.0, 0.0], dtype=np.float32)

    def ppv(weights):
        with np.errstate(invalid="ignore"):
            return (weights @ (called * labels)) / (weights @ called)

    found = bootstrap(ppv, Resamples.of(labels, draws=400))

    # The one called case is missing from a quarter of the draws, and is right whenever it is there.
    assert (found.estimate, found.low, found.high) == (1, 1, 1)
    lost = int(found.flag.split()[2])
    assert lost / 400 == pytest.approx(0.25, abs=0.06)


def test_the_far_side_p_counts_both_tails_and_never_is_zero():
    assert far_side(np.array([1.0, 2.0, 3.0])) == pytest.approx(2 * 1 / 4)
    assert far_side(np.array([-1.0, 2.0, 3.0, 4.0])) == pytest.approx(2 * 2 / 5)
    assert far_side(np.array([-1.0, 1.0])) == 1


def test_an_estimate_without_value_has_no_interval():
    found = summarize(float("nan"), np.array([1.0, 2.0]), "any")

    assert all(isnan(value) for value in (found.se, found.low, found.high, found.p))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [(([1, 0], ["a"]), "equally long"), (([1, 0], None, 0), "draws must be at least 1")],
)
def test_impossible_resamples_are_refused(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        Resamples.of(*arguments)
