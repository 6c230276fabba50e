"""Primary inference on whole studies: what is averaged, what is adjusted, what cannot be measured."""

from __future__ import annotations

from math import isnan

import numpy as np
import polars as pl
import pytest

from evaluation.comparison import inference
from evaluation.comparison.aggregation import image_scores, replicate_scores
from evaluation.comparison.comparing import CELLS
from evaluation.comparison.panels import panels
from evaluation.discrimination.areas import auc, auc_difference
from evaluation.multiplicity import ADJUSTMENTS
from search_spaces.study import Analysis, Bootstrap, Primary
from tests.evaluation.study_example import labels, predictions, series

TRUTH = {"r": [0, 1] * 10, "b": [0, 1] * 15, "c": [0, 0, 1] * 10}
ROLES = {"r": "reserve", "b": "external", "c": "external"}
NAMES = {
    "x": (("none", "scratch"), ("rad", "transfer"), ("imagenet", "transfer")),
    "y": (("none", "scratch"), ("rad", "transfer")),
}
QUICK = Bootstrap(draws=200)
PLAN = Analysis(bootstrap=QUICK, primary=Primary(comparisons=(("rad", "imagenet"),), effects=("payoff",)))
RAD, IMAGENET = "m/x-rad-transfer", "m/x-imagenet-transfer"


def cells():
    rows = [
        (f"m/{backbone}-{source}-{init}", "m", "classification", backbone, source, init, 3, False, "given")
        for backbone, grid in NAMES.items()
        for source, init in grid
    ]
    return pl.DataFrame(rows, schema=CELLS, orient="row")


def rows_of(cell, *, replicates=3, centers="rbc", seed=None):
    """Noisy scores in which pretrained cells know the label better."""
    rng = np.random.default_rng(sum(map(ord, cell)) if seed is None else seed)
    gain = 0.4 if "rad" in cell else 0.2
    return [
        row
        for replicate in range(replicates)
        for center in centers
        for row in series(
            cell,
            center,
            np.clip(0.3 + gain * np.array(TRUTH[center]) + rng.normal(0, 0.15, len(TRUTH[center])), 0, 1),
            role=ROLES[center],
            seed=replicate,
        )
    ]


def effects(*, plan=PLAN, table=None):
    used = predictions(*(row for cell in cells()["cell"] for row in rows_of(cell))) if table is None else table
    replicates = replicate_scores(used, labels(TRUTH, "m"), cells(), open_external=True)
    return inference.effects(list(panels(image_scores(replicates), replicates)), plan, cells())


def one(frame, **where):
    return frame.filter(**where).row(0, named=True)


def single_aucs(cell, center):
    rows = pl.DataFrame(rows_of(cell)).filter(center=center)
    return np.array([auc(TRUTH[center], part["score"]).auc for part in rows.partition_by("seed", maintain_order=True)])


def test_a_pair_is_the_mean_difference_of_its_single_models():
    found = one(effects(), effect="pair", center="b")

    gaps = single_aucs(RAD, "b") - single_aucs(IMAGENET, "b")
    assert found["difference"] == pytest.approx(gaps.mean())
    assert found["sd_replicates"] == pytest.approx(gaps.std(ddof=1))
    assert (found["first"], found["second"], found["replicates"]) == (RAD, IMAGENET, 3)
    assert found["method"].startswith("Obuchowski-Rockette")


def test_the_payoff_is_averaged_over_backbones_with_equal_weight():
    found = one(effects(), effect="payoff", first="rad-transfer", center="c")

    gaps = [single_aucs(f"m/{name}-rad-transfer", "c") - single_aucs(f"m/{name}-none-scratch", "c") for name in "xy"]
    assert found["difference"] == pytest.approx(np.mean(gaps))
    assert (found["backbones"], found["without"]) == ("x, y", "")
    assert found["sd_replicates"] == pytest.approx(np.std(np.mean(gaps, axis=0), ddof=1))


def test_a_backbone_without_the_source_is_named():
    assert one(effects(), effect="payoff", first="imagenet-transfer", center="c")["without"] == "y"
    assert one(effects(), effect="source", center="c")["without"] == "y"


def test_stratified_counts_pairs_of_images_within_a_center_only():
    frame = effects()
    found, b, c = (one(frame, effect="pair", center=center) for center in ("stratified", "b", "c"))

    weights = np.array([15 * 15, 10 * 20]) / (15 * 15 + 10 * 20)
    assert found["difference"] == pytest.approx(weights @ [b["difference"], c["difference"]])
    assert found["se_cases"] == pytest.approx(np.hypot(*(weights * [b["se_cases"], c["se_cases"]])))
    assert (found["n_positive"], found["n_negative"]) == (25, 35)


def test_the_aggregate_with_delong_stands_beside_as_secondary():
    table = predictions(*rows_of(RAD), *rows_of(IMAGENET))
    found = one(effects(table=table), effect="pair", center="b")

    means = [
        pl.DataFrame(rows_of(cell))
        .filter(center="b")
        .group_by("image", maintain_order=True)
        .agg(pl.col("score").mean())
        for cell in (RAD, IMAGENET)
    ]
    expected = auc_difference(TRUTH["b"], means[0]["score"], means[1]["score"])
    assert (found["aggregate_difference"], found["aggregate_p"]) == pytest.approx((expected.difference, expected.p))


def test_the_primary_family_is_pooled_on_the_plans_role_and_adjusted_together():
    primary = effects().filter(family="primary")

    assert primary.select("role", "center").unique().rows() == [("external", "all")]
    assert primary["effect"].to_list() == ["pair", "payoff", "payoff"]
    assert primary["p_adjusted"].to_list() == pytest.approx(ADJUSTMENTS["holm"](primary["p"]).tolist())
    assert primary["adjustment"].unique().to_list() == ["holm"]


@pytest.mark.parametrize("adjust", ["holm", "hommel", "bh"])
def test_the_plan_names_the_adjustment(adjust):
    primary = effects(plan=PLAN.model_copy(update={"adjust": adjust})).filter(family="primary")

    assert primary["p_adjusted"].to_list() == pytest.approx(ADJUSTMENTS[adjust](primary["p"]).tolist())


def test_what_is_not_primary_has_a_family_of_its_kind_per_place():
    frame = effects().filter(center="b")

    assert frame["family"].to_list() == ["pair", "payoff", "payoff", "source"]
    for family in frame.partition_by("family"):
        assert family["p_adjusted"].to_list() == pytest.approx(ADJUSTMENTS["holm"](family["p"]).tolist())


def test_a_planned_contrast_stands_once_at_the_primary_place():
    pooled = effects().filter(role="external", center="all")

    assert pooled.select("effect", "first", "second").is_duplicated().any() is False


def test_only_the_primary_family_is_bootstrapped_and_its_interval_holds_the_estimate():
    frame = effects()
    primary, others = frame.filter(family="primary"), frame.filter(pl.col("family") != "primary")

    assert (primary["bootstrap_low"] < primary["difference"]).all()
    assert (primary["bootstrap_high"] > primary["difference"]).all()
    assert others["bootstrap_low"].is_nan().all()


def test_a_cell_without_results_leaves_its_planned_contrast_in_the_family_as_nan():
    table = predictions(*(row for cell in cells()["cell"] if cell != IMAGENET for row in rows_of(cell)))
    primary = effects(table=table).filter(family="primary")

    lost = one(primary, effect="pair")
    assert isnan(lost["difference"])
    assert lost["flag"].startswith("nothing to compare")
    known = primary.filter(pl.col("p").is_not_nan())
    assert known["p_adjusted"].to_list() == pytest.approx(
        [p for p in ADJUSTMENTS["holm"](primary["p"]) if not isnan(p)]
    )


def test_replicates_that_a_cell_lacks_leave_the_contrast():
    table = predictions(*rows_of(RAD), *rows_of(IMAGENET, replicates=2))

    found = one(effects(table=table), effect="pair", center="b")

    assert (found["replicates"], found["flag"]) == (2, "fewer than 3 replicates")
    assert found["method"].endswith("case uncertainty only")


def test_a_replicate_that_misses_a_center_is_left_out_of_the_pooled_contrast_only():
    rows = [row for row in rows_of(IMAGENET) if not (row["center"] == "c" and row["seed"] == 2)]
    frame = effects(table=predictions(*rows_of(RAD), *rows))

    assert {center: one(frame, effect="pair", center=center)["replicates"] for center in "bc"} == {"b": 3, "c": 2}
    assert one(frame, effect="pair", role="external", center="all")["replicates"] == 2
    assert one(frame, effect="pair", center="stratified")["replicates"] == 2


def test_a_missing_image_costs_the_image_and_not_the_model():
    rows = [row for row in rows_of(IMAGENET) if not (row["image"] == "b3" and row["seed"] == 1)]
    frame = effects(table=predictions(*rows_of(RAD), *rows))

    found = one(frame, effect="pair", center="b")
    assert (found["replicates"], found["n_positive"], found["n_negative"]) == (3, 14, 15)
    assert "1 images that some model did not score left out" in found["flag"]
    assert one(frame, family="primary")["replicates"] == 3


def test_seeds_of_a_fold_are_one_draw():
    rows = [
        row | {"fold": row["seed"] % 3, "seed": row["seed"] // 3}
        for cell in (RAD, IMAGENET)
        for row in rows_of(cell, replicates=6)
    ]
    rows = [row | {"key": f"{row['cell']} {row['fold']} {row['seed']} {row['center']}"} for row in rows]
    found = one(effects(table=predictions(*rows)), effect="pair", center="b")

    gaps = [
        auc(TRUTH["b"], first["score"]).auc - auc(TRUTH["b"], second["score"]).auc
        for first, second in zip(
            *(
                pl.DataFrame(rows_of(cell, replicates=6)).filter(center="b").partition_by("seed", maintain_order=True)
                for cell in (RAD, IMAGENET)
            ),
            strict=True,
        )
    ]
    folds = np.array(gaps).reshape(2, 3).mean(axis=0)
    assert (found["replicates"], found["units"]) == (6, 3)
    assert found["method"] == "Obuchowski-Rockette, folds as random readers"
    assert found["difference"] == pytest.approx(folds.mean())
    assert found["sd_replicates"] == pytest.approx(np.std(gaps, ddof=1))
    assert found["se"] >= folds.std(ddof=1) / np.sqrt(3) - 1e-12


def test_centers_that_share_patients_have_no_stratified_interval():
    def shared(row):
        return row | {"patient": row["patient"].replace("c", "b")}

    rows = [shared(row) for cell in (RAD, IMAGENET) for row in rows_of(cell)]
    found = one(effects(table=predictions(*rows)), effect="pair", center="stratified")

    assert isnan(found["se"])
    assert "patients of several centers: 30" in found["flag"]


def test_a_center_that_cannot_be_compared_is_named_in_the_stratified_contrast():
    rows = [*rows_of(RAD), *rows_of(IMAGENET, centers="rb")]

    assert "without c" in one(effects(table=predictions(*rows)), effect="pair", center="stratified")["flag"]


def test_a_planned_pair_with_an_exploratory_cell_stays_in_the_family():
    table = predictions(*rows_of(RAD), *rows_of(IMAGENET))
    late = cells().with_columns(exploratory=pl.col("cell") == IMAGENET)
    replicates = replicate_scores(table, labels(TRUTH, "m"), late, open_external=True)

    found = one(
        inference.effects(list(panels(image_scores(replicates), replicates)), PLAN, late),
        family="primary",
        effect="pair",
    )

    assert isnan(found["difference"])
    assert found["flag"] == "exploratory cell: takes no part"


def test_an_interaction_that_is_not_estimable_is_not_a_number():
    rare = TRUTH | {"b": [1] + [0] * 29}
    table = predictions(*(row for cell in cells()["cell"] for row in rows_of(cell)))
    replicates = replicate_scores(table, labels(rare, "m"), cells(), open_external=True)

    frame = inference.effects(list(panels(image_scores(replicates), replicates)), PLAN, cells())

    found = one(frame, effect="payoff", first="rad-transfer", center="b")
    assert isnan(found["p"])
    assert isnan(found["interaction_p"])


def test_the_interaction_of_two_backbones_is_the_test_of_their_difference():
    found = one(effects(), effect="payoff", first="rad-transfer", center="b")

    x, y = (single_aucs(f"m/{name}-rad-transfer", "b") - single_aucs(f"m/{name}-none-scratch", "b") for name in "xy")
    assert found["interaction_backbone"] == "x"
    assert 0 < found["interaction_p"] <= 1
    assert np.isfinite((x - y).mean())


def test_non_inferiority_needs_a_margin():
    margin = PLAN.model_copy(update={"primary": PLAN.primary.model_copy(update={"margin": 0.05})})

    with_margin, without = (one(effects(plan=plan), effect="pair", center="b") for plan in (margin, PLAN))
    assert with_margin["non_inferior_p"] < with_margin["p"]
    assert isnan(without["non_inferior_p"])


def test_identical_cells_have_p_exactly_one():
    copy = [row | {"cell": IMAGENET, "key": row["key"] + "x", "fit_key": row["fit_key"] + "x"} for row in rows_of(RAD)]

    found = one(effects(table=predictions(*rows_of(RAD), *copy)), effect="pair", center="b")

    assert (found["difference"], found["p"], found["flag"]) == (0, 1, "identical models")


def test_the_validation_role_has_no_contrasts_of_single_models():
    rows = [row | {"role": "validation"} for row in rows_of(RAD, centers="r")]

    assert effects(table=predictions(*rows)).filter(role="validation").is_empty()
