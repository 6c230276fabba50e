"""Thresholds chosen on the reserve and carried, and those chosen on the test set beside them."""

from __future__ import annotations

import polars as pl
import pytest

from search_spaces.study import Analysis
from tests.evaluation.study_example import IMAGENET, compared, labels, predictions, series

RESERVE = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
EXTERNAL = [0.2, 0.55, 0.6, 0.7]
TRUTH = {"a": [0] * 5 + [1] * 5, "b": [0, 0, 1, 1], "v": [0, 1, 0, 1]}
YOUDEN = Analysis(thresholds=("youden",))


def points(reserve=RESERVE, truth=TRUTH, plan=YOUDEN, external=EXTERNAL):
    table = predictions(
        *series(IMAGENET, "a", reserve),
        *series(IMAGENET, "v", [0.3, 0.4, 0.35, 0.8], role="validation"),
        *series(IMAGENET, "b", external, role="external"),
    )
    return compared(table, labels(truth), plan=plan).operating_points


def test_a_threshold_chosen_on_the_reserve_is_carried_unchanged():
    found = points().filter(pl.col("center") == "b", pl.col("source") == "reserve")

    assert found.select("threshold", "tp", "fp", "fn", "tn").rows() == [(0.6, 2, 0, 0, 2)]


def test_the_carried_threshold_does_not_move_when_external_scores_do():
    before, after = points(), points(external=[0.9, 0.8, 0.1, 0.2])
    carried = (pl.col("source") == "reserve") & (pl.col("role") == "external")

    assert before.filter(carried)["threshold"].to_list() == after.filter(carried)["threshold"].to_list() == [0.6, 0.6]


def test_the_test_sets_own_threshold_stands_beside_it():
    found = points(external=[0.65, 0.7, 0.8, 0.9]).filter(center="b")

    assert found.select("source", "threshold", "fp").rows() == [("reserve", 0.6, 2), ("test", 0.8, 0)]


def test_the_reserve_itself_is_shown_and_validation_is_not():
    assert points().select("role", "center", "source").rows() == [
        ("reserve", "a", "reserve"),
        ("reserve", "all", "reserve"),
        ("external", "b", "reserve"),
        ("external", "all", "reserve"),
        ("external", "b", "test"),
        ("external", "all", "test"),
    ]


def test_too_few_reserve_positives_leave_the_choice_to_each_models_own_fold():
    found = points(truth=TRUTH | {"a": [0] * 6 + [1] * 4}).filter(center="all")

    # The one model's held-out patients: negatives .3 .35, positives .4 .8, so Youden's threshold is .4.
    assert found.select("role", "source", "tp", "fp").rows() == [
        ("reserve", "fold thresholds", 4, 3),
        ("external", "fold thresholds", 2, 1),
        ("external", "test", 2, 0),
    ]
    assert found["threshold"].is_nan().to_list() == [True, True, False]


def test_fold_thresholds_decide_by_the_majority_of_the_models():
    models = {
        0: ([0.3, 0.4], [0.1, 0.9, 0.6, 0.6]),  # threshold .4: calls b1 b2 b3
        1: ([0.5, 0.7], [0.8, 0.6, 0.75, 0.1]),  # threshold .7: calls b0 b2
        2: ([0.2, 0.9], [0.1, 0.95, 0.3, 0.9]),  # threshold .9: calls b1 b3
    }
    rows = [
        row
        for fold, (held_out, external) in models.items()
        for row in (
            *series(IMAGENET, "vwx"[fold], held_out, role="validation", fold=fold),
            *series(IMAGENET, "b", external, role="external", fold=fold),
        )
    ]
    truth = labels({"v": [0, 1], "w": [0, 1], "x": [0, 1], "b": [0, 0, 1, 1]})

    found = compared(predictions(*rows), truth, plan=YOUDEN).operating_points.filter(
        center="b", source="fold thresholds"
    )

    # Two of three call b1, b2 and b3: one negative and both positives.
    assert found.select("tp", "fp", "fn", "tn").rows() == [(2, 1, 0, 1)]


def test_a_tied_vote_of_two_models_is_negative():
    rows = [
        *series(IMAGENET, "v", [0.3, 0.4], role="validation", fold=0),
        *series(IMAGENET, "w", [0.3, 0.8], role="validation", fold=1),
        *series(IMAGENET, "b", [0.5, 0.5], role="external", fold=0),
        *series(IMAGENET, "b", [0.5, 0.5], role="external", fold=1),
    ]

    found = compared(predictions(*rows), labels({"v": [0, 1], "w": [0, 1], "b": [0, 1]}), plan=YOUDEN).operating_points

    carried = found.filter(center="b", source="fold thresholds")
    assert carried.select("tp", "fp").rows() == [(0, 0)]


def test_without_both_classes_in_development_only_the_test_threshold_remains():
    found = points(truth={"a": [1] * 10, "b": TRUTH["b"], "v": [1] * 4})

    assert found["source"].unique().to_list() == ["test"]


def test_all_rules_of_the_plan_are_named_and_have_exact_intervals():
    found = points(plan=Analysis()).filter(pl.col("center") == "all", pl.col("role") == "reserve")

    assert found["rule"].to_list() == ["sensitivity>=0.90", "specificity>=0.90", "youden"]
    row = found.row(2, named=True)
    assert (row["sensitivity"], row["sensitivity_low"]) == (1, pytest.approx(0.47817624989501861))
    assert (row["specificity_high"], row["ppv"], row["npv"]) == (1, 1, 1)


def test_patients_with_several_images_are_flagged_because_the_intervals_are_too_narrow():
    table = predictions(*series(IMAGENET, "a", RESERVE), *series(IMAGENET, "b", EXTERNAL, role="external"))
    doubled = table.with_columns(patient=pl.col("image").replace({"b1": "b0"}))

    found = compared(doubled, labels(TRUTH), plan=YOUDEN).operating_points

    flags = dict(found.select("center", "flag").iter_rows())
    assert flags["b"] == "several images per patient: intervals take images as independent"
    assert flags["a"] == ""
