"""Bands of ROC and precision-recall curves: against pROC, by hand, and for which cells."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from evaluation.comparison.bands import GRID, MOST_LEVELS, Levels, banded, curve_bands
from evaluation.resampling import Resamples
from search_spaces.study import Analysis
from tests.evaluation.study_example import CHEST, IMAGENET, RADIOMICS, SCRATCH, boards, cells, labels, scored


def plan(*pairs: list[str], draws: int = 200) -> Analysis:
    return Analysis.model_validate({"primary": {"comparisons": list(pairs)}, "bootstrap": {"draws": draws}})


def whole(scores: list[float], truth: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Both curves of the images as they are."""
    found = Levels.of(np.array(scores), np.array(truth) == 1).curves(np.ones((1, len(truth)), dtype=np.float32))
    return found[0][0], found[1][0]


def at(curve: np.ndarray, place: float) -> float:
    return float(curve[round(place * 50) - (51 - curve.size)])


def test_sensitivity_is_the_highest_at_a_specificity_and_straight_across_ties() -> None:
    # Falling: positive, negative, then a tie of one each: (0, .5), (.5, .5), (1, 1).
    sensitivity, _ = whole([0.9, 0.5, 0.2, 0.2], [1, 0, 1, 0])

    assert [at(sensitivity, place) for place in (0, 0.5, 0.74, 1)] == pytest.approx([0.5, 0.5, 0.74, 1])


def test_precision_is_taken_where_a_recall_is_first_reached() -> None:
    # Two hits, then a false alarm, then two hits: precision 1 up to recall .5, 4/5 at 1, 3/(3 + 1) at .75.
    _, precision = whole([0.9, 0.8, 0.7, 0.6, 0.5], [1, 1, 0, 1, 1])

    assert [at(precision, place) for place in (0.5, 0.76, 1)] == pytest.approx([1, 3.04 / 4.04, 0.8])


def test_the_band_of_sensitivity_is_that_of_proc() -> None:
    # pROC 1.18.0: ci.se(roc(outcome, s100b), specificities = c(.9, .8, .7, .5, .2), boot.n = 20000)
    expected = [(0.2195, 0.6146), (0.3415, 0.7561), (0.4878, 0.7911), (0.5951, 0.9024), (0.8116, 1.0)]
    with (Path(__file__).parents[1] / "golden" / "asah.csv").open() as file:
        rows = list(csv.DictReader(file))
    truth, scores = np.array([int(row["label"]) for row in rows]), np.array([float(row["s100b"]) for row in rows])
    level = Levels.of(scores, truth == 1)

    drawn = np.concatenate([level.curves(counts)[0] for counts in Resamples.of(truth, draws=4000).chunks()])

    for place, bounds in zip((0.1, 0.2, 0.3, 0.5, 0.8), expected, strict=True):
        assert np.quantile(drawn[:, round(place * 50)], [0.025, 0.975]) == pytest.approx(bounds, abs=0.025)


def test_many_scores_share_levels_and_hardly_move_the_curve() -> None:
    random = np.random.default_rng(0)
    truth = (random.random(3000) < 0.4).astype(int)
    scores = random.normal(truth, 1)
    level = Levels.of(scores, truth == 1)

    sensitivity = level.curves(np.ones((1, 3000), dtype=np.float32))[0][0]

    exact = [np.mean(scores[truth == 1] >= np.quantile(scores[truth == 0], 1 - place)) for place in GRID]
    assert level.positive.shape == (MOST_LEVELS, 3000)
    assert sensitivity == pytest.approx(exact, abs=0.01)


def test_a_draw_without_negatives_is_left_out() -> None:
    level = Levels.of(np.array([0.9, 0.1]), np.array([True, False]))

    assert len(level.curves(np.array([[1, 1], [2, 0]], dtype=np.float32))[0]) == 1


def test_planned_cells_have_bands_and_small_arms_without_a_plan_do_too() -> None:
    assert banded(plan([IMAGENET, CHEST]), cells()) == [IMAGENET, CHEST, RADIOMICS]
    assert banded(plan(), cells()) == [IMAGENET, CHEST, SCRATCH, RADIOMICS]


def test_a_large_arm_without_a_plan_has_no_bands() -> None:
    many = pl.concat([cells().with_columns(cell=pl.format("{}-{}", "cell", pl.lit(copy))) for copy in range(2)])

    assert banded(plan(), many) == [f"{RADIOMICS}-0", f"{RADIOMICS}-1"]


def test_bands_stand_at_pooled_places_with_their_counts_and_method() -> None:
    scores = [0.9, 0.2, 0.8, 0.4, 0.7, 0.1, 0.3, 0.6]
    truth = {center: [1, 0, 1, 0, 1, 0, 0, 1] for center in "abc"}
    found = curve_bands(
        boards(scored({IMAGENET: dict.fromkeys("abc", scores)}), labels(truth)), plan(draws=100), cells()
    )

    places = found.select("role", "center", "curve", "n_positive", "n_negative").unique(maintain_order=True).rows()

    assert places == [
        (role, "all", curve, number, number)
        for role, number in (("reserve", 4), ("external", 8))
        for curve in ("roc", "precision-recall")
    ]
    assert found["method"].unique().to_list() == ["percentile bootstrap of cases, stratified by class"]
    assert found.filter(pl.col("low") > pl.col("high")).is_empty()
