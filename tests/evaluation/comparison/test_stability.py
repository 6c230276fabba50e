"""Perturbed predictions in, stability of cells and paired tests between them out."""

from __future__ import annotations

from math import isnan

import numpy as np
import polars as pl
import pytest

from evaluation.comparison.aggregation import image_scores, replicate_scores
from evaluation.comparison.stability import STABILITY, stability_frames
from evaluation.comparison.stability_pairs import STABILITY_PAIRS
from evaluation.discrimination.areas import auc_difference
from evaluation.readers.agreement import intraclass
from evaluation.robustness.perturbation import compare_stability, pair_flips
from search_spaces.errors import StudyError
from search_spaces.study import Analysis
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


def planned(*comparisons, effects=()):
    return Analysis.model_validate({"primary": {"comparisons": comparisons, "effects": effects}})


PLAN = planned([CHEST, IMAGENET])


def framed(*rows, truth=None, **changes):
    arguments = {"cells": cells(), "open_external": True, "plan": PLAN} | changes
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
    # The planned pair and the one source effect everywhere and over both perturbations, all pairs pooled and over both.
    assert found.pairs.height == 2 * (2 + 3) * 3 + 2
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
    assert beside["flag"] == "one positive; ICC: zero variance; replicate scores without it: 2"


def test_only_images_that_were_chosen_to_be_perturbed_count_with_their_original_scores():
    rows = [*series(IMAGENET, "a", [0.2, 0.6, 0.3, 0.1]), *series(IMAGENET, "a", [0.2, 0.6, 0.3], variant="z")]

    found = framed(*rows).stability.row(0, named=True)

    assert (found["images"], found["images_scored"]) == (3, 4)
    assert (found["n_positive"], found["n_negative"]) == (1, 2)
    assert found["auc_original"] == 1  # with the fourth image it would be 2/3 or less
    assert "images without it" not in found["flag"]


def test_a_chosen_image_that_lacks_a_draw_is_left_out_and_flagged():
    rows = [*series(IMAGENET, "a", [0.2, 0.6, 0.3, 0.7]), *series(IMAGENET, "a", [0.2, 0.6, 0.3], variant="s1")]
    rows += series(IMAGENET, "a", [0.2, 0.6, 0.3, 0.7], variant="z")

    shifted, scaled = (
        framed(*rows, variants=LADDER).stability.filter(center="a").sort("kind", descending=True).rows(named=True)
    )

    assert scaled["images"] == 4
    assert shifted["images"] == 3
    assert shifted["flag"].endswith("images without it: 1")
    assert "images without it" not in scaled["flag"]


def test_images_are_counted_per_center_and_together():
    rows = [
        *series(IMAGENET, "b", [0.2, 0.6, 0.3], role="external"),
        *series(IMAGENET, "c", [0.2, 0.6], role="external"),
    ]
    rows += [*series(IMAGENET, "b", [0.2, 0.6], role="external", variant="z")]
    rows += [*series(IMAGENET, "c", [0.2, 0.6], role="external", variant="z")]

    found = framed(*rows).stability

    assert found.select("center", "images", "images_scored").rows() == [("b", 2, 3), ("c", 2, 2), ("all", 4, 5)]


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


def changes_of(rows, cell, variant="z", role="external"):
    """Absolute changes of a cell's scores, one replicate, in the order of the images."""
    mine = [row for row in rows if row["cell"] == cell and row["role"] == role]
    before, after = ([row["score"] for row in mine if row["variant"] == one] for one in ("original", variant))
    return np.abs(np.array(after) - np.array(before))


def test_pairs_of_one_arm_are_compared_on_the_images_that_both_moved():
    rows = study((CHEST, SCRATCH, IMAGENET), seeds=(0,), variants=("original", "z"))

    pairs = framed(*rows, variants=LADDER).pairs.filter(role="external", center="all", family="all pairs")

    expected = compare_stability(changes_of(rows, IMAGENET), changes_of(rows, CHEST))
    assert pairs.select("first", "second").rows() == [(IMAGENET, CHEST), (IMAGENET, SCRATCH), (CHEST, SCRATCH)]
    row = pairs.row(0, named=True)
    assert (row["difference"], row["p"]) == pytest.approx((expected.difference, expected.p))
    assert (row["mean_change_first"], row["mean_change_second"]) == pytest.approx((expected.first, expected.second))
    assert (row["method"], row["images"], row["patients"]) == ("Wilcoxon signed-rank, exact", 22, 22)


def test_changes_are_also_compared_in_standard_deviations_of_each_cells_scores():
    # The same model twice, of the second one all scores are squeezed to a tenth: it only seems more stable.
    rows = [row for row in study((IMAGENET,), seeds=(0,), variants=("original", "z")) if row["role"] == "reserve"]
    squeezed = [row | {"cell": CHEST, "key": CHEST, "score": 0.5 + (row["score"] - 0.5) / 10} for row in rows]

    found = framed(*rows, *squeezed, plan=planned([CHEST, IMAGENET]))
    row = found.pairs.filter(family="planned pairs", center="a").row(0, named=True)

    assert row["mean_change_first"] == pytest.approx(row["mean_change_second"] / 10)
    assert (row["difference"] < 0, row["p"] < 0.001) == (True, True)
    assert row["relative_difference"] == pytest.approx(0, abs=1e-12)
    assert row["relative_p"] == 1
    one, other = found.stability.filter(center="a")["relative_change"]
    before = [row["score"] for row in rows if row["variant"] == "original"]
    assert one == pytest.approx(changes_of(rows, IMAGENET, role="reserve").mean() / np.std(before, ddof=1))
    assert other == pytest.approx(one)


def test_a_cell_whose_scores_do_not_differ_has_no_relative_change():
    rows = [*series(IMAGENET, "a", [0.5] * 4), *series(IMAGENET, "a", [0.4] * 4, variant="z")]
    rows += [*series(CHEST, "a", [0.1, 0.2, 0.3, 0.4]), *series(CHEST, "a", [0.2, 0.2, 0.3, 0.4], variant="z")]

    found = framed(*rows)

    assert found.stability.filter(cell=IMAGENET)["relative_change"].is_nan().all()
    assert found.pairs.filter(family="planned pairs")["relative_p"].is_nan().all()
    assert found.pairs.filter(family="planned pairs")["p"].is_not_nan().all()


def test_all_perturbations_together_weigh_the_same_whatever_their_draws():
    pairs = framed(*study(), variants=LADDER).pairs.filter(role="reserve", center="a", family="planned pairs")

    together, scale, shift = pairs.sort("variant").rows(named=True)
    assert [row["variant"] for row in (together, scale, shift)] == ["all", "scale 1.2", "shift 0.1"]
    assert together["mean_change_first"] == pytest.approx((scale["mean_change_first"] + shift["mean_change_first"]) / 2)


def grid(backbones, sources=("imagenet", "chest"), inits=("transfer", "frozen")):
    names = [f"{backbone}-{source}-{init}" for backbone in backbones for source in sources for init in inits]
    points = [("classification", *name.split("-")) for name in names]
    columns = ["arm", "backbone", "pretraining", "init"]
    frame = pl.DataFrame(points, schema=columns, orient="row")
    facts = {"task": pl.lit("classification"), "replicates_planned": pl.lit(1), "exploratory": pl.lit(False)}
    return frame.with_columns(cell="classification/" + pl.Series(names), box=pl.lit("given"), **facts)


def test_a_planned_source_effect_is_the_mean_over_backbones_of_the_mean_over_inits():
    known = grid(["resnet18", "resnet50"]).filter(pl.col("cell") != "classification/resnet50-chest-frozen")
    rows = study(known["cell"].to_list(), seeds=(0,), variants=("original", "z"))

    found = framed(*rows, cells=known, plan=planned(["imagenet", "chest"]), variants=LADDER).pairs
    row = found.filter(family="planned effects", role="external", center="all").row(0, named=True)

    def side(source):
        first = (changes_of(rows, f"classification/resnet18-{source}-{init}") for init in ("transfer", "frozen"))
        return (sum(first) / 2 + changes_of(rows, f"classification/resnet50-{source}-transfer")) / 2

    expected = compare_stability(side("imagenet"), side("chest"))
    assert (row["effect"], row["first"], row["second"]) == ("source", "imagenet", "chest")
    assert row["backbones"] == "resnet18, resnet50"
    assert (row["difference"], row["p"]) == pytest.approx((expected.difference, expected.p))


def test_a_planned_source_effect_points_as_the_plan_says():
    known = grid(["resnet18"])
    rows = study(known["cell"].to_list(), seeds=(0,), variants=("original", "z"))
    one, other = (
        framed(*rows, cells=known, plan=planned(pair), variants=LADDER)
        .pairs.filter(family="planned effects", role="reserve", center="a")
        .row(0, named=True)
        for pair in (["imagenet", "chest"], ["chest", "imagenet"])
    )

    assert (other["first"], other["second"]) == ("chest", "imagenet")
    assert one["difference"] == -other["difference"]
    assert one["p"] == other["p"]


def test_effects_of_the_plan_are_a_family_of_their_own_and_stand_in_no_other():
    known = grid(["resnet18"])
    rows = study(known["cell"].to_list(), seeds=(0,), variants=("original", "z"))

    found = framed(*rows, cells=known, plan=planned(["imagenet", "chest"], effects=["source", "init"])).pairs
    here = found.filter(role="reserve", center="a").select("family", "effect", "first", "second")

    assert here.filter(pl.col("effect") != "pair").rows() == [
        ("planned effects", "source", "imagenet", "chest"),
        ("planned effects", "init", "transfer", "frozen"),
    ]
    assert here.filter(family="planned pairs")["first"].to_list() == [
        "classification/resnet18-imagenet-transfer",
        "classification/resnet18-imagenet-frozen",
    ]


def test_a_planned_pair_that_is_lost_stays_in_its_family():
    rows = study((CHEST, IMAGENET), seeds=(0,), variants=("original", "z"))

    found = framed(*rows, plan=planned([IMAGENET, CHEST], [IMAGENET, SCRATCH])).pairs
    kept, lost = found.filter(family="planned pairs", role="reserve", center="a").rows(named=True)

    assert kept["p_adjusted"] == pytest.approx(min(1, 2 * kept["p"]))
    assert isnan(lost["p"])
    assert lost["flag"].startswith("nothing to compare")


def test_all_pairs_of_cells_from_different_arms_are_not_compared():
    rows = [row | {"cell": RADIOMICS} for row in study((CHEST,))]
    truth = pl.concat([labels(TRUTH), labels(TRUTH, "radiomics")])

    found = framed(*study((IMAGENET,)), *rows, truth=truth, plan=planned())

    assert found.stability["cell"].unique().sort().to_list() == [IMAGENET, RADIOMICS]
    assert found.pairs.height == 0


def test_a_planned_pair_of_two_arms_is_compared_where_both_have_the_same_ladder():
    rows = [row | {"cell": RADIOMICS} for row in study((CHEST,))]
    truth = pl.concat([labels(TRUTH), labels(TRUTH, "radiomics")])
    plan = planned([IMAGENET, RADIOMICS])

    same = framed(*study((IMAGENET,)), *rows, truth=truth, plan=plan, variants=LADDER).pairs
    fewer = [row for row in rows if row["variant"] != "z"]
    other = framed(*study((IMAGENET,)), *fewer, truth=truth, plan=plan, variants=LADDER).pairs

    here = {"role": "external", "center": "all"}
    assert same.filter(**here)["variant"].to_list() == ["scale 1.2", "shift 0.1", "all"]
    assert not same.filter(**here)["p"].is_nan().any()
    # The mean over a shift alone is not compared with one over a shift and a scale.
    assert other.filter(**here, variant="shift 0.1")["p"].is_not_nan().all()
    assert other.filter(**here, variant="all")["p"].is_nan().all()


def test_arms_with_ladders_of_their_own_keep_their_draws():
    rows = [row | {"cell": RADIOMICS} for row in study((CHEST,), variants=("original", "s1"))]
    truth = pl.concat([labels(TRUTH), labels(TRUTH, "radiomics")])

    found = framed(*study((IMAGENET,)), *rows, truth=truth, variants=LADDER).stability.filter(kind="shift", center="a")

    assert dict(found.select("arm", "draws").rows()) == {"classification": 2, "radiomics": 1}


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
