"""Mean differences of single models: what cases and what replicates add to the interval."""

from __future__ import annotations

from math import inf, isnan, sqrt

import numpy as np
import pytest
from scipy import stats

from evaluation.discrimination import delong
from evaluation.discrimination.areas import auc_difference
from evaluation.discrimination.clustered import Clusters
from evaluation.discrimination.single_models import (
    CASES_ONLY,
    CLUSTERED_CASES_ONLY,
    CROSSED,
    CaseVariances,
    case_variances,
    mean_difference,
    non_inferiority_p,
    two_way_bootstrap,
)
from evaluation.readers.obuchowski_rockette import obuchowski_rockette
from evaluation.resampling import Resamples

LABELS = np.array([0] * 60 + [1] * 40)


def models(replicates=4, seed=0, gap=0.3, spread=0.0):
    """Scores (2 cells, replicates, cases) that share what is hard about a case; `spread`: how replicates differ."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(size=LABELS.size)
    noise = rng.normal(size=(2, replicates, LABELS.size))
    gains = np.array([1.0 + gap, 1.0])[:, None, None] + spread * rng.normal(size=(2, replicates, 1))
    return LABELS * gains + hard + noise


def contrast(scores):
    placed = [[delong.placements(LABELS, one) for one in cell] for cell in scores]
    positive = np.stack([a.positive - b.positive for a, b in zip(*placed, strict=True)])
    negative = np.stack([a.negative - b.negative for a, b in zip(*placed, strict=True)])
    differences = np.array([a.auc - b.auc for a, b in zip(*placed, strict=True)])
    clusters = Clusters.of(LABELS, np.arange(LABELS.size))
    return differences, case_variances(positive, negative, clusters), placed


def test_two_cells_give_exactly_the_multi_reader_analysis():
    differences, cases, placed = contrast(models(spread=0.5))
    every = [one for cell in placed for one in cell]
    covariance = np.cov(np.stack([p.positive for p in every])) / 40 + np.cov(np.stack([p.negative for p in every])) / 60
    estimates = np.array([[one.auc for one in cell] for cell in placed])

    found = mean_difference(differences, cases)
    pair = obuchowski_rockette(estimates, covariance).random_readers_and_cases.differences[0]

    assert (found.difference, found.se, found.df) == pytest.approx((pair.difference, pair.se, pair.df))
    assert (found.low, found.high, found.p) == pytest.approx((pair.low, pair.high, pair.p))
    assert found.method == CROSSED.format("replicates")


def test_the_variance_is_that_of_the_formula():
    # S = .0004 of the differences .02 .04 .06, Cov = .0001, r = 3: (.0004 + 3 * .0001) / 3.
    cases = CaseVariances(each=np.array([0.0005, 0.0005, 0.0005]), mean=(3 * 0.0005 + 6 * 0.0001) / 9)

    found = mean_difference([0.02, 0.04, 0.06], cases)

    assert cases.between == pytest.approx(0.0001)
    assert found.se == pytest.approx(sqrt(0.0007 / 3))
    assert found.df == pytest.approx(0.0007**2 / (0.0004**2 / 2))
    assert found.p == pytest.approx(2 * stats.t.sf(0.04 / found.se, found.df))
    assert found.high - found.difference == pytest.approx(stats.t.ppf(0.975, found.df) * found.se)


def test_a_negative_covariance_between_replicates_counts_as_none():
    cases = CaseVariances(each=np.array([0.0009] * 3), mean=0.0001)

    found = mean_difference([0.02, 0.04, 0.06], cases)

    assert cases.between < 0
    assert (found.se, found.df) == pytest.approx((sqrt(0.0004 / 3), 2))


def test_the_spread_of_replicates_widens_the_interval():
    cases = CaseVariances(each=np.array([0.0005] * 3), mean=0.0004)
    alike, apart = (mean_difference(values, cases) for values in ([0.04, 0.04, 0.04], [0.0, 0.04, 0.08]))

    assert alike.difference == pytest.approx(apart.difference)
    assert apart.high - apart.low > 1.5 * (alike.high - alike.low)
    assert (alike.df, alike.sd_units) == (inf, 0)


@pytest.mark.parametrize(("count", "flag"), [(3, "fewer than 5 replicates"), (4, "fewer than 5"), (5, "")])
def test_a_handful_of_replicates_is_flagged_as_too_bold(count, flag):
    differences, cases, _ = contrast(models(count))

    found = mean_difference(differences, cases)

    assert found.method == CROSSED.format("replicates")
    assert found.flag.startswith(flag)
    assert bool(found.flag) == bool(flag)


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_replicates_are_case_uncertainty_only_and_say_so(count):
    scores = models(count)
    differences, cases, _ = contrast(scores)

    found = mean_difference(differences, cases)

    assert (found.method, found.flag, found.df) == (CASES_ONLY, "fewer than 3 replicates", inf)
    assert found.se == found.se_cases
    if count == 1:
        exact = auc_difference(LABELS, scores[0, 0], scores[1, 0])
        assert (found.low, found.high, found.p) == pytest.approx((exact.low, exact.high, exact.p))
        assert isnan(found.sd_units)


def test_patients_with_several_images_are_named_in_the_method():
    found = mean_difference([0.1], CaseVariances(np.array([0.01]), 0.01), repeated_patients=True)

    assert found.method == CLUSTERED_CASES_ONLY


def test_clusters_of_one_give_the_unclustered_variances():
    _, plain, placed = contrast(models())
    positive = np.stack([a.positive - b.positive for a, b in zip(*placed, strict=True)])
    negative = np.stack([a.negative - b.negative for a, b in zip(*placed, strict=True)])
    pairs = np.arange(LABELS.size) // 2  # two images per patient

    clustered = case_variances(positive, negative, Clusters.of(LABELS, pairs))

    assert clustered.mean != pytest.approx(plain.mean, rel=1e-6)
    assert clustered.each.shape == plain.each.shape


def test_identical_models_have_p_exactly_one():
    found = mean_difference([0.0, 0.0, 0.0], CaseVariances(np.zeros(3), 0.0))

    assert (found.difference, found.p, found.flag) == (0, 1, "identical models")


def test_a_difference_without_any_variance_is_flagged():
    found = mean_difference([0.1, 0.1, 0.1], CaseVariances(np.zeros(3), 0.0))

    assert (found.statistic, found.p, found.flag) == (inf, 0, "zero variance")


def test_swapping_the_cells_turns_the_sign_and_keeps_p():
    differences, cases, _ = contrast(models())
    forth, back = mean_difference(differences, cases), mean_difference(-differences, cases)

    assert (back.difference, back.statistic, back.p) == pytest.approx((-forth.difference, -forth.statistic, forth.p))


def test_non_inferiority_is_a_one_sided_test_of_the_margin():
    found = mean_difference([0.02, 0.04, 0.06], CaseVariances(np.array([0.0005] * 3), 0.0003))

    assert non_inferiority_p(found, 0.05) == pytest.approx(stats.t.sf((0.04 + 0.05) / found.se, found.df))
    assert non_inferiority_p(mean_difference([-0.05], CaseVariances(np.array([0.01]), 0.01)), 0.05) == pytest.approx(
        0.5
    )
    with pytest.raises(ValueError, match="margin must be > 0"):
        non_inferiority_p(found, 0)


def test_the_two_way_bootstrap_draws_units_on_top_of_cases():
    resamples = Resamples.of(LABELS, draws=4000)
    cases = np.random.default_rng(1).normal(0, 0.01, (4000, 1))
    units = np.array([-0.03, 0.0, 0.03])

    found = two_way_bootstrap(cases + units, resamples)

    # The sample variance of the units, .0009, over 3: drawing two of three makes up for the divisor 3 (Rao & Wu 1988).
    assert found.var() == pytest.approx(0.0001 + 0.0009 / 3, rel=0.08)
    assert (found == two_way_bootstrap(cases + units, resamples)).all()


def test_the_two_way_bootstrap_of_one_unit_draws_cases_only():
    cases = np.random.default_rng(1).normal(0, 0.01, (50, 1))

    assert (two_way_bootstrap(cases, Resamples.of(LABELS, draws=50)) == cases[:, 0]).all()


def test_two_folds_of_several_models_are_crossed_with_one_degree_of_freedom_or_little_more():
    cases = CaseVariances(each=np.array([0.0005, 0.0005]), mean=0.0003)

    found = mean_difference([0.02, 0.06], cases, units="folds", models=6)

    # S = .0008, C = .0001: variance (.0008 + 2 * .0001) / 2, df .001^2 / .0008^2.
    assert (found.se, found.df) == pytest.approx((sqrt(0.0005), 0.001**2 / 0.0008**2))
    assert found.flag.startswith("fewer than 5 folds")


def test_the_units_are_named_in_the_method_and_the_flag():
    cases = CaseVariances(each=np.full(3, 0.0005), mean=0.0003)

    found = mean_difference([0.02, 0.04, 0.06], cases, units="folds", models=6)

    assert found.method == "Obuchowski-Rockette, folds as random readers"
    assert found.flag.startswith("fewer than 5 folds")


def test_replicates_that_agree_by_chance_leave_the_uncertainty_over_cases():
    # S = 0 and Cov = .0001: the formula gives .0001, the cases alone (3 * .0005 + 6 * .0001) / 9 = .000233.
    cases = CaseVariances(each=np.full(3, 0.0005), mean=(3 * 0.0005 + 6 * 0.0001) / 9)

    found = mean_difference([0.04, 0.04, 0.04], cases)

    assert found.se == found.se_cases == pytest.approx(sqrt(0.0021 / 9))


def test_a_variance_that_is_not_estimable_has_a_reason():
    found = mean_difference([0.1, 0.2, 0.3], CaseVariances(np.full(3, np.nan), np.nan))

    assert isnan(found.se)
    assert "not estimable" in found.flag


def test_as_many_variances_as_replicates_are_needed():
    with pytest.raises(ValueError, match="2 differences of replicates need as many variances, got 3"):
        mean_difference([0.1, 0.2], CaseVariances(np.zeros(3), 0.0))
