"""Families of paired decisions: which pairs, which thresholds, and what adjusts them."""

from __future__ import annotations

import polars as pl
import pytest

from evaluation.multiplicity import ADJUSTMENTS, holm
from search_spaces.study import Primary, SpecificityAtLeast
from tests.evaluation.decisions_example import (
    PLAN,
    RESERVE,
    RESERVED,
    decided,
    decisions_of,
    one_center,
    planned,
)
from tests.evaluation.study_example import CHEST, IMAGENET, RADIOMICS, SCRATCH, bits, calls, labels

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


def test_the_other_pairs_do_not_cross_arms():
    truth = pl.concat([labels({"b": bits("1100")}, arm) for arm in ("classification", "radiomics")])
    scores = {cell: {"v": [0.3, 0.5], "b": calls("1010")} for cell in (CHEST, IMAGENET, RADIOMICS)}
    known = pl.concat([truth, labels({"v": [0, 1]}), labels({"v": [0, 1]}, "radiomics")])

    assert decisions_of(scores, known).filter(family="all pairs").is_empty()


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
