"""Net benefit against loops in R, by hand, and over resamples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from evaluation.calibration.decision_curve import net_benefit, net_benefit_difference, resampled_net_benefit
from evaluation.resampling import Resamples
from tests.evaluation.reference import golden

THRESHOLDS = [0.0, 0.1, 0.3, 0.5, 0.9]


class Given:
    """Resamples whose counts are written down."""

    method = "bootstrap"

    def __init__(self, *chunks: list[list[int]]) -> None:
        self._chunks = [np.array(chunk, dtype=np.float32) for chunk in chunks]

    def chunks(self) -> Iterator[np.ndarray]:
        yield from self._chunks


def drawn(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.append(rng.integers(0, 2, n - 2), [0, 1]), rng.random((n, 3)).round(1)


def weighted(labels: np.ndarray, risks: np.ndarray, counts: np.ndarray, threshold: float) -> float:
    """The definition, for one row of counts."""
    called = risks >= threshold
    true, false = counts[called & (labels == 1)].sum(), counts[called & (labels == 0)].sum()
    return (true - false * threshold / (1 - threshold)) / counts.sum()


@pytest.mark.parametrize("name", ["plain", "tied", "rare", "perfect", "constant"])
def test_net_benefit_equals_the_loops_written_in_r(name):
    cases = golden("calibration/cases").filter(set=name)
    expected = golden("calibration/net_benefit").filter(set=name)

    found = net_benefit(cases["label"], expit(cases["logit"].to_numpy()).round(1), expected["threshold"])

    assert found.net_benefit == pytest.approx(expected["net_benefit"].to_numpy(), abs=1e-14)
    assert found.treat_all == pytest.approx(expected["treat_all"].to_numpy(), abs=1e-14)
    assert found.treat_none.tolist() == [0] * 8


def test_a_risk_equal_to_the_threshold_is_treated():
    # t = .25, odds 1/3: one true and two false positives of 5 -> (1 - 2/3) / 5; prevalence 2/5.
    found = net_benefit([1, 0, 0, 1, 0], [0.25, 0.25, 0.6, 0.2, 0.1], [0.25])

    assert found.net_benefit[0] == pytest.approx(1 / 15)
    assert found.standardized[0] == pytest.approx(1 / 6)
    assert found.treat_all[0] == pytest.approx(2 / 5 - 3 / 5 / 3)
    assert (found.n_positive, found.n_negative, found.flag) == (2, 3, "")


def test_a_perfect_model_is_worth_the_prevalence_up_to_its_lowest_positive():
    found = net_benefit([0, 0, 1, 1], [0.0, 0.0, 0.8, 0.9], [0.01, 0.5, 0.8, 0.85])

    assert found.standardized == pytest.approx([1, 1, 1, 0.5])


def test_a_constant_risk_is_treat_all_up_to_itself_and_flagged():
    found = net_benefit([0, 1, 1], [0.4] * 3, [0.1, 0.4, 0.41])

    assert found.net_benefit[:2] == pytest.approx(found.treat_all[:2])
    assert (found.net_benefit[2], found.flag) == (0, "constant risk")


@pytest.mark.parametrize(
    ("risks", "thresholds", "message"),
    [
        ([0.1, 1.2], [0.5], r"risks must lie in \[0, 1\], found 1.2"),
        ([0.1, 0.2], [1.0], r"thresholds must rise and lie in \[0, 1\), got \[1.0\]"),
        ([0.1, 0.2], [0.5, 0.4], r"thresholds must rise"),
        ([0.1, 0.2], [0.5, 0.5], r"thresholds must rise"),
        ([0.1, 0.2], [float("nan")], r"thresholds must rise"),
        ([0.1, 0.2], [], "at least one number"),
        ([0.1, float("nan")], [0.5], "1 of 2 scores are NaN"),
    ],
)
def test_wrong_input_is_named(risks, thresholds, message):
    with pytest.raises(ValueError, match=message):
        net_benefit([0, 1], risks, thresholds)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_every_draw_and_threshold_follows_the_definition(seed):
    labels, risks = drawn(seed)
    resamples = Resamples.of(labels, draws=6, seed=seed)

    found = resampled_net_benefit(labels, risks, THRESHOLDS, resamples)

    counts = np.concatenate(list(resamples.chunks())).astype(float)
    expected = [[[weighted(labels, risks[:, k], row, t) for t in THRESHOLDS] for k in range(3)] for row in counts]
    assert found == pytest.approx(np.array(expected), abs=1e-12)


def test_a_draw_of_everyone_once_is_the_curve_itself():
    labels, risks = drawn(1)

    found = resampled_net_benefit(labels, risks, THRESHOLDS, Given([[1] * 40]))

    for column in range(3):
        assert found[0, column] == pytest.approx(net_benefit(labels, risks[:, column], THRESHOLDS).net_benefit)


def test_patients_drawn_whole_change_the_size_of_a_draw():
    # Twice the first case, once the others: (3 - 1) / 4 at t = .5.
    found = resampled_net_benefit([1, 0, 1], [[0.9], [0.6], [0.8]], [0.5], Given([[2, 1, 1]], [[1, 1, 1]]))

    assert found[:, 0, 0] == pytest.approx([1 / 2, 1 / 3])


def test_the_difference_has_the_percentiles_of_its_draws():
    labels, risks = drawn(3, 200)
    resamples = Resamples.of(labels, draws=300, seed=5)

    found = net_benefit_difference(labels, risks[:, 0], risks[:, 1], [0.2, 0.5], resamples)

    one, other = (net_benefit(labels, risks[:, k], [0.2, 0.5]).net_benefit for k in (0, 1))
    assert found.difference == pytest.approx(one - other)
    draws = [
        [weighted(labels, risks[:, 0], row, t) - weighted(labels, risks[:, 1], row, t) for t in (0.2, 0.5)]
        for chunk in resamples.chunks()
        for row in chunk.astype(float)
    ]
    assert np.stack([found.low, found.high]) == pytest.approx(np.percentile(draws, [2.5, 97.5], axis=0))
    assert (found.draws, found.method) == (300, "percentile bootstrap of cases, stratified by class")


def test_swapping_the_risks_turns_the_sign():
    labels, risks = drawn(4)
    resamples = Resamples.of(labels, draws=50)

    forth = net_benefit_difference(labels, risks[:, 0], risks[:, 1], THRESHOLDS, resamples)
    back = net_benefit_difference(labels, risks[:, 1], risks[:, 0], THRESHOLDS, resamples)

    assert back.difference == pytest.approx(-forth.difference)
    assert back.low == pytest.approx(-forth.high)


def test_thresholds_where_both_risks_decide_alike_are_counted():
    labels, risks = drawn(6)

    found = net_benefit_difference(labels, risks[:, 0], risks[:, 0], THRESHOLDS, Resamples.of(labels, draws=20))

    assert found.flag == "no variation at 5 of 5 thresholds"
    assert not found.low.any()
    assert not found.high.any()


def test_resamples_of_other_cases_are_refused():
    with pytest.raises(ValueError, match="the resamples are of 2 cases, the risks of 3"):
        resampled_net_benefit([1, 0, 1], [[0.9], [0.6], [0.8]], [0.5], Given([[1, 1]]))


@pytest.mark.parametrize(
    ("risks", "message"),
    [
        ([0.5, 0.4], "table of cases and cells"),
        ([[0.5, 0.4], [0.5, float("nan")]], "1 of 2 scores are NaN"),
        ([[0.5, 0.4], [0.5, -0.1]], r"found -0.1"),
    ],
)
def test_a_table_of_risks_is_checked_in_every_column(risks, message):
    with pytest.raises(ValueError, match=message):
        resampled_net_benefit([1, 0], risks, [0.5], Given([[1, 1]]))
