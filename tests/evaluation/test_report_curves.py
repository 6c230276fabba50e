"""Figures of curves, centers, ladders and tuning: what a reader can choose, and what each mark says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from evaluation.report.context import ReportContext
from evaluation.report.figures import views
from evaluation.report.figures.calibration_curves import calibration_curves
from evaluation.report.figures.centers_forest import areas_by_center, differences_by_center
from evaluation.report.figures.drawing import COLORS, Figure
from evaluation.report.figures.froc import froc
from evaluation.report.figures.ladders import ladders
from evaluation.report.figures.precision_recall import precision_recall
from evaluation.report.figures.roc import roc
from evaluation.report.figures.tuning_history import history
from tests.evaluation.report_cells import BEST, SCRATCH
from tests.evaluation.report_example import example, no_comparison
from tests.evaluation.report_frames import built

TRANSFER = "resnet50 · radimagenet · transfer"
EVERY = (roc, precision_recall, calibration_curves, froc, areas_by_center, differences_by_center, ladders, history)


def traces(figure: Figure | None, choice: int = 0) -> list[dict[str, Any]]:
    assert figure is not None
    return [trace for trace in json.loads(figure.json)["data"] if trace["meta"] == choice]


def named(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(trace for trace in found if str(trace.get("name", "")).startswith(name))


def many(cells: int) -> ReportContext:
    """An arm of so many cells, one planned pair among them."""
    study = example()
    rows = study.cells.filter(pl.col("cell") == SCRATCH)
    more = [rows.with_columns(cell=pl.lit(f"{SCRATCH}-{number}")) for number in range(cells - 4)]
    curves = study.comparison.roc.filter(pl.col("cell") == SCRATCH)
    drawn = [curves.with_columns(cell=pl.lit(f"{SCRATCH}-{number}")) for number in range(cells - 4)]
    comparison = replace(study.comparison, roc=pl.concat([study.comparison.roc, *drawn]))
    return example(cells=pl.concat([study.cells, *more]), comparison=comparison)


@pytest.mark.parametrize("make", EVERY)
def test_a_study_without_results_has_no_figure(make: Any) -> None:
    context = example(comparison=no_comparison(), trials=example().trials.clear())

    assert make(context, "classification") is None


@pytest.mark.parametrize("make", [roc, precision_recall, calibration_curves, ladders])
def test_a_sealed_study_draws_the_reserve_only(make: Any) -> None:
    figure = make(example(external_open=False, external_waiting="not finished"), "classification")

    assert figure is not None
    assert "External" not in " ".join((*figure.choices, figure.asks))


def test_a_planned_pair_is_drawn_with_bands_and_its_carried_points() -> None:
    pair = traces(roc(example(), "classification"), 1)

    bands = [trace for trace in pair if trace.get("fill") == "toself"]
    assert [(trace["x"], trace["y"]) for trace in bands] == [([0.5, 1, 1, 0.5], [0.9, 0.9, 0.7, 0.7])] * 2
    best = named(pair, TRANSFER)
    assert best["name"] == "resnet50 · radimagenet · transfer  0.738 (0.714–0.762)"
    assert "of 60 positive" in best["hovertemplate"]
    marks = next(trace for trace in pair if trace["mode"] == "markers" and trace["legendgroup"] == BEST)
    assert (marks["x"][0], marks["y"][0]) == (round(23 / 90, 4), 0.9)
    assert marks["text"][0] == "Sensitivity ≥ 0.90, chosen on: reserve<br>TP 54 FP 23 FN 6 TN 67"
    assert marks["marker"]["symbol"] == ["circle", "square", "diamond"]


def test_an_arm_of_two_cells_has_no_view_beside_its_places() -> None:
    figure = roc(example(), "detection")

    assert figure is not None
    assert figure.choices == ("External, pooled", "External, center_b", "External, center_c", "Reserve")
    assert any(trace["mode"] == "markers" for trace in traces(figure))


def test_of_many_cells_those_without_a_plan_are_gray_and_share_a_place_in_the_legend() -> None:
    found = traces(roc(many(20), "classification"))

    own = [trace for trace in found if trace["line"]["color"] in COLORS and trace["x"] != [None]]
    gray = [trace for trace in found if trace.get("legendgroup") == views.OTHERS]
    assert len(own) == 3
    assert [trace["name"] for trace in gray if trace.get("showlegend", True)] == ["17 other cells"]
    assert len(gray) == 18


def test_a_large_arm_shows_its_planned_cells_at_single_centers() -> None:
    found = traces(roc(many(20), "classification"), 3)

    assert len([trace for trace in found if trace["x"] != [None]]) == 3


def test_curves_have_fewer_points_where_there_are_many() -> None:
    assert (views.allowed(1), views.allowed(60), views.allowed(1000)) == (200, 100, 30)


def test_precision_is_drawn_against_recall_with_the_prevalence_beside() -> None:
    found = traces(precision_recall(example(), "classification"))

    best = named(found, TRANSFER)
    assert (best["x"], best["y"], best["name"].split()[-1]) == ([0.5], [0.8], "0.638")
    assert named(found, "without skill")["y"] == [0.4, 0.4]


def test_a_cells_calibration_has_curve_band_groups_and_histogram() -> None:
    figure = calibration_curves(example(), "classification")

    assert figure is not None
    assert (figure.asks, figure.choices[0]) == ("External, pooled:", TRANSFER)
    found = traces(figure)
    assert named(found, "as predicted")["y"] == [0.3, 0.7]
    assert next(trace for trace in found if trace.get("fill") == "toself")["y"] == [0.4, 0.8, 0.6, 0.2]
    assert named(found, "after Platt")["y"] == [0.3]
    groups = named(found, "tenths")
    assert (groups["text"], groups["error_y"]["array"]) == (["7 of 14"], [0.2])
    assert (named(found, "positive images")["y"], named(found, "negative images")["y"]) == ([30, 30], [45, 45])


def test_detectors_are_drawn_with_the_lesions_that_they_find() -> None:
    found = named(traces(froc(example(), "detection")), "yolov5n · chest · transfer")

    assert (found["x"], found["y"], found["text"]) == ([0.25], [0.55], ["0.030"])
    assert "of 70 lesions" in found["hovertemplate"]
    assert "3 replicates" in found["hovertemplate"]


def test_each_center_stands_with_its_counts_above_the_summary_and_the_range_of_a_new_one() -> None:
    figure = areas_by_center(example(), "classification")

    assert figure is not None
    assert figure.choices[0] == TRANSFER
    centers, summary, new, diamond = traces(figure)
    assert centers["y"] == ["center_b", "center_c"]
    assert centers["text"][0] == "0.748 (0.724–0.772), n+\u00a025, n−\u00a040"
    assert (summary["x"], new["x"]) == ([0.6, 0.8], [0.5, 0.9])
    assert diamond["text"] == ["0.700 (0.600–0.800); I² 8.1%, τ 0.020, Q p\u00a0=\u00a00.300"]


def test_centers_named_by_numbers_keep_rows_of_their_own() -> None:
    figure = areas_by_center(example(), "classification")

    assert figure is not None
    assert json.loads(figure.json)["layout"]["yaxis"]["type"] == "category"


def test_contrasts_by_center_have_the_interval_over_cases_that_is_pooled() -> None:
    figure = differences_by_center(example(), "classification")

    assert figure is not None
    assert [choice.split(":")[0] for choice in figure.choices] == ["planned pairs", "planned pairs", "payoff"]
    assert figure.choices[0].endswith(f"{TRANSFER} against resnet50 · imagenet · transfer")
    centers = traces(figure)[0]
    assert centers["error_x"]["array"] == pytest.approx([1.96 * 0.012] * 2, abs=1e-4)


def test_a_ladder_starts_at_the_original_and_says_what_each_step_did() -> None:
    rows = [
        {"arm": "classification", "cell": BEST, "role": "external", "center": "all", "variant": f"shift {size}"}
        | {"kind": "shift", "magnitude": size, "draws": 3, "n_positive": 60, "n_negative": 90, "mean_change": size / 4}
        | {"difference": -size, "low": -2 * size, "high": 0.0, "auc": 0.7, "auc_original": 0.7 + size}
        for size in (0.2, 0.1)
    ]
    comparison = replace(example().comparison, stability=built("stability", rows))

    figure = ladders(example(comparison=comparison), "classification")

    assert figure is not None
    assert figure.choices == ("Shift, share of the box",)
    area, score = traces(figure)
    assert (area["x"], area["y"], score["y"]) == ([0, 0.1, 0.2], [0, -0.1, -0.2], [0, 0.025, 0.05])
    assert area["error_y"]["arrayminus"] == [0, 0.1, 0.2]
    assert area["text"][0] == "the original"
    assert "shift 0.1, 3 draws, n+\u00a060, n−\u00a090" in area["text"][1]


def test_the_best_value_so_far_never_falls_and_trials_keep_their_ends() -> None:
    figure = history(example(), "classification")

    assert figure is not None
    assert figure.choices[:2] == ("all cells, best value so far", TRANSFER)
    best = named(traces(figure), TRANSFER)
    assert (best["x"], best["y"], best["text"]) == ([0, 1, 2, 3], [0.71, 0.81, 0.81, 0.81], ["20", "40", "45", "45"])
    finished, pruned = (named(traces(figure, 1), state) for state in ("finished", "pruned"))
    assert (finished["y"], finished["marker"]["symbol"]) == ([0.71, 0.81], ["circle", "star"])
    assert (pruned["y"], pruned["marker"]["symbol"]) == ([0.55], ["circle-open"])
