"""Paired decisions: counts by hand, the tests that are named, and the families that adjust them."""

from __future__ import annotations

from math import isnan

import numpy as np
import polars as pl
import pytest

from evaluation.comparison.cases import Cases
from evaluation.comparison.paired import AT_ONCE, Decided
from evaluation.comparison.predictive import PredictiveDraws
from evaluation.decisions.mcnemar import METHODS, mcnemar_clustered
from evaluation.decisions.paired_rates import paired_difference, paired_difference_clustered
from evaluation.decisions.predictive_values import compare_predictive_values
from evaluation.resampling import Resamples, bootstrap
from search_spaces.study import Primary, SpecificityAtLeast
from tests.evaluation.decisions_example import (
    FIRST,
    PLAN,
    RESERVE,
    RESERVED,
    SECOND,
    TRUTH,
    decisions_of,
    one_center,
    planned,
)
from tests.evaluation.study_example import (
    CHEST,
    IMAGENET,
    bits,
    calls,
    two_per_patient,
)

P = {  # b = 6, c = 1: 16/128, less 7/128 for mid-p; R: pchisq(25/7, 1), mcnemar.test with correction
    "exact": 0.125,
    "mid-p": 0.0703125,
    "chi2": 0.058781721355358973,
    "corrected": 0.130570018115737457,
}


def other(found, metric):
    return dict(found.filter(family="other test", metric=metric).select("test", "p").iter_rows())


def test_rates_and_counts_of_a_planned_pair_follow_by_hand():
    found = one_center().filter(family="planned pairs")

    # PPV 8/10 and 3/4, NPV 2/4 and 3/10: for them the counts are images called so.
    assert found.select("metric", "value_first", "value_second", "only_first", "only_second").rows() == [
        ("sensitivity", 0.8, 0.3, 6, 1),
        ("specificity", 0.5, 0.75, 0, 1),
        ("ppv", 0.8, 0.75, 10, 4),
        ("npv", 0.5, 0.3, 4, 10),
    ]
    assert found["difference"].to_list() == pytest.approx([0.5, -0.25, 0.05, 0.2])
    assert set(found.select("n_positive", "n_negative", "first", "second").rows()) == {(10, 4, CHEST, IMAGENET)}


def test_sensitivity_and_specificity_have_tangos_interval():
    found = planned(one_center())

    for metric, counts in (("sensitivity", (6, 1, 10)), ("specificity", (0, 1, 4))):
        expected = paired_difference(*counts)
        assert (found[metric]["low"], found[metric]["high"]) == pytest.approx((expected.low, expected.high))
        assert found[metric]["interval"] == "Tango score"


@pytest.mark.parametrize("variant", list(P))
def test_the_plan_names_the_variant_and_the_others_stand_beside_unadjusted(variant):
    found = one_center(plan=PLAN.model_copy(update={"mcnemar": variant}))

    row = planned(found)["sensitivity"]
    beside = found.filter(family="other test", metric="sensitivity")
    assert (row["p"], row["p_adjusted"], row["test"]) == (pytest.approx(P[variant]),) * 2 + (METHODS[variant],)
    assert other(found, "sensitivity") == {METHODS[name]: pytest.approx(p) for name, p in P.items() if name != variant}
    assert beside["p_adjusted"].is_nan().all()
    assert set(beside["adjustment"]) == {""}


def test_a_published_p_is_found_again_by_its_variant():
    # 242 of 268 found by both, false positives 46 and 63 of 475 with 38 and 21 discordant: only the corrected .037.
    truth = "1" * 268 + "0" * 475
    first = "1" * 242 + "0" * 26 + "0" * 391 + "0" * 38 + "1" * 21 + "1" * 25
    second = "1" * 242 + "0" * 26 + "0" * 391 + "1" * 38 + "0" * 21 + "1" * 25

    found = one_center(first, second, truth, plan=PLAN.model_copy(update={"mcnemar": "corrected"}))

    row = planned(found)["specificity"]
    assert (row["only_first"], row["only_second"], round(row["p"], 3)) == (38, 21, 0.037)
    assert (round(row["value_first"], 3), round(row["value_second"], 3)) == (0.903, 0.867)
    assert (round(planned(found)["ppv"]["value_first"], 3), round(planned(found)["ppv"]["value_second"], 3)) == (
        0.840,
        0.793,
    )


def resampled(truth, first, second, called=1):
    """Difference of PPVs (of NPVs with `called` 0) by the bootstrap that takes any metric."""
    of_class, one, two = (np.array(bits(text)) == called for text in (truth, first, second))

    def difference(draws):
        counts = draws.astype(np.float64)
        with np.errstate(invalid="ignore"):
            return counts @ (one & of_class) / (counts @ one) - counts @ (two & of_class) / (counts @ two)

    return bootstrap(difference, Resamples.of(bits(truth), draws=200))


def test_predictive_values_are_bootstrapped_on_the_same_resamples_as_any_metric():
    truth, first, second = "1111100000", "1111010000", "1110011000"
    found = one_center(first, second, truth)

    for metric, called in (("ppv", 1), ("npv", 0)):
        expected, row = resampled(truth, first, second, called), planned(found)[metric]
        assert (row["difference"], row["low"], row["high"], row["p"]) == pytest.approx(
            (expected.estimate, expected.low, expected.high, expected.p_normal), abs=1e-12
        )
        assert row["test"] == "bootstrap of cases, stratified by class, normal"
        assert row["interval"] == "bootstrap of cases, stratified by class, percentile"
        assert other(found, metric)[row["interval"]] == pytest.approx(expected.p)


def test_a_cell_that_calls_hardly_anybody_has_no_test_of_its_predictive_value():
    truth, first, second = "1111100000" * 4, "1" + "0" * 39, "1101011000" * 4
    row = planned(one_center(first, second, truth))["ppv"]

    assert row["value_first"] == 1
    assert all(isnan(row[name]) for name in ("low", "high", "p"))
    assert row["flag"] == "fewer than 5 such calls by a cell"


def test_a_thousand_pairs_leave_a_clear_difference_of_predictive_values_significant():
    truth, first, second = "1100000000" * 40, "1100000000" * 40, "1111111100" * 40
    row = planned(one_center(first, second, truth))["ppv"]

    # A percentile p of 200 draws is at least .01; the standard error of the draws has no such floor.
    assert row["p"] * 1770 < 0.05


@pytest.mark.parametrize("patients", [np.arange(12), np.arange(12) // 2], ids=["apart", "two images each"])
def test_hundreds_of_pairs_at_once_are_what_each_is_alone(patients):
    rng = np.random.default_rng(7)
    called, truth = rng.random((22, 12)) > rng.random((22, 1)), np.array([0, 1, 1, 0] * 3)
    cases = Cases(np.ones(12, dtype=bool), truth, patients)
    predictive = PredictiveDraws.of(called, cases, Resamples.of(truth, patients, draws=100))
    first, second = np.triu_indices(22, 1)

    together = Decided(called, cases).compare(first, second, predictive, PLAN)

    for metric in together:
        for place in (0, AT_ONCE - 1, AT_ONCE, first.size - 1):
            pair = first[[place]], second[[place]]
            alone = next(
                one
                for one in Decided(called, cases).compare(*pair, predictive, PLAN)
                if one["metric"] == metric["metric"]
            )
            for name in ("difference", "low", "high", "p", "only_first", "only_second"):
                assert metric[name][place] == pytest.approx(alone[name][0], nan_ok=True)
        assert metric["p"].size == 231


def without_percentile(tests):
    return {name: p for name, p in tests.items() if not name.endswith("percentile")}


def test_other_tests_of_predictive_values_are_named():
    found = one_center()

    expected = compare_predictive_values(bits(TRUTH), bits(FIRST), bits(SECOND))
    for metric, values in (("ppv", expected.ppv), ("npv", expected.npv)):
        tests = (values.generalized_score, values.weighted_generalized_score, values.relative_predictive_value)
        assert without_percentile(other(found, metric)) == {test.method: pytest.approx(test.p) for test in tests}


def test_patients_with_several_images_get_clustered_tests():
    found = one_center(change=two_per_patient)

    truth, first, second = (np.array(bits(text)) for text in (TRUTH, FIRST, SECOND))
    patients = np.arange(14) // 2
    for metric, of_class in (("sensitivity", truth == 1), ("specificity", truth == 0)):
        right = [(calls == truth)[of_class] for calls in (first, second)]
        test = mcnemar_clustered(*right, patients[of_class])
        interval = paired_difference_clustered(*right, patients[of_class])
        row = planned(found)[metric]
        assert (row["p"], row["test"]) == (pytest.approx(test.p), "clustered McNemar (Durkalski)")
        assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
        assert row["interval"] == "cluster-robust Wald (Obuchowski)"
        assert row["flag"].startswith("fewer than 10 patients on whom the cells differ")
    beside = {f"{METHODS[name]}, images as independent": pytest.approx(p) for name, p in P.items()}
    assert other(found, "sensitivity") == beside


def test_patients_who_repeat_in_the_other_class_only_leave_the_planned_test():
    def positives_repeat(table):
        return table.with_columns(patient=pl.when(pl.col("image") == "b1").then(pl.lit("b0")).otherwise("patient"))

    found = planned(one_center("1100100000", "1000010000", "1111000000", change=positives_repeat))

    assert found["sensitivity"]["test"] == "clustered McNemar (Durkalski)"
    assert found["specificity"]["test"] == METHODS[PLAN.mcnemar]


def test_predictive_values_of_patients_with_several_images_are_clustered_too():
    truth, first, second = "1111100000", "1110010000", "1101011000"
    found = one_center(first, second, truth, change=two_per_patient)

    patients = np.arange(10) // 2
    expected = compare_predictive_values(bits(truth), bits(first), bits(second), patients).ppv
    assert planned(found)["ppv"]["test"] == "bootstrap of patients, stratified by class, normal"
    assert without_percentile(other(found, "ppv")) == {
        f"{name}, clustered by patient": pytest.approx(p)
        for name, p in (
            ("generalized score (Leisenring)", expected.generalized_score.p),
            ("weighted generalized score (Kosinski)", expected.weighted_generalized_score.p),
            ("relative predictive value (Moskowitz-Pepe)", expected.relative_predictive_value.p),
        )
    }


def test_a_pair_turned_around_changes_its_signs_only():
    turned = PLAN.model_copy(update={"primary": Primary(comparisons=((IMAGENET, CHEST),))})
    one, other_way = one_center(), one_center(plan=turned)

    assert (-other_way["difference"]).to_list() == pytest.approx(one["difference"].to_list())
    assert (-other_way["low"]).to_list() == pytest.approx(one["high"].to_list(), nan_ok=True)
    assert other_way["only_first"].to_list() == one["only_second"].to_list()
    assert other_way["p"].to_list() == pytest.approx(one["p"].to_list(), nan_ok=True)


def test_models_that_decide_alike_have_p_one_everywhere():
    found = one_center(second=FIRST)

    assert found["difference"].to_list() == [0] * found.height
    assert set(found["p"].drop_nans()) == {1.0}


def test_where_nobody_is_called_there_is_no_predictive_value():
    # The highest reserved score is a negative's, so 90 % specificity takes the threshold to infinity.
    plan = PLAN.model_copy(update={"thresholds": (SpecificityAtLeast(specificity=0.9),)})
    scores = {cell: {"a": [*RESERVE[:4], 0.99, *RESERVE[5:]], "b": calls(FIRST)} for cell in (CHEST, IMAGENET)}

    found = decisions_of(scores, {"a": RESERVED, "b": bits(TRUTH)}, plan=plan)

    rows = planned(found.filter(center="b", source="reserve"))
    assert (rows["sensitivity"]["value_first"], rows["sensitivity"]["p"], rows["specificity"]["p"]) == (0, 1, 1)
    assert np.isnan([rows["ppv"][name] for name in ("value_first", "difference", "low", "p", "p_adjusted")]).all()
