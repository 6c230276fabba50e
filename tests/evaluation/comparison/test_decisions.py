"""Paired decisions: counts by hand, the tests that are named, and the families that adjust them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evaluation.comparison.decisions import decisions
from evaluation.mcnemar import METHODS, mcnemar_clustered
from evaluation.multiplicity import ADJUSTMENTS, holm
from evaluation.paired_rates import paired_difference, paired_difference_clustered
from evaluation.predictive_values import compare_predictive_values
from evaluation.resampling import Resamples, bootstrap
from search_spaces.study import Analysis, Bootstrap, Primary, SpecificityAtLeast
from tests.evaluation.study_example import (
    CHEST,
    IMAGENET,
    RADIOMICS,
    SCRATCH,
    bits,
    boards,
    calls,
    cells,
    labels,
    scored,
    two_per_patient,
)

RESERVE, RESERVED = [0.3] * 5 + [0.5] * 5, [0] * 5 + [1] * 5
"""Youden's threshold is .5 here, so that external decisions are what `calls` writes down."""
TWO = Primary(comparisons=((CHEST, IMAGENET),))
PLAN = Analysis(thresholds=("youden",), primary=TWO, bootstrap=Bootstrap(draws=200), net_benefit=())

# Of 10 positives 6 are right by the first only, 1 by the second only; of 4 negatives 1 by the second only.
TRUTH = "1111111111 0000"
FIRST, SECOND = "1111110110 0011", "0000001110 0001"
P = {  # b = 6, c = 1: 16/128, less 7/128 for mid-p; R: pchisq(25/7, 1), mcnemar.test with correction
    "exact": 0.125,
    "mid-p": 0.0703125,
    "chi2": 0.058781721355358973,
    "corrected": 0.130570018115737457,
}


def decisions_of(scores, truth, plan=PLAN, change=None):
    """The frame from scores and labels by center."""
    table = scored(scores) if change is None else change(scored(scores))
    return decisions(boards(table, truth if isinstance(truth, pl.DataFrame) else labels(truth)), plan, cells())


def decided(called, truth, **changes):
    """From calls by cell and external center, where each cell has the reserve's threshold .5."""
    scores = {
        cell: {"a": RESERVE} | {center: calls(text) for center, text in centers.items()}
        for cell, centers in called.items()
    }
    return decisions_of(scores, {"a": RESERVED} | {center: bits(text) for center, text in truth.items()}, **changes)


def one_center(first=FIRST, second=SECOND, truth=TRUTH, **changes):
    """Rows of the planned pair on center b, by carried thresholds."""
    found = decided({CHEST: {"b": first}, IMAGENET: {"b": second}}, {"b": truth}, **changes)
    return found.filter(center="b", source="reserve")


def planned(found):
    return {row["metric"]: row for row in found.filter(family="planned pairs").rows(named=True)}


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
    truth, first, second = "1111100000", "1110010000", "1101011000"
    found = planned(one_center(first, second, truth))

    for metric, called in (("ppv", 1), ("npv", 0)):
        expected, row = resampled(truth, first, second, called), found[metric]
        assert (row["difference"], row["low"], row["high"], row["p"]) == pytest.approx(
            (expected.estimate, expected.low, expected.high, expected.p), abs=1e-12
        )
        assert row["test"] == row["interval"] == "bootstrap of cases, stratified by class, percentile"


def test_draws_in_which_nobody_is_called_are_left_out_of_the_bootstrap():
    truth, first, second = "1111100000", "1000010000", "1100001000"
    row = planned(one_center(first, second, truth))["ppv"]

    expected = resampled(truth, first, second)
    assert "undefined" in expected.flag
    assert (row["low"], row["high"], row["p"]) == pytest.approx((expected.low, expected.high, expected.p), abs=1e-12)


def test_other_tests_of_predictive_values_are_named():
    found = one_center()

    expected = compare_predictive_values(bits(TRUTH), bits(FIRST), bits(SECOND))
    for metric, values in (("ppv", expected.ppv), ("npv", expected.npv)):
        tests = (values.generalized_score, values.weighted_generalized_score, values.relative_predictive_value)
        assert other(found, metric) == {test.method: pytest.approx(test.p) for test in tests}


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
    assert other(found, "sensitivity") == {METHODS[name]: pytest.approx(p) for name, p in P.items()}


def test_predictive_values_of_patients_with_several_images_are_clustered_too():
    truth, first, second = "1111100000", "1110010000", "1101011000"
    found = one_center(first, second, truth, change=two_per_patient)

    patients = np.arange(10) // 2
    expected = compare_predictive_values(bits(truth), bits(first), bits(second), patients).ppv
    assert planned(found)["ppv"]["test"] == "bootstrap of patients, stratified by class, percentile"
    assert other(found, "ppv") == {
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
    assert (-other_way["low"]).to_list() == pytest.approx(one["high"].to_list())
    assert other_way["only_first"].to_list() == one["only_second"].to_list()
    assert other_way["p"].to_list() == pytest.approx(one["p"].to_list())


def test_models_that_decide_alike_have_p_one_everywhere():
    found = one_center(second=FIRST).filter(pl.col("test") != "relative predictive value (Moskowitz-Pepe)")

    assert found["difference"].to_list() == [0] * found.height
    assert set(found["p"]) == {1.0}


def test_where_nobody_is_called_there_is_no_predictive_value():
    # The highest reserved score is a negative's, so 90 % specificity takes the threshold to infinity.
    plan = PLAN.model_copy(update={"thresholds": (SpecificityAtLeast(specificity=0.9),)})
    scores = {cell: {"a": [*RESERVE[:4], 0.99, *RESERVE[5:]], "b": calls(FIRST)} for cell in (CHEST, IMAGENET)}

    found = decisions_of(scores, {"a": RESERVED, "b": bits(TRUTH)}, plan=plan)

    rows = planned(found.filter(center="b", source="reserve"))
    assert (rows["sensitivity"]["value_first"], rows["sensitivity"]["p"], rows["specificity"]["p"]) == (0, 1, 1)
    assert np.isnan([rows["ppv"][name] for name in ("value_first", "difference", "low", "p", "p_adjusted")]).all()


# Three cells on two centers, so that families have several members.
THREE = {
    CHEST: {"b": "111111 0000", "c": "110 0000"},
    IMAGENET: {"b": "110000 0111", "c": "000 0011"},
    SCRATCH: {"b": "111000 0001", "c": "111 0101"},
}
THREE_TRUTH = {"b": "111111 0000", "c": "111 0000"}
THREE_PAIRS = Primary(comparisons=((CHEST, IMAGENET), (CHEST, SCRATCH), (IMAGENET, SCRATCH)))


@pytest.mark.parametrize("adjust", ["holm", "hommel", "bh"])
def test_planned_pairs_are_adjusted_per_center_source_rule_and_metric(adjust):
    plan = PLAN.model_copy(
        update={"primary": THREE_PAIRS, "adjust": adjust, "thresholds": ("youden", SpecificityAtLeast(specificity=0.8))}
    )
    found = decided(THREE, THREE_TRUTH, plan=plan).filter(family="planned pairs")

    families = found.partition_by("role", "center", "source", "rule", "metric")
    for family in families:
        assert family["p_adjusted"].to_list() == pytest.approx(ADJUSTMENTS[adjust](family["p"]).tolist(), nan_ok=True)
    # The reserve, twice as center and pool, by its own thresholds; b, c and all by these and by those of the test.
    assert len(families) == (2 + 3 * 2) * 2 * 4
    assert {family.height for family in families} == {3}
    assert set(found["adjustment"]) == {adjust}


def test_the_other_pairs_of_an_arm_are_a_family_of_their_own_pooled_and_by_carried_thresholds():
    found = decided(THREE, THREE_TRUTH).filter(family="all pairs")

    assert set(found.select("role", "center", "source").rows()) == {
        ("reserve", "all", "reserve"),
        ("external", "all", "reserve"),
    }
    assert set(found.select("first", "second").rows()) == {(IMAGENET, SCRATCH), (CHEST, SCRATCH)}
    for family in found.partition_by("role", "metric"):
        assert family.height == 2
        assert family["p_adjusted"].to_list() == pytest.approx(holm(family["p"]).tolist())


def test_a_plan_without_comparisons_leaves_all_pairs_only():
    found = decided(THREE, THREE_TRUTH, plan=PLAN.model_copy(update={"primary": Primary()}))

    assert set(found["family"]) == {"all pairs"}
    assert set(found.filter(role="external", metric="ppv").select("first", "second").rows()) == {
        (IMAGENET, CHEST),
        (IMAGENET, SCRATCH),
        (CHEST, SCRATCH),
    }


def test_pooled_counts_are_the_sum_over_centers():
    found = decided(THREE, THREE_TRUTH).filter(
        family="planned pairs", metric="sensitivity", source="reserve", role="external"
    )

    assert found.select("center", "only_first", "only_second", "n_positive").sort("center").rows() == [
        ("all", 6, 0, 9),
        ("b", 4, 0, 6),
        ("c", 2, 0, 3),
    ]


def test_thresholds_chosen_on_the_test_set_stand_beside_carried_ones():
    scores = {CHEST: {"a": RESERVE, "b": [0.55, 0.6, 0.8, 0.9]}, IMAGENET: {"a": RESERVE, "b": [0.1, 0.6, 0.7, 0.9]}}

    found = decisions_of(scores, {"a": RESERVED, "b": [0, 0, 1, 1]})

    # Carried .5 calls all four of the first; on the test set Youden's threshold is .8, and of the second .7.
    rows = found.filter(family="planned pairs", center="b", metric="specificity")
    assert rows.select("source", "value_first", "value_second").rows() == [("reserve", 0, 0.5), ("test", 1, 1)]
    assert set(found.filter(role="reserve")["source"]) == {"reserve"}


def test_only_images_that_both_cells_scored_count():
    found = planned(one_center("1100", "110", "1100"))

    assert (found["specificity"]["n_negative"], found["sensitivity"]["n_positive"]) == (1, 2)


def test_cells_of_two_arms_meet_on_images_that_both_label_alike():
    truth = pl.concat(
        [
            labels({"a": RESERVED, "b": bits("111 000")}),
            labels({"a": RESERVED, "b": bits("110 000")}, "radiomics"),
        ]
    )
    scores = {CHEST: {"a": RESERVE, "b": calls("111 000")}, RADIOMICS: {"a": RESERVE, "b": calls("011 001")}}
    plan = PLAN.model_copy(update={"primary": Primary(comparisons=((CHEST, RADIOMICS),))})

    found = planned(decisions_of(scores, truth, plan=plan).filter(center="b", source="reserve"))

    # b2 is positive in one arm only and leaves.
    row = found["sensitivity"]
    assert (row["arm"], row["n_positive"], row["n_negative"]) == ("classification vs radiomics", 2, 3)
    assert (row["value_first"], row["value_second"], found["specificity"]["value_second"]) == (1, 0.5, 2 / 3)


def test_a_center_with_one_class_has_no_decisions_and_is_in_the_pool():
    found = decided(THREE, THREE_TRUTH | {"c": "000 0000"}).filter(role="external")

    assert set(found["center"]) == {"b", "all"}
    assert found.filter(center="all")["n_negative"].unique().to_list() == [11]


def test_without_a_reserve_each_models_own_fold_decides_and_the_source_says_so():
    scores = {CHEST: {"v": [0.3, 0.5], "b": calls("1100")}, IMAGENET: {"v": [0.2, 0.6], "b": calls("1010")}}

    found = decisions_of(scores, {"v": [0, 1], "b": bits("1100")})

    rows = found.filter(center="b", family="planned pairs", metric="sensitivity")
    assert rows.select("source", "value_first", "value_second").rows() == [("fold thresholds", 1, 0.5), ("test", 1, 1)]


def mixed_sources():
    """The second cell has too few reserved images and decides by its fold, as the third decides by the reserve."""
    scores = {
        CHEST: {"a": RESERVE, "b": calls("1100")},
        IMAGENET: {"a": RESERVE[:6], "v": [0.3, 0.5], "b": calls("1010")},
        SCRATCH: {"a": RESERVE, "b": calls("0011")},
    }
    plan = PLAN.model_copy(update={"primary": THREE_PAIRS})
    return decisions_of(scores, {"a": RESERVED, "v": [0, 1], "b": bits("1100")}, plan=plan)


def test_a_pair_whose_thresholds_come_from_two_sources_names_both():
    rows = mixed_sources().filter(center="b", family="planned pairs", metric="sensitivity")

    assert rows.filter(pl.col("source") != "test").select("first", "second", "source").rows() == [
        (CHEST, IMAGENET, "reserve vs fold thresholds"),
        (CHEST, SCRATCH, "reserve"),
        (IMAGENET, SCRATCH, "fold thresholds vs reserve"),
    ]


def test_pairs_with_carried_thresholds_are_one_family_whatever_their_source():
    rows = mixed_sources().filter(pl.col("source") != "test", center="b", family="planned pairs", metric="sensitivity")

    assert rows["p_adjusted"].to_list() == pytest.approx(holm(rows["p"]).tolist())
    assert rows["p"].to_list() == pytest.approx([0.5, 0.25, 0.5])


def test_a_planned_pair_that_cannot_be_decided_makes_the_others_no_easier():
    three = PLAN.model_copy(update={"primary": THREE_PAIRS})
    alone = planned(one_center())["sensitivity"]

    # Two of the three planned pairs need the cell without results.
    found = planned(one_center(plan=three))["sensitivity"]
    assert (found["p"], alone["p_adjusted"]) == (alone["p"], alone["p"])
    assert found["p_adjusted"] == pytest.approx(3 * alone["p"])


def test_a_cell_without_any_development_scores_is_decided_on_the_test_set_only():
    scores = {CHEST: {"b": calls("1100")}, IMAGENET: {"a": RESERVE, "b": calls("1010")}}

    found = decisions_of(scores, {"a": RESERVED, "b": bits("1100")})

    assert set(found["source"]) == {"test"}


def test_decisions_do_not_depend_on_other_cells_results():
    few = decided({cell: THREE[cell] for cell in (CHEST, IMAGENET)}, THREE_TRUTH)
    many = decided(THREE, THREE_TRUTH)

    pair = (pl.col("first") == CHEST) & (pl.col("second") == IMAGENET)
    assert many.filter(pair).sort(few.columns).equals(few.sort(few.columns))
