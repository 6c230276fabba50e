"""Maps of replicates in, what they point at out; by hand on maps of 2 x 2 or 4 x 4 cells."""

from __future__ import annotations

from math import isnan, nan
from typing import Any

import numpy as np
import polars as pl
import pytest

from evaluation.comparison.aggregation import image_scores, replicate_scores
from evaluation.comparison.mapped import MARKS, mapped
from evaluation.comparison.panels import panels
from evaluation.comparison.pointing import (
    DECISIONS,
    NO_MAP,
    SALIENCY,
    SALIENCY_PAIRS,
    Maps,
    decided,
    pointing,
)
from evaluation.robustness.heat import packed
from evaluation.robustness.perturbation import compare_stability
from evaluation.tables import SALIENCY as TABLE
from search_spaces.study import Analysis
from tests.evaluation.study_example import CHEST, IMAGENET, cells, labels, predictions, series

UPPER_LEFT = [[4.0, 0.0], [0.0, 0.0]]
LOWER_RIGHT = [[0.0, 0.0], [0.0, 4.0]]
RULE = Analysis.model_validate({"thresholds": ["youden"], "primary": {"comparisons": []}}).thresholds


def a_map(cell: str, image: str, heat: Any, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"key": f"{cell}-0", "fit_key": "fit", "cell": cell, "fold": 0, "seed": 0, "center": "b"}
    row |= {"patient": f"p{image}", "image": image, "region": -1, "role": "external", "target": "positive logit"}
    row |= {"x0": 0.0, "y0": 0.0, "x1": 96.0, "y1": 96.0, "randomized": None}
    return row | packed(heat) | changes


def maps(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=TABLE)


def marks(*boxes: tuple[Any, ...], arm: str = "classification", size: tuple[int, int] = (96, 96)) -> pl.DataFrame:
    """Boxes: image, x0, y0, x1, y1 of images of center b."""
    rows = [(arm, "b", image, *size, *map(float, box)) for image, *box in boxes]
    return pl.DataFrame(rows, schema=MARKS, orient="row")


def found(rows: list[dict[str, Any]], boxes: pl.DataFrame, **changes: Any) -> Any:
    nothing: dict[str, Any] = {"decisions": pl.DataFrame(schema=DECISIONS), "pairs": [], "open_external": True}
    arguments = nothing | {"adjust": "holm", "cells": cells(), "reasons": {}} | changes
    given = Maps(maps(*rows), boxes, arguments.pop("reasons"))
    return pointing(given, **arguments)


def test_a_map_of_the_whole_image_is_measured_as_by_hand():
    (row,) = mapped(maps(a_map(CHEST, "1", UPPER_LEFT)), marks(("1", 0, 0, 48, 48)), cells()).to_dicts()

    assert row["hit"]
    assert row["chance"] == 0.25
    # Bilinear between 24 and 72 pixels: in each direction the value is 1 over a quarter and falls to 0 over a half.
    assert row["energy"] == pytest.approx((0.25 + 0.25 * 0.75) ** 2 / 0.5**2, abs=1e-3)
    assert row["iou_same_area"] == pytest.approx(1, abs=0.2)
    assert (row["grid"], row["replicates"]) == ("2 × 2", 1)
    assert not mapped(maps(a_map(CHEST, "1", UPPER_LEFT)), marks(("1", 48, 48, 96, 96)), cells())["hit"][0]


def test_a_box_that_holds_the_middle_of_the_highest_cell_is_hit_without_its_margin():
    # The middle of the cell is (24, 24); beyond it the map is as high, up to the corner of the image.
    (row,) = mapped(maps(a_map(CHEST, "1", UPPER_LEFT)), marks(("1", 20, 20, 60, 60)), cells()).to_dicts()

    assert row["hit"]


def test_only_what_the_network_saw_of_the_image_counts():
    # The square reaches from -48 to 96 across, the image begins at 0: two thirds of the square's width are seen.
    beyond = {"x0": -48.0, "y0": 0.0, "x1": 96.0, "y1": 144.0}
    rows = maps(a_map(CHEST, "1", np.ones((3, 3)), **beyond))

    (row,) = mapped(rows, marks(("1", 0, 0, 48, 96), size=(144, 200)), cells()).to_dicts()

    assert row["chance"] == pytest.approx(48 * 96 / (96 * 144), abs=1e-9)
    assert row["energy"] == pytest.approx(row["chance"]), "a map without preference has a random point's share"


def test_a_box_smaller_than_a_place_of_the_grid_still_has_one():
    (row,) = mapped(maps(a_map(CHEST, "1", UPPER_LEFT)), marks(("1", 30.1, 30.1, 30.2, 30.2)), cells()).to_dicts()

    assert row["chance"] == 1 / 96**2


def test_the_map_of_a_cell_is_the_mean_of_its_replicates_whatever_their_grids():
    fine = np.kron(LOWER_RIGHT, np.ones((2, 2)))
    one, other = a_map(CHEST, "1", UPPER_LEFT), a_map(CHEST, "1", fine, fold=1, key="k1", randomized=0.5)

    (row,) = mapped(maps(one, other), marks(("1", 0, 0, 48, 48)), cells()).to_dicts()

    (alone,) = mapped(maps(one), marks(("1", 0, 0, 48, 48)), cells()).to_dicts()
    assert row["replicates"] == 2
    assert row["grid"] == "4 × 4"
    assert row["randomized"] == 0.5
    assert 0.2 < row["energy"] < alone["energy"] - 0.2


def test_chance_of_pointing_counts_the_places_where_a_map_can_be_highest():
    # A box around the middle holds 4 of the 16 middles of a map's cells (at 12, 36, 60 and 84), and half of the area.
    rows = maps(a_map(CHEST, "1", np.eye(4)), a_map(CHEST, "2", UPPER_LEFT))
    boxes = marks(("1", 14, 14, 82, 82), ("2", 14, 14, 82, 82))

    table = mapped(rows, boxes, cells())

    assert table["chance_pointing"].to_list() == [0.25, 1.0]
    assert table["chance"].to_list() == [pytest.approx((68 / 96) ** 2)] * 2


def test_images_without_a_box_are_left_out():
    rows = maps(a_map(CHEST, "1", UPPER_LEFT), a_map(CHEST, "2", UPPER_LEFT))

    assert mapped(rows, marks(("2", 0, 0, 9, 9)), cells())["image"].to_list() == ["2"]


def test_frames_have_their_columns_and_no_empty_value():
    decisions = pl.DataFrame([(CHEST, "external", "b", "1", True)], schema=DECISIONS, orient="row")
    rows = [a_map(cell, image, UPPER_LEFT) for cell in (CHEST, IMAGENET) for image in "12"]

    table, pairs = found(
        rows, marks(("1", 0, 0, 9, 9), ("2", 0, 0, 9, 9)), decisions=decisions, pairs=[(CHEST, IMAGENET)]
    )

    for frame, schema in ((table, SALIENCY), (pairs, SALIENCY_PAIRS)):
        assert frame.schema == pl.Schema(schema)
        assert frame.null_count().sum_horizontal().item() == 0
    assert table["center"].unique().sort().to_list() == ["all", "b"]


def test_right_and_wrong_decisions_stand_beside_all():
    heats = {"1": UPPER_LEFT, "2": UPPER_LEFT, "3": LOWER_RIGHT}
    rows = [a_map(CHEST, image, heat) for image, heat in heats.items()]
    boxes = marks(*((image, 0, 0, 48, 48) for image in heats))
    right = {"1": True, "3": False}
    decisions = pl.DataFrame(
        [(CHEST, "external", "b", image, value) for image, value in right.items()], schema=DECISIONS, orient="row"
    )

    table = found(rows, boxes, decisions=decisions).saliency.filter(center="all")

    assert table.select("decisions", "maps", "pointing").rows() == [
        ("all", 3, pytest.approx(2 / 3)),
        ("right", 1, 1.0),
        ("wrong", 1, 0.0),
    ]


def test_a_cell_decides_by_its_carried_threshold():
    truth = {"a": [0] * 5 + [1] * 5, "b": [0, 1, 1]}
    rows = series(CHEST, "a", [0.1] * 5 + [0.7] * 5, role="reserve") + series(
        CHEST, "b", [0.8, 0.9, 0.2], role="external"
    )
    replicates = replicate_scores(predictions(*rows), labels(truth), cells(), open_external=True)

    frame = decided(list(panels(image_scores(replicates), replicates)), RULE)

    external = frame.filter(role="external").sort("image")
    assert external["right"].to_list() == [False, True, False]
    assert frame.filter(role="reserve")["right"].all()
    assert decided(list(panels(image_scores(replicates), replicates)), ()).is_empty()


def test_external_maps_are_not_looked_at_before_they_are_opened():
    rows = [a_map(CHEST, "1", UPPER_LEFT), a_map(CHEST, "2", UPPER_LEFT, role="reserve")]
    boxes = marks(("1", 0, 0, 9, 9), ("2", 0, 0, 9, 9))

    table, pairs = found(rows, boxes, open_external=False, pairs=[(CHEST, IMAGENET)])

    assert table["role"].unique().to_list() == ["reserve"]
    assert pairs.is_empty()


def test_planned_pairs_are_tested_on_the_maps_that_both_have():
    rng = np.random.default_rng(5)
    images = [str(number) for number in range(12)]
    rows = [a_map(cell, image, rng.random((4, 4))) for cell in (CHEST, IMAGENET) for image in images]
    boxes = marks(*((image, 0, 0, 30, 40) for image in images))

    _, pairs = found([*rows[:-1]], boxes, pairs=[(CHEST, IMAGENET)])

    each = mapped(maps(*rows), boxes, cells()).filter(pl.col("image") != "11").sort("image")
    one, other = (each.filter(cell=cell) for cell in (CHEST, IMAGENET))
    energy = pairs.filter(center="all", measure="energy").row(0, named=True)
    expected = compare_stability(one["energy"], other["energy"], one["patient"])
    assert (energy["maps"], energy["difference"], energy["p"]) == (11, expected.difference, expected.p)
    pointed = pairs.filter(center="all", measure="pointing").row(0, named=True)
    assert pointed["difference"] == pytest.approx(one["hit"].mean() - other["hit"].mean())
    assert (pointed["method"], pointed["adjustment"]) == ("McNemar mid-p; Tango score", "holm")


def test_several_maps_of_a_patient_are_one_patient_in_tests_and_intervals():
    rows = [a_map(cell, str(number), UPPER_LEFT, patient=f"p{number // 2}") for cell in (CHEST, IMAGENET)
            for number in range(6)]  # fmt: skip

    table, pairs = found(rows, marks(*((str(n), 0, 0, 48, 48) for n in range(6))), pairs=[(CHEST, IMAGENET)])

    assert table.filter(center="all", cell=CHEST).select("maps", "images", "patients").row(0) == (6, 6, 3)
    pointed = pairs.filter(center="all", measure="pointing").row(0, named=True)
    assert "Durkalski" in pointed["method"]
    assert (pointed["patients"], pointed["p"]) == (3, 1.0)
    assert pairs.filter(center="all", measure="energy")["flag"].to_list() == ["the same for both"]


def test_a_cell_whose_network_has_no_map_says_why():
    (row,) = found([], marks(), reasons={CHEST: "its features are tokens"}).saliency.to_dicts()

    assert (row["cell"], row["maps"], row["flag"]) == (CHEST, 0, NO_MAP + "its features are tokens")
    assert isnan(row["pointing"])


def test_images_that_only_other_cells_have_a_map_of_are_counted():
    rows = [a_map(CHEST, "1", UPPER_LEFT), a_map(IMAGENET, "1", UPPER_LEFT), a_map(IMAGENET, "2", UPPER_LEFT)]

    table = found(rows, marks(("1", 0, 0, 48, 48), ("2", 0, 0, 48, 48))).saliency.filter(center="all")

    assert dict(table.select("cell", "flag").rows())[CHEST].endswith("images without a map: 1")
    assert table["randomized"].is_nan().all(), nan
