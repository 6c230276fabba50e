"""Perturbed predictions in, stability of cells and of pairs of cells out."""

from __future__ import annotations

from math import isnan

import numpy as np
import polars as pl
import pytest

from evaluation.comparison.aggregation import image_scores, replicate_scores
from evaluation.comparison.stability import STABILITY, STABILITY_PAIRS, stability_frames
from evaluation.discrimination.areas import auc_difference
from evaluation.readers.agreement import intraclass
from evaluation.robustness.perturbation import compare_stability, pair_flips
from search_spaces.errors import StudyError
from tests.evaluation.study_example import (
    CHEST,
    IMAGENET,
    RADIOMICS,
    SCRATCH,
    cells,
    labels,
    prediction,
    predictions,
    series,
)

TRUTH = {"a": [0, 1] * 8, "b": [0, 1] * 6, "c": [1, 0] * 5}
ROLES = {"a": "reserve", "b": "external", "c": "external"}
LADDER = pl.DataFrame(
    [("s1", "shift", 0.1, 0), ("s2", "shift", 0.1, 1), ("z", "scale", 1.2, 0)],
    schema=["variant", "kind", "magnitude", "draw"],
    orient="row",
)


def framed(*rows, truth=None, **changes):
    arguments = {"cells": cells(), "open_external": True} | changes
    return stability_frames(predictions(*rows), labels(TRUTH) if truth is None else truth, **arguments)


def study(cells_=(IMAGENET, CHEST), seeds=(0, 1), variants=("original", "s1", "s2", "z"), logits=False):
    rng = np.random.default_rng(8)
    rows = []
    for cell in cells_:
        for center, truth in TRUTH.items():
            for seed in seeds:
                original = rng.normal(size=len(truth)) + truth
                for variant in variants:
                    moved = original + (variant != "original") * rng.normal(size=len(truth)) / 2
                    scores = 1 / (1 + np.exp(-moved))
                    found = series(cell, center, scores, role=ROLES[center], seed=seed, variant=variant)
                    given = moved if logits else [None] * len(truth)
                    rows += [row | {"logit": logit} for row, logit in zip(found, given, strict=True)]
    return rows


def aggregated(rows, variant):
    table = predictions(*[row | {"variant": "original"} for row in rows if row["variant"] == variant])
    scores = image_scores(replicate_scores(table, labels(TRUTH), cells(), open_external=True))
    return scores.filter(cell=IMAGENET, role="external").sort("center", "image")


def test_frames_have_their_columns_and_no_empty_value():
    found = framed(*study(), variants=LADDER)

    for frame, schema in zip(found, (STABILITY, STABILITY_PAIRS), strict=True):
        assert frame.schema == pl.Schema(schema)
        assert frame.null_count().sum_horizontal().item() == 0
    # Two cells, the reserve's and the external centers with their sums, two perturbations.
    assert found.stability.height == 2 * (2 + 3) * 2
    assert found.pairs.height == 1 * (2 + 3) * 3
    assert found.stability["center"].unique().sort().to_list() == ["a", "all", "b", "c"]


@pytest.mark.parametrize("logits", [False, True])
def test_a_row_holds_the_statistics_of_the_aggregated_scores(logits):
    rows = study(logits=logits)
    before, after = aggregated(rows, "original"), aggregated(rows, "z")
    by = "logit" if logits else "score"

    found = framed(*rows, variants=LADDER).stability
    row = found.filter(cell=IMAGENET, center="all", role="external", kind="scale").row(0, named=True)

    expected = auc_difference(before["label"], after[by], before[by])
    assert (row["auc"], row["auc_original"]) == (expected.first, expected.second)
    assert (row["difference"], row["low"], row["high"], row["p"]) == pytest.approx(
        (expected.difference, expected.low, expected.high, expected.p)
    )
    assert row["mean_change"] == pytest.approx((after["score"] - before["score"]).abs().mean())
    assert row["flips"] == pair_flips(before["label"], before[by], after[by])
    assert (row["variant"], row["magnitude"], row["draws"]) == ("scale 1.2", 1.2, 1)
    assert (row["n_positive"], row["n_negative"], row["patients"]) == (11, 11, 22)
    assert row["method"] == "DeLong; ICC(3,1), consistency"
    scores = np.column_stack([before["score"], after["score"]])
    assert row["icc"] == pytest.approx(intraclass(scores, "ICC(3,1)").value)
    assert row["icc_agreement"] == pytest.approx(intraclass(scores, "ICC(2,1)").value)
    assert isnan(row["decision_flips"])


def test_draws_of_a_perturbation_make_one_row_and_their_changes_are_averaged():
    found = framed(
        *series(IMAGENET, "a", [0.2, 0.6, 0.4, 0.8]),
        *series(IMAGENET, "a", [0.3, 0.6, 0.4, 0.8], variant="s1"),
        *series(IMAGENET, "a", [0.2, 0.3, 0.4, 0.7], variant="s2"),
        truth=labels({"a": [0, 1, 0, 1]}),
        variants=LADDER,
    ).stability.row(-1, named=True)

    assert (found["variant"], found["draws"]) == ("shift 0.1", 2)
    assert found["auc"] == pytest.approx((1 + 0.75) / 2)
    assert found["mean_change"] == pytest.approx((0.1 + 0.3 + 0.1) / 8)
    assert found["flips"] == pytest.approx(1 / 8)


def test_without_a_table_of_variants_each_is_a_perturbation_of_its_own():
    found = framed(*study()).stability

    assert found["variant"].unique().sort().to_list() == ["s1", "s2", "z"]
    assert found["magnitude"].is_nan().all()
    assert (found["draws"] == 1).all()


def test_a_perturbed_image_scores_as_its_most_suspicious_region_too():
    found = framed(
        prediction(IMAGENET, "a0", 0.2, region=0), prediction(IMAGENET, "a0", 0.7, region=1),
        prediction(IMAGENET, "a0", 0.8, region=0, variant="z"), prediction(IMAGENET, "a0", 0.1, region=1, variant="z"),
    ).stability  # fmt: skip

    assert found["mean_change"].to_list() == pytest.approx([0.1, 0.1])
    assert (found["flag"] == "one class; ICC: one case").all()


def test_the_original_is_compared_with_the_same_replicates_only():
    both = [*series(IMAGENET, "a", [0.2, 0.6]), *series(IMAGENET, "a", [0.3, 0.7], variant="z")]
    late = series(IMAGENET, "a", [1.0, 1.0], seed=1)

    alone, beside = framed(*both).stability.row(0, named=True), framed(*both, *late).stability.row(0, named=True)

    assert alone["mean_change"] == beside["mean_change"] == pytest.approx(0.1)
    assert alone["auc_original"] == beside["auc_original"] == 1
    assert beside["flag"] == "one positive; ICC: zero variance; replicates without it: 2"


def test_images_that_were_not_perturbed_are_left_out_and_counted():
    rows = [*series(IMAGENET, "a", [0.2, 0.6, 0.3, 0.7]), *series(IMAGENET, "a", [0.2, 0.6, 0.3], variant="z")]

    found = framed(*rows).stability.row(0, named=True)

    assert (found["n_positive"], found["n_negative"]) == (1, 2)
    assert found["flag"].endswith("images without it: 1")


def test_one_prediction_without_logit_keeps_variants_and_original_on_one_scale():
    rows = study(logits=True)
    lacking = next(row for row in rows if row["variant"] == "z" and row["cell"] == IMAGENET)
    lacking["logit"] = None

    mixed = framed(*rows).stability.filter(cell=IMAGENET)
    scores = framed(*[row | {"logit": None} for row in rows]).stability.filter(cell=IMAGENET)

    assert mixed.equals(scores)


def test_logits_too_large_for_a_probability_still_order_the_images():
    rows = [
        prediction(IMAGENET, f"a{place}", 1.0, logit=logit, variant=variant)
        for variant, logits in (("original", [40.0, 60.0, 50.0, 70.0]), ("z", [65.0, 60.0, 50.0, 70.0]))
        for place, logit in enumerate(logits)
    ]

    found = framed(*rows, thresholds={IMAGENET: 55.0}).stability.row(0, named=True)

    assert (found["auc_original"], found["auc"], found["flips"]) == (1, 0.75, 0.25)
    assert (found["decision_flips_positive"], found["decision_flips_negative"]) == (0, 0.5)
    assert found["mean_change"] == 0


def test_decisions_flip_at_the_carried_threshold_on_the_ordering_scale():
    rows = [*series(IMAGENET, "a", [0.2, 0.6, 0.4, 0.8]), *series(IMAGENET, "a", [0.5, 0.6, 0.4, 0.3], variant="z")]

    found = framed(*rows, thresholds={IMAGENET: 0.5}).stability.row(0, named=True)

    assert found["decision_flips"] == 0.5
    assert (found["decision_flips_positive"], found["decision_flips_negative"]) == (0.5, 0.5)


def test_patients_with_several_images_are_one_unit():
    rows = [
        prediction(IMAGENET, f"a{place}", score, patient=f"p{place // 2}", variant=variant)
        for variant, scores in (("original", [0.1, 0.5, 0.3, 0.7, 0.2, 0.6]), ("z", [0.2, 0.5, 0.3, 0.6, 0.2, 0.4]))
        for place, score in enumerate(scores)
    ]

    found = framed(*rows).stability.row(0, named=True)

    assert found["patients"] == 3
    assert found["method"].startswith("clustered (Obuchowski)")


def test_pairs_of_one_arm_are_compared_on_the_images_that_both_moved():
    rows = study((CHEST, SCRATCH, IMAGENET), seeds=(0,))
    changes = {
        cell: np.abs(
            np.array([row["score"] for row in rows if row["cell"] == cell and row["variant"] == "z"])
            - np.array([row["score"] for row in rows if row["cell"] == cell and row["variant"] == "original"])
        )[16:]
        for cell in (IMAGENET, CHEST)
    }

    pairs = framed(*rows, variants=LADDER).pairs.filter(role="external", center="all", kind="scale")

    expected = compare_stability(changes[IMAGENET], changes[CHEST])
    assert pairs.select("first", "second").rows() == [(IMAGENET, CHEST), (IMAGENET, SCRATCH), (CHEST, SCRATCH)]
    row = pairs.row(0, named=True)
    assert (row["difference"], row["p"]) == pytest.approx((expected.difference, expected.p))
    assert (row["mean_change_first"], row["mean_change_second"]) == pytest.approx((expected.first, expected.second))
    assert row["method"] == "Wilcoxon signed-rank, exact"


def test_all_perturbations_together_weigh_the_same_whatever_their_draws():
    pairs = framed(*study(), variants=LADDER).pairs.filter(role="reserve", center="a").sort("variant")

    together, scale, shift = (pairs.row(place, named=True) for place in range(3))
    assert [row["variant"] for row in (together, scale, shift)] == ["all", "scale 1.2", "shift 0.1"]
    assert together["mean_change_first"] == pytest.approx((scale["mean_change_first"] + shift["mean_change_first"]) / 2)


def test_cells_of_different_arms_are_not_paired():
    rows = [row | {"cell": RADIOMICS} for row in study((CHEST,))]
    truth = pl.concat([labels(TRUTH), labels(TRUTH, "radiomics")])

    found = framed(*study((IMAGENET,)), *rows, truth=truth)

    assert found.stability["cell"].unique().sort().to_list() == [IMAGENET, RADIOMICS]
    assert found.pairs.height == 0


def test_no_external_row_before_the_external_centers_are_opened():
    closed = framed(*study(), variants=LADDER, open_external=False)
    opened = framed(*study(), variants=LADDER)

    for before, after in zip(closed, opened, strict=True):
        assert set(before["role"]) == {"reserve"}
        assert after.filter(pl.col("role") == "reserve").equals(before)


@pytest.mark.parametrize("rows", [[], study(variants=("original",))])
def test_predictions_without_variants_give_empty_frames_of_the_same_shape(rows):
    for frame, schema in zip(framed(*rows), (STABILITY, STABILITY_PAIRS), strict=True):
        assert frame.schema == pl.Schema(schema)
        assert frame.height == 0


def test_row_order_of_the_predictions_does_not_matter():
    rows = study()

    for first, second in zip(framed(*rows), framed(*rows[::-1]), strict=True):
        assert first.equals(second)


def test_a_variant_that_the_table_does_not_name_is_refused():
    with pytest.raises(StudyError, match="holds variant 'z', which table 'variants' does not name"):
        framed(*study(), variants=LADDER.head(2))


def test_a_variant_named_twice_is_refused():
    with pytest.raises(StudyError, match="names a variant more than once"):
        framed(*study(), variants=pl.concat([LADDER, LADDER]))


def test_a_cell_that_the_study_does_not_have_is_refused():
    with pytest.raises(StudyError, match="holds cell 'classification/other'"):
        framed(*(prediction("classification/other", "a1", 0.2, variant=variant) for variant in ("original", "x")))
