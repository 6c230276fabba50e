"""What is drawn of calibration: curves with bands, groups, histograms, recalibrated on external centers."""

from __future__ import annotations

import polars as pl
import pytest

from evaluation.comparison.benefit import recalibrations
from evaluation.comparison.calibration_curves import BINS, calibration_curves
from tests.evaluation.study_example import IMAGENET, boards, cells, labels, logit_series, predictions

LOGITS = [-2.1, 1.9, -1.2, 1.4, -0.6, 0.5, 0.1, -0.2, 0.9, -1.6, 2.4, -0.9, 0.7, -0.4]
TRUTH = [0, 1, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1]


@pytest.fixture(scope="module")
def drawn() -> pl.DataFrame:
    rows = [
        row
        for center, role in (("a", "reserve"), ("b", "external"), ("c", "external"))
        for row in logit_series(IMAGENET, center, LOGITS, role=role)
    ]
    found = boards(predictions(*rows), labels(dict.fromkeys("abc", TRUTH)))
    return calibration_curves(found, recalibrations(found, cells()))


def test_each_role_is_drawn_pooled_and_recalibrated_where_the_map_is_judged(drawn: pl.DataFrame) -> None:
    assert drawn.select("role", "center", "recalibration").unique(maintain_order=True).rows() == [
        ("reserve", "all", "none"),
        ("external", "all", "none"),
        ("external", "all", "Platt"),
        ("external", "all", "isotonic"),
    ]


def test_every_image_is_in_one_group_and_one_bin(drawn: pl.DataFrame) -> None:
    raw = drawn.filter(pl.col("role") == "external", pl.col("recalibration") == "none")

    for part in ("group", "histogram"):
        assert raw.filter(pl.col("part") == part).select("n", "n_positive").sum().row(0) == (28, 14)
    assert raw.filter(pl.col("part") == "histogram")["predicted"].to_list() == pytest.approx(
        [(number + 0.5) / BINS for number in range(BINS)]
    )


def test_the_curve_says_how_it_was_smoothed_and_on_how_many(drawn: pl.DataFrame) -> None:
    curve = drawn.filter(pl.col("part") == "curve", pl.col("role") == "external", pl.col("recalibration") == "none")

    assert set(curve["n"]) == {28}
    assert curve["method"][0].startswith("loess span .75, pointwise band")
    assert curve.filter(~pl.col("low").is_between(0, 1) | ~pl.col("high").is_between(0, 1)).is_empty()
