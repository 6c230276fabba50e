"""Decision curves and differences of net benefit: by the formula, and on common draws."""

from __future__ import annotations

from math import isnan

import numpy as np
import polars as pl
import pytest

from evaluation.calibration.decision_curve import net_benefit, net_benefit_difference
from evaluation.calibration.recalibration import isotonic, platt
from evaluation.comparison.benefit import decision_curves, net_benefits, recalibrations
from evaluation.resampling import Resamples
from search_spaces.study import Analysis, Bootstrap, Primary
from tests.evaluation.study_example import (
    CHEST,
    IMAGENET,
    RADIOMICS,
    SCRATCH,
    boards,
    cells,
    labels,
    logit_series,
    predictions,
    scored,
    sigmoid,
    two_per_patient,
)

PLAN = Analysis(
    primary=Primary(comparisons=((CHEST, IMAGENET),)), bootstrap=Bootstrap(draws=200), net_benefit=(0.2, 0.5)
)
RISKS, TRUTH = [0.1, 0.2, 0.2, 0.6, 0.3, 0.9, 0.5, 0.8, 0.4, 0.7], [0, 0, 1, 0, 0, 1, 0, 1, 1, 1]
WORSE = [0.5, 0.1, 0.6, 0.7, 0.2, 0.3, 0.9, 0.4, 0.8, 0.1]
RESERVE, RESERVED = [0.1, 0.3, 0.2, 0.6, 0.4, 0.5, 0.3, 0.7, 0.8, 0.9], [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]


def study(scores, truth=None, change=None):
    """Panels and recalibration maps of cells by center."""
    table = scored(scores) if change is None else change(scored(scores))
    known = labels({"a": RESERVED, "b": TRUTH} | (truth or {})) if not isinstance(truth, pl.DataFrame) else truth
    found = boards(table, known)
    return found, recalibrations(found, cells())


def curves(scores, **changes):
    return decision_curves(*study(scores, **changes))


def differences(scores, plan=PLAN, **changes):
    found, maps = study(scores, **changes)
    return net_benefits(found, plan, cells(), maps)


def test_a_decision_curve_is_the_formula_at_its_threshold():
    row = curves({IMAGENET: {"b": RISKS}}).row(
        by_predicate=(pl.col("threshold") == 0.4) & (pl.col("center") == "b"), named=True
    )

    # At .4 and above: .9 .8 .4 .7 of five positives, .6 .5 of five negatives; odds 2/3.
    assert row["net_benefit"] == pytest.approx(4 / 10 - 2 / 10 * 2 / 3)
    assert row["treat_all"] == pytest.approx(5 / 10 - 5 / 10 * 2 / 3)
    assert (row["treat_none"], row["standardized"]) == (0, pytest.approx((4 - 4 / 3) / 5))


def test_curves_run_over_all_risks_from_one_to_ninety_nine_percent():
    found = curves({IMAGENET: {"a": RESERVE, "b": RISKS}})

    assert found["threshold"].unique().sort().to_list() == [percent / 100 for percent in range(1, 100)]
    assert found.select("role", "center", "recalibration").unique(maintain_order=True).rows() == [
        ("reserve", "a", "none"),
        ("reserve", "all", "none"),
        *(("external", center, name) for center in ("b", "all") for name in ("none", "Platt", "isotonic")),
    ]


def test_raw_curves_of_cells_with_logits_are_of_their_probabilities():
    logits = [-2.0, 1.0, 0.5, -1.0]
    table = predictions(*logit_series(IMAGENET, "b", logits, role="external"))
    found = boards(table, labels({"b": [0, 1, 0, 1]}))

    curve = decision_curves(found, recalibrations(found, cells())).filter(center="b")

    expected = net_benefit([0, 1, 0, 1], [sigmoid(logit) for logit in logits], curve["threshold"])
    assert curve["net_benefit"].to_list() == pytest.approx(expected.net_benefit.tolist())


@pytest.mark.parametrize(("name", "fit"), [("Platt", platt), ("isotonic", isotonic)])
def test_recalibrated_curves_are_of_the_mapped_risks(name, fit):
    curve = curves({IMAGENET: {"a": RESERVE, "b": RISKS}}).filter(center="b", recalibration=name)

    odds = [np.log(np.array(risks) / (1 - np.array(risks))) for risks in (RESERVE, RISKS)]
    expected = net_benefit(TRUTH, fit(RESERVED, odds[0]).apply(odds[1]), curve["threshold"])
    assert curve["net_benefit"].to_list() == pytest.approx(expected.net_benefit.tolist())


def test_validation_and_centers_with_one_class_have_no_curve():
    truth = labels({"v": RESERVED, "b": TRUTH, "c": [1] * 10})
    found = curves({IMAGENET: {"v": RESERVE, "b": RISKS, "c": RISKS}}, truth=truth)

    assert set(found.select("role", "center").rows()) == {("external", "b"), ("external", "all")}


def test_differences_are_of_the_reserve_and_of_external_centers():
    truth = labels({"a": RESERVED, "v": RESERVED, "b": TRUTH})
    found = differences({cell: {"a": RESERVE, "v": RESERVE, "b": RISKS} for cell in (CHEST, IMAGENET)}, truth=truth)

    assert set(found.select("role", "center").rows()) == {
        (role, center) for role, of_role in (("reserve", "a"), ("external", "b")) for center in (of_role, "all")
    }


def test_a_difference_is_first_minus_second_at_the_plans_risks():
    rows = differences({CHEST: {"b": RISKS}, IMAGENET: {"b": WORSE}}).filter(center="b")

    # At .2 the first treats all 5 positives and 4 negatives, the second 4 and 4; at .5 it is 3 and 2 against 2 and 3.
    assert rows.select("first", "second", "arm").unique().rows() == [(CHEST, IMAGENET, "classification")]
    assert rows["threshold"].to_list() == [0.2, 0.5]
    assert rows["net_benefit_first"].to_list() == pytest.approx([0.5 - 0.4 / 4, 0.3 - 0.2])
    assert rows["net_benefit_second"].to_list() == pytest.approx([0.4 - 0.4 / 4, 0.2 - 0.3])
    assert rows["difference"].to_list() == pytest.approx([0.1, 0.2])
    assert set(rows["flag"]) == {""}


@pytest.mark.parametrize("change", [None, two_per_patient])
def test_intervals_come_from_common_draws_of_patients(change):
    rows = differences({CHEST: {"b": RISKS}, IMAGENET: {"b": WORSE}}, change=change).filter(center="b")

    patients = None if change is None else np.arange(10) // 2
    resamples = Resamples.of(TRUTH, patients, draws=200)
    expected = net_benefit_difference(TRUTH, RISKS, WORSE, [0.2, 0.5], resamples)
    assert rows["low"].to_list() == pytest.approx(expected.low.tolist())
    assert rows["high"].to_list() == pytest.approx(expected.high.tolist())
    assert set(rows["method"]) == {expected.method}


def test_another_seed_draws_other_patients():
    other = PLAN.model_copy(update={"bootstrap": Bootstrap(draws=200, seed=1)})
    scores = {CHEST: {"b": RISKS}, IMAGENET: {"b": WORSE}}
    one, two = differences(scores), differences(scores, plan=other)

    assert one["difference"].equals(two["difference"])
    assert not one["low"].equals(two["low"])


def test_differences_stand_for_raw_and_recalibrated_risks():
    scores = {CHEST: {"a": RESERVE, "b": RISKS}, IMAGENET: {"a": RESERVE[::-1], "b": WORSE}}
    rows = differences(scores).filter(center="b")

    assert rows["recalibration"].unique(maintain_order=True).to_list() == ["none", "Platt", "isotonic"]
    for name in ("none", "Platt", "isotonic"):
        curve = curves(scores).filter(
            pl.col("threshold").is_in([0.2, 0.5]), center="b", recalibration=name, cell=IMAGENET
        )
        found = rows.filter(recalibration=name)
        assert found["net_benefit_second"].to_list() == pytest.approx(curve["net_benefit"].to_list())


def test_a_cell_without_a_reserve_is_compared_by_raw_risks_only():
    rows = differences({CHEST: {"a": RESERVE, "b": RISKS}, IMAGENET: {"b": WORSE}})

    assert set(rows["recalibration"]) == {"none"}


def test_the_same_risks_differ_by_nothing_and_say_so():
    rows = differences({CHEST: {"b": RISKS}, IMAGENET: {"b": RISKS}})

    assert set(rows.select("difference", "low", "high", "flag").rows()) == {(0, 0, 0, "no variation")}


def test_every_center_and_the_pool_are_compared_each_on_its_own_images():
    truth = labels({"b": TRUTH, "c": TRUTH[::-1]})
    rows = differences({CHEST: {"b": RISKS, "c": WORSE}, IMAGENET: {"b": WORSE, "c": WORSE}}, truth=truth)

    at = {row["center"]: row["difference"] for row in rows.filter(threshold=0.5).rows(named=True)}
    assert at == {"b": pytest.approx(0.2), "c": 0, "all": pytest.approx(0.1)}


def test_only_images_that_both_cells_scored_count():
    rows = differences({CHEST: {"b": RISKS}, IMAGENET: {"b": WORSE[:8]}}).filter(center="b")

    expected = net_benefit(TRUTH[:8], RISKS[:8], [0.2, 0.5])
    assert rows["net_benefit_first"].to_list() == pytest.approx(expected.net_benefit.tolist())


def test_cells_of_two_arms_meet_on_images_that_both_label_alike():
    plan = PLAN.model_copy(update={"primary": Primary(comparisons=((CHEST, RADIOMICS),))})
    truth = pl.concat([labels({"b": TRUTH}), labels({"b": [*TRUTH[:9], 0]}, "radiomics")])
    rows = differences({CHEST: {"b": RISKS}, RADIOMICS: {"b": WORSE}}, plan=plan, truth=truth).filter(center="b")

    expected = net_benefit(TRUTH[:9], WORSE[:9], [0.2, 0.5])
    assert set(rows["arm"]) == {"classification vs radiomics"}
    assert rows["net_benefit_second"].to_list() == pytest.approx(expected.net_benefit.tolist())


@pytest.mark.parametrize("change", [{"net_benefit": ()}, {"primary": Primary()}], ids=["no risks", "no pairs"])
def test_without_risks_or_pairs_in_the_plan_there_is_no_difference(change):
    rows = differences({CHEST: {"b": RISKS}, IMAGENET: {"b": WORSE}}, plan=PLAN.model_copy(update=change))

    assert rows.is_empty()


def test_risks_of_the_plan_may_stand_in_any_order_and_twice():
    plan = PLAN.model_copy(update={"net_benefit": (0.5, 0.2, 0.5)})
    scores = {CHEST: {"b": RISKS}, IMAGENET: {"b": WORSE}}

    assert differences(scores, plan=plan).equals(differences(scores))


def test_a_planned_cell_without_results_is_left_out():
    plan = PLAN.model_copy(update={"primary": Primary(comparisons=((CHEST, IMAGENET), (SCRATCH, IMAGENET)))})

    rows = differences({CHEST: {"b": RISKS}, IMAGENET: {"b": WORSE}}, plan=plan)

    assert set(rows["first"]) == {CHEST}
    assert not any(isnan(value) for value in rows["low"])
