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


def test_too_few_reserve_positives_leave_the_choice_to_validation():
    found = points(truth=TRUTH | {"a": [0] * 6 + [1] * 4}).filter(center="all")

    # validation: negatives .3 .35, positives .4 .8
    assert found.select("role", "source", "threshold").rows() == [
        ("reserve", "validation", 0.4),
        ("validation", "validation", 0.4),
        ("external", "validation", 0.4),
        ("external", "test", 0.6),
    ]


def test_without_both_classes_in_development_only_the_test_threshold_remains():
    found = points(truth={"a": [1] * 10, "b": TRUTH["b"], "v": [1] * 4})

    assert found["source"].unique().to_list() == ["test"]


def test_all_rules_of_the_plan_are_named_and_have_exact_intervals():
    found = points(plan=Analysis()).filter(pl.col("center") == "all", pl.col("role") == "reserve")

    assert found["rule"].to_list() == ["sensitivity>=0.90", "specificity>=0.90", "youden"]
    row = found.row(2, named=True)
    assert (row["sensitivity"], row["sensitivity_low"]) == (1, pytest.approx(0.47817624989501861))
    assert (row["specificity_high"], row["ppv"], row["npv"]) == (1, 1, 1)
