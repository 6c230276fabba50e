"""Figures: the forest's positions and the curves' points."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from evaluation.report.figures import drawing, roc
from evaluation.report.figures.decision_curves import decision_curves
from evaluation.report.figures.forest import Axis, forest
from tests.evaluation.report_cells import BEST
from tests.evaluation.report_example import example, no_comparison

TRANSFER = "resnet50 · radimagenet · transfer"


def test_the_forest_shows_every_cell_at_its_pooled_external_auc() -> None:
    drawn = forest(example())

    shown = [(arm.arm, arm.place, len(arm.rows)) for arm in drawn.arms]

    assert shown == [
        ("classification", "External, pooled", 4),
        ("radiomics", "External, pooled", 1),
        ("detection", "External, pooled", 2),
    ]
    assert drawn.arms[0].rows[0].estimate == "0.738 (0.714–0.762)"


def test_a_sealed_forest_shows_the_reserve() -> None:
    drawn = forest(example(external_open=False, external_waiting="not finished"))

    assert {arm.place for arm in drawn.arms} == {"Reserve"}


def test_positions_on_the_axis_follow_the_values() -> None:
    axis = Axis(0.5, 1.0)

    assert [axis.percent(value) for value in (0.5, 0.75, 1.0)] == [4.0, 50.0, 96.0]
    assert [label for _, label in axis.ticks()] == ["0.50", "0.60", "0.70", "0.80", "0.90", "1.00"]


def test_a_cell_without_an_estimate_keeps_its_row_but_has_no_mark() -> None:
    study = example()
    unknown = study.seen.performance.with_columns(pl.lit(float("nan")).alias(name) for name in ("auc", "low", "high"))

    drawn = forest(example(comparison=replace(study.comparison, performance=unknown)))

    assert {(row.estimate, row.low, row.middle) for arm in drawn.arms for row in arm.rows} == {("–", None, None)}


def test_a_study_without_results_has_no_figures() -> None:
    context = example(comparison=no_comparison())

    assert forest(context).arms == ()
    assert roc.roc(context, "classification") is None


def test_one_place_is_visible_at_a_time_and_the_pooled_one_first() -> None:
    figure = roc.roc(example(), "classification")

    assert figure is not None
    assert figure.choices == (
        "External, pooled",
        *(
            f"{TRANSFER} against {other} · imagenet · transfer (External, pooled)"
            for other in ("resnet50", "inception_v3")
        ),
        "External, center_b",
        "External, center_c",
        "Reserve",
    )
    traces = json.loads(figure.json)["data"]
    assert [trace["visible"] for trace in traces] == [True] * 4 + [False] * (len(traces) - 4)
    assert [trace["meta"] for trace in traces[-12:]] == [number for number in range(3, 6) for _ in range(4)]
    assert traces[0]["name"] == "resnet50 · radimagenet · transfer  0.738"


def test_a_curve_starts_where_nobody_is_called_positive() -> None:
    figure = roc.roc(example(), "classification")

    assert figure is not None
    first = json.loads(figure.json)["data"][0]
    assert (first["x"][0], first["y"][0], first["text"][0]) == (0, 0, "∞")
    assert (first["x"][-1], first["y"][-1]) == (1, 1)


def test_points_on_a_straight_line_are_left_out_of_the_drawing() -> None:
    fpr, tpr = np.array([0, 0, 0, 0.5, 1, 1]), np.array([0, 0.2, 0.6, 0.6, 0.6, 1])

    assert drawing.corners(fpr, tpr).tolist() == [0, 2, 4, 5]


@pytest.mark.parametrize("points", [0, 1, 2])
def test_the_shortest_curves_are_kept(points: int) -> None:
    line = np.linspace(0, 1, points)

    assert len(drawing.corners(line, line)) == points


def test_a_long_curve_is_thinned_but_keeps_its_ends() -> None:
    fpr = np.linspace(0, 1, 5001)

    kept = drawing.corners(fpr, np.sqrt(fpr))

    assert len(kept) == drawing.MOST_POINTS
    assert (kept[0], kept[-1]) == (0, 5000)


def test_tooltips_of_the_forest_name_the_whole_cell() -> None:
    assert forest(example()).arms[0].rows[0].heading.title == BEST


def test_decision_curves_are_those_of_planned_cells_and_of_acting_on_everyone_or_no_one() -> None:
    figure = decision_curves(example(), "classification")

    assert figure is not None
    assert figure.choices == ("Risks as predicted", "Risks after Platt")
    traces = json.loads(figure.json)["data"]
    assert [trace["name"] for trace in traces[:5]] == [
        "resnet50 · radimagenet · transfer",
        "resnet50 · imagenet · transfer",
        "inception_v3 · imagenet · transfer",
        "everyone",
        "no one",
    ]
    assert (traces[0]["x"], traces[0]["y"]) == ([0.1, 0.2, 0.5], [0.35, 0.3, 0.15])
    assert [trace["visible"] for trace in traces] == [True] * 5 + [False] * 5


def test_an_arm_without_planned_pairs_has_no_decision_curves() -> None:
    assert decision_curves(example(), "detection") is None


def test_sealed_decision_curves_are_those_of_the_reserve() -> None:
    figure = decision_curves(example(external_open=False, external_waiting="not finished"), "classification")

    assert figure is not None
    assert figure.asks == "Reserve:"
