"""Power, sample size and detectable difference against pROC's power.roc.test."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.discrimination import clustered
from evaluation.discrimination.clustered import Clusters
from evaluation.discrimination.delong import placements
from evaluation.discrimination.power import (
    Assumed,
    Binormal,
    achieved_power,
    binormal_pair,
    detectable_auc,
    detectable_difference,
    observed_pair,
    one_auc,
    sample_size,
)
from tests.evaluation.reference import case_sets, golden, golden_rows


def pair_of(name: str) -> Assumed:
    cases = case_sets()[name]
    return observed_pair(*(placements(cases["label"], cases[score]) for score in ("first", "second")))


def sizes_of(name: str) -> tuple[int, int]:
    labels = case_sets()[name]["label"]
    return int((labels == 1).sum()), int((labels == 0).sum())


def test_the_power_of_one_auc_equals_procs():
    for row in golden_rows("discrimination/power_one"):
        found = achieved_power(one_auc(row["auc"]), row["n_positive"], row["n_negative"], row["alpha"])

        assert found.power == pytest.approx(row["power"], rel=1e-10)


def test_the_sample_size_of_one_auc_equals_procs():
    for row in golden_rows("discrimination/size_one"):
        found = sample_size(one_auc(row["auc"]), row["power"], row["kappa"], row["alpha"])

        assert (found.n_positive, found.n_negative) == pytest.approx((row["n_positive"], row["n_negative"]), rel=1e-10)


def test_the_smallest_detectable_auc_solves_procs_equation():
    for row in golden_rows("discrimination/least_auc"):
        found = detectable_auc(row["n_positive"], row["n_negative"], row["power"])

        assert found.difference == pytest.approx(row["auc"] - 0.5, abs=1e-9)
        assert found.difference == pytest.approx(row["proc"] - 0.5, abs=1e-4)  # where pROC stops


@pytest.mark.parametrize("row", golden_rows("discrimination/power_pair"), ids=lambda row: row["set"])
def test_power_and_sample_size_of_an_observed_pair_equal_procs(row):
    assumed, sizes = pair_of(row["set"]), sizes_of(row["set"])
    size = sample_size(assumed, 0.8)

    assert achieved_power(assumed, *sizes).power == pytest.approx(row["power"], rel=1e-9)
    assert achieved_power(assumed, *sizes, alpha=0.01).power == pytest.approx(row["power_01"], rel=1e-9)
    assert (size.n_positive, size.n_negative) == pytest.approx((row["n_80"], row["negatives_80"]), rel=1e-9)
    assert sample_size(assumed, 0.9).n_positive == pytest.approx(row["n_90"], rel=1e-9)
    assert sample_size(assumed, 0.9, alpha=0.01).n_positive == pytest.approx(row["n_90_01"], rel=1e-9)


def test_binormal_plans_equal_procs():
    for row in golden_rows("discrimination/power_binormal"):
        first, second = Binormal(row["a1"], row["b1"]), Binormal(row["a2"], row["b2"])
        assumed = binormal_pair(first, second, row["ra"], row["rn"], row["delta"])
        size = sample_size(assumed, 0.8, row["kappa"])

        achieved = achieved_power(assumed, 50, 50 * row["kappa"])

        assert size.n_positive == pytest.approx(row["n_positive"], rel=1e-10, nan_ok=True)
        assert achieved.power == pytest.approx(row["power"], rel=1e-10, nan_ok=True)
        assert achieved.flag == ("negative null variance" if isnan(row["power"]) else "")


def test_a_binormal_difference_is_that_of_the_areas_unless_given():
    # Phi(1.2 / sqrt(2)) - Phi(.5 / sqrt(1.25)), from tables of the normal distribution
    found = binormal_pair(Binormal(1.2, 1), Binormal(0.5, 0.5), 0.3, 0.3)

    assert found.difference == pytest.approx(0.80193 - 0.67264, abs=1e-5)


def test_case_numbers_are_rounded_up():
    # pROC: power.roc.test(auc = .55, power = .8, kappa = .5) gives 744.48 and 372.24
    found = sample_size(one_auc(0.55), 0.8, 0.5)

    assert (found.n_positive, found.n_negative) == pytest.approx((744.48, 372.24), abs=0.005)
    assert found.cases == (745, 373)


def test_the_detectable_difference_has_the_power_it_was_asked_for():
    assumed = pair_of("asah_wfns_ndka")
    found = detectable_difference(assumed, 100, 250, power=0.9)
    planned = Assumed(found.difference, assumed.null, assumed.alternative, assumed.ratio, assumed.method)

    assert achieved_power(planned, 100, 250).power == pytest.approx(0.9)
    assert sample_size(planned, 0.9, 2.5).n_positive == pytest.approx(100)


def test_more_negatives_help_only_as_far_as_negatives_vary():
    assumed = pair_of("continuous")
    halved, tenfold = (sample_size(assumed, 0.8, ratio) for ratio in (0.75, 15))

    assert halved.n_positive > sample_size(assumed, 0.8).n_positive > tenfold.n_positive
    assert halved.n_negative < tenfold.n_negative


def test_repeated_patients_enter_with_obuchowskis_variance():
    group = golden("clusters").filter(set="larger")
    clusters = Clusters.of(group["label"], group["patient"])
    first, second = (placements(group["label"], group[score]) for score in ("first", "second"))
    row = next(row for row in golden_rows("clustered") if row["set"] == "larger")

    found = observed_pair(first, second, clusters)

    n = first.positive.size
    null = 2 * row["variance_first"] - 2 * row["covariance"]
    alternative = row["variance_first"] + row["variance_second"] - 2 * row["covariance"]
    assert found.null.per_positive(found.ratio) / n == pytest.approx(null)
    assert found.alternative.per_positive(found.ratio) / n == pytest.approx(alternative)
    assert alternative == pytest.approx(
        clustered.variance(first.positive - second.positive, first.negative - second.negative, clusters)
    )
    assert "clustered" in found.method


def test_a_constant_first_score_has_no_null_variance_however_cases_cluster():
    labels = [1, 0, 1, 0, 1, 0]
    pair = placements(labels, [1] * 6), placements(labels, [3, 1, 2, 5, 6, 4])

    found = observed_pair(*pair, Clusters.of(labels, list("aabbcd")))

    assert found.null.per_positive(found.ratio) == 0
    assert achieved_power(found, 30, 30).flag == ""


def test_clusters_of_one_change_nothing():
    cases = case_sets()["tied"]
    first, second = (placements(cases["label"], cases[score]) for score in ("first", "second"))
    clusters = Clusters.of(cases["label"], np.arange(cases.height))

    assert observed_pair(first, second, clusters) == observed_pair(first, second)


def test_scores_with_the_same_ranking_cannot_be_planned_with():
    found = sample_size(pair_of("same_ranking"))

    assert (isnan(found.n_positive), found.flag) == (True, "zero variance")
    assert isnan(achieved_power(pair_of("same_ranking"), 40, 40).power)
    assert isnan(detectable_difference(pair_of("same_ranking"), 40, 40).difference)
    with pytest.raises(ValueError, match="no number of cases: zero variance"):
        _ = found.cases


def test_a_negative_null_variance_is_flagged_where_proc_returns_nan():
    # The first curve varies much less than the second, which it follows closely.
    found = sample_size(binormal_pair(Binormal(2.6, 0.7), Binormal(1.9, 1.4), 0.9, 0.9))

    assert (isnan(found.n_positive), found.flag) == (True, "negative null variance")


def test_no_difference_needs_no_finite_number_of_cases():
    found = sample_size(one_auc(0.5))

    assert (isnan(found.n_positive), found.flag) == (True, "no difference")


def test_an_auc_of_one_half_is_found_at_half_of_alpha():
    # One direction only is counted, as in pROC: pnorm(-1.96)
    assert achieved_power(one_auc(0.5), 50, 50).power == pytest.approx(0.025, abs=1e-12)


def test_a_pilot_with_one_positive_is_flagged():
    found = achieved_power(observed_pair(placements([1, 0, 0], [3, 2, 1]), placements([1, 0, 0], [2, 1, 3])), 9, 9)

    assert (isnan(found.power), found.flag) == (True, "one positive")


def test_too_few_cases_detect_no_auc():
    found = detectable_auc(1, 1, 0.9)

    assert (isnan(found.difference), found.flag) == (True, "no AUC is detectable")


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: one_auc(1.0), "strictly between 0 and 1, got 1.0"),
        (lambda: one_auc(float("nan")), "strictly between 0 and 1"),
        (lambda: achieved_power(one_auc(0.7), 0, 5), "numbers of cases must be > 0, got 0"),
        (lambda: achieved_power(one_auc(0.7), 5, 5, alpha=0), "alpha must be in"),
        (lambda: sample_size(one_auc(0.7), power=1), "power to plan for in .*, got 0.05 and 1"),
        (lambda: sample_size(one_auc(0.7), power=0.4), "power to plan for in .*, got 0.05 and 0.4"),
        (lambda: sample_size(one_auc(0.7), negatives_per_positive=-1), "numbers of cases must be > 0"),
        (lambda: detectable_difference(one_auc(0.7), 5, 5), "use detectable_auc"),
        (lambda: binormal_pair(Binormal(1, 0), Binormal(1, 1), 0, 0), "b must be > 0"),
        (lambda: binormal_pair(Binormal(1, 1), Binormal(1, 1), 1.2, 0), "correlations within -1 and 1"),
    ],
)
def test_impossible_plans_are_refused(call, problem):
    with pytest.raises(ValueError, match=problem):
        call()


@given(st.floats(0.55, 0.98), st.floats(0.5, 0.99), st.floats(0.2, 5), st.floats(0.001, 0.09))
@settings(max_examples=40, deadline=None)
def test_a_sample_size_has_the_power_it_was_asked_for(auc, power, ratio, alpha):
    size = sample_size(one_auc(auc), power, ratio, alpha)

    assert achieved_power(one_auc(auc), size.n_positive, size.n_negative, alpha).power == pytest.approx(power)
    assert detectable_auc(size.n_positive, size.n_negative, power, alpha).difference == pytest.approx(auc - 0.5)
