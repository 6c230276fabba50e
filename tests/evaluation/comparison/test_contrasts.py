"""Pairs of cells: what is paired, which family adjusts it, and what cannot be tested."""

from __future__ import annotations

from math import isnan

import polars as pl
import pytest

from evaluation.comparison.contrasts import contrasts as of_boards
from evaluation.discrimination.areas import auc_difference
from evaluation.multiplicity import holm
from search_spaces.study import Analysis, Primary
from tests.evaluation.study_example import (
    CHEST,
    IMAGENET,
    RADIOMICS,
    SCRATCH,
    boards,
    cells,
    labels,
    predictions,
    series,
)

TRUTH = {"b": [0, 1, 0, 1, 0, 1], "c": [0, 0, 1, 1]}
SCORES = {
    IMAGENET: {"b": [0.1, 0.5, 0.2, 0.3, 0.4, 0.9], "c": [0.1, 0.6, 0.5, 0.9]},
    CHEST: {"b": [0.3, 0.2, 0.2, 0.6, 0.5, 0.4], "c": [0.4, 0.1, 0.3, 0.2]},
    SCRATCH: {"b": [0.5, 0.4, 0.3, 0.2, 0.1, 0.3], "c": [0.2, 0.3, 0.4, 0.1]},
    RADIOMICS: {"b": [0.2, 0.2, 0.6, 0.3], "c": [0.5, 0.5, 0.6, 0.4]},
}
PLAN = Analysis(primary=Primary(comparisons=(("chest", "imagenet"), (SCRATCH, IMAGENET))))
BOTH = pl.concat([labels(TRUTH), labels(TRUTH, "radiomics")])


def contrasts(*used, truth=BOTH, plan=PLAN, scores=SCORES, **changes):
    rows = [
        row
        for cell in used or SCORES
        for center, values in scores[cell].items()
        for row in series(cell, center, values, role="external")
    ]
    return of_boards(boards(predictions(*rows), truth), plan, changes.get("cells", cells()))


def test_a_pair_within_an_arm_is_first_minus_second_on_the_same_images():
    row = contrasts(IMAGENET, CHEST).row(by_predicate=(pl.col("center") == "b"), named=True)

    expected = auc_difference(TRUTH["b"], SCORES[IMAGENET]["b"], SCORES[CHEST]["b"])
    assert (row["first"], row["second"], row["arm"]) == (IMAGENET, CHEST, "classification")
    assert (row["difference"], row["z"], row["p"]) == pytest.approx((expected.difference, expected.z, expected.p))
    assert (row["n_positive"], row["n_negative"], row["note"]) == (3, 3, "")


def test_pairing_is_by_image_and_not_by_row_order():
    straight = contrasts(IMAGENET, CHEST)
    turned = {IMAGENET: SCORES[IMAGENET], CHEST: {center: SCORES[CHEST][center] for center in ("c", "b")}}

    assert contrasts(CHEST, IMAGENET, scores=turned).equals(straight)


def test_arms_are_compared_on_shared_images_with_equal_labels_only():
    other = labels({"b": [0, 1, 1, 1, 0, 1], "c": TRUTH["c"]}, "radiomics")
    row = contrasts(IMAGENET, RADIOMICS, truth=pl.concat([labels(TRUTH), other])).row(
        by_predicate=(pl.col("center") == "b"), named=True
    )

    # Radiomics scored b0 to b3; b2 is positive in one arm and negative in the other.
    expected = auc_difference([0, 1, 1], [0.1, 0.5, 0.3], [0.2, 0.2, 0.3])
    assert (row["arm"], row["note"]) == (
        "classification vs radiomics",
        "3 shared images; box not given against box given",
    )
    assert (row["auc_first"], row["auc_second"]) == (expected.first, expected.second)


def test_images_that_one_cell_lacks_are_noted_within_an_arm():
    scores = SCORES | {CHEST: {"b": SCORES[CHEST]["b"][:5]}}

    assert contrasts(IMAGENET, CHEST, scores=scores).filter(center="b")["note"].to_list() == ["5 of 6 images shared"]


def test_all_pairs_are_adjusted_within_each_center():
    found = contrasts().filter(family="all pairs")

    for _, group in found.group_by("role", "center"):
        assert group.height == 6
        assert group["p_adjusted"].to_list() == pytest.approx(holm(group["p"]).tolist())
    assert sorted(found["center"].unique()) == ["all", "b", "c", "stratified"]


def test_primary_pairs_are_a_family_of_their_own_on_the_pooled_external_centers():
    found = contrasts().filter(family="primary")

    assert found.select("first", "second", "role", "center").rows() == [
        (CHEST, IMAGENET, "external", "all"),
        (SCRATCH, IMAGENET, "external", "all"),
    ]
    assert found["p_adjusted"].to_list() == pytest.approx(holm(found["p"]).tolist())


def test_a_primary_pair_keeps_the_plans_direction():
    found = contrasts()
    primary = found.filter(family="primary").row(0, named=True)
    pooled = found.filter(family="all pairs", center="all", first=IMAGENET, second=CHEST).row(0, named=True)

    assert primary["difference"] == -pooled["difference"]
    assert (primary["low"], primary["high"]) == pytest.approx((-pooled["high"], -pooled["low"]))
    assert (primary["z"], primary["p"]) == (-pooled["z"], pooled["p"])


def test_a_primary_pair_without_scores_stays_in_its_family_as_not_a_number():
    found = contrasts(IMAGENET, CHEST).filter(family="primary")

    assert found["flag"].to_list() == ["", "no shared images"]
    assert isnan(found["p_adjusted"][1])
    assert found["p_adjusted"][0] == pytest.approx(min(1, 2 * found["p"][0]))


def test_a_planned_pair_with_an_exploratory_cell_stays_in_its_family_unmeasured():
    found = contrasts(cells=cells(exploratory=[CHEST])).filter(family="primary")

    assert found["flag"].to_list() == ["exploratory cell: takes no part", ""]
    assert isnan(found["p"][0])
    assert found["p_adjusted"][1] == pytest.approx(min(1, 2 * found["p"][1]))


def test_the_stratified_contrast_averages_center_differences_by_pairs():
    found = contrasts(IMAGENET, CHEST).filter(family="all pairs")
    by_center = {row["center"]: row for row in found.rows(named=True)}

    expected = (9 * by_center["b"]["difference"] + 4 * by_center["c"]["difference"]) / 13
    assert by_center["stratified"]["difference"] == pytest.approx(expected)


def test_a_center_with_one_class_is_flagged_and_not_tested():
    found = contrasts(IMAGENET, CHEST, truth=labels({"b": TRUTH["b"], "c": [1, 1, 1, 1]}))
    center = found.filter(center="c").row(0, named=True)

    assert (center["n_positive"], center["n_negative"], center["flag"]) == (4, 0, "one class")
    assert isnan(center["p"])
    assert not isnan(found.filter(center="stratified")["p"][0])


def test_cells_with_the_same_ranking_have_p_one():
    found = contrasts(IMAGENET, CHEST, scores=SCORES | {CHEST: SCORES[IMAGENET]}).filter(family="all pairs")

    assert found["p"].to_list() == [1.0] * found.height
    assert found["p_adjusted"].to_list() == [1.0] * found.height
