"""AUC rows per center, pooled and stratified, with their flags."""

from __future__ import annotations

from math import isnan, sqrt

import polars as pl
import pytest

from evaluation.discrimination.areas import auc
from evaluation.discrimination.precision_recall import average_precision
from evaluation.normal import logit_interval
from tests.evaluation.study_example import (
    CHEST,
    IMAGENET,
    cells,
    compared,
    labels,
    prediction,
    predictions,
    scored,
    series,
)

EXTERNAL = {"role": "external"}
TRUTH = {"b": [0, 0, 1, 1], "c": [0, 0, 0, 1, 1]}
B, C = [0.1, 0.6, 0.4, 0.9], [0.2, 0.3, 0.8, 0.7, 0.9]


def rows_of(comparison):
    return {(row["cell"], row["role"], row["center"]): row for row in comparison.performance.rows(named=True)}


def two_centers(truth=TRUTH):
    table = predictions(*series(IMAGENET, "b", B, **EXTERNAL), *series(IMAGENET, "c", C, **EXTERNAL))
    return rows_of(compared(table, labels(truth)))


def test_the_interval_on_the_logit_scale_stands_beside():
    row = two_centers()[IMAGENET, "external", "all"]

    assert (row["logit_low"], row["logit_high"]) == pytest.approx(logit_interval(row["auc"], row["se"]))


def test_every_center_and_the_pool_have_a_row_with_counts():
    found = two_centers()

    assert [center for _, _, center in found] == ["b", "c", "all", "stratified"]
    pooled = found[IMAGENET, "external", "all"]
    assert (pooled["n_positive"], pooled["n_negative"], pooled["patients"]) == (4, 5, 9)
    assert pooled["auc"] == pytest.approx(auc([*TRUTH["b"], *TRUTH["c"]], B + C).auc)
    assert (pooled["backbone"], pooled["pretraining"], pooled["init"]) == ("resnet18", "imagenet", "transfer")


def test_the_stratified_row_weighs_centers_by_their_pairs():
    found = two_centers()[IMAGENET, "external", "stratified"]

    # b: 3 of 4 pairs right, c: 5 of 6 pairs right
    se = [auc(TRUTH[center], scores).se for center, scores in (("b", B), ("c", C))]
    assert found["auc"] == pytest.approx(8 / 10)
    assert found["se"] == pytest.approx(sqrt((4 * se[0]) ** 2 + (6 * se[1]) ** 2) / 10)
    assert (found["n_positive"], found["n_negative"]) == (4, 5)
    assert found["single_mean"] == pytest.approx(8 / 10)


def test_a_single_external_center_is_not_stratified():
    found = rows_of(compared(predictions(*series(IMAGENET, "b", B, **EXTERNAL)), labels(TRUTH)))

    assert [center for _, _, center in found] == ["b", "all"]


def test_a_center_with_one_class_has_counts_and_a_flag_and_no_area():
    found = two_centers({"b": [1, 1, 1, 1], "c": TRUTH["c"]})
    center, stratified = found[IMAGENET, "external", "b"], found[IMAGENET, "external", "stratified"]

    assert (center["n_positive"], center["n_negative"], center["flag"]) == (4, 0, "one class")
    assert all(isnan(center[name]) for name in ("auc", "se", "low", "high", "auc_naive_low", "single_mean"))
    assert (stratified["auc"], stratified["flag"]) == (
        pytest.approx(5 / 6),
        "b: one class; pooled AUC differs by -0.167",
    )


def test_one_positive_has_an_area_and_no_standard_error():
    found = two_centers({"b": [0, 0, 0, 1], "c": TRUTH["c"]})

    assert (found[IMAGENET, "external", "b"]["auc"], found[IMAGENET, "external", "b"]["flag"]) == (
        1,
        "one positive",
    )
    assert isnan(found[IMAGENET, "external", "b"]["se"])
    assert isnan(found[IMAGENET, "external", "stratified"]["low"])


def test_several_images_of_a_patient_are_clustered_with_the_naive_interval_beside():
    scores, truth, patients = [0.1, 0.2, 0.6, 0.5, 0.3, 0.7, 0.9, 0.8], [0, 0, 0, 0, 1, 1, 1, 1], "ppqrssuv"
    table = predictions(
        *(prediction(IMAGENET, f"a{place}", scores[place], patient=patients[place]) for place in range(8))
    )

    found = rows_of(compared(table, labels({"a": truth})))[IMAGENET, "reserve", "all"]

    naive, clustered = auc(truth, scores), auc(truth, scores, list(patients))
    assert (found["method"], found["patients"]) == ("clustered (Obuchowski)", 6)
    assert (found["se"], found["low"]) == pytest.approx((clustered.se, clustered.low))
    assert (found["auc_naive_low"], found["auc_naive_high"]) == pytest.approx((naive.low, naive.high))
    assert clustered.low != naive.low


def test_single_models_stand_beside_the_aggregate():
    truth = [0, 0, 1, 1]
    table = predictions(
        *series(IMAGENET, "a", [0.125, 0.25, 0.375, 0.5]), *series(IMAGENET, "a", [0.125, 0.5, 0.5, 0.25], fold=1)
    )

    found = rows_of(compared(table, labels({"a": truth}), cells=cells(planned=2)))[IMAGENET, "reserve", "all"]

    # areas 1 and 5/8 (a tie counts one half); the means .125 .375 .4375 .375 rank 3.5 of 4 pairs right
    assert (found["single_mean"], found["single_sd"]) == pytest.approx((0.8125, 0.375 / sqrt(2)))
    assert (found["auc"], found["replicates"], found["complete"]) == (0.875, 2, True)


def test_the_validation_role_averages_areas_within_folds():
    truth = {"a": [0, 1, 0, 1]}
    table = predictions(
        *series(IMAGENET, "a", [0.1, 0.2], role="validation"),
        *(prediction(IMAGENET, f"a{place}", score, role="validation", fold=1) for place, score in ((2, 0.9), (3, 0.8))),
    )

    found = rows_of(compared(table, labels(truth), cells=cells(planned=2)))[IMAGENET, "validation", "all"]

    assert (found["single_mean"], found["replicates"], found["complete"]) == (0.5, 2, True)


def test_a_cell_with_replicates_still_missing_is_not_complete():
    found = rows_of(compared(predictions(*series(IMAGENET, "b", B)), labels(TRUTH), cells=cells(planned=3)))

    row = found[IMAGENET, "reserve", "all"]
    assert (row["replicates"], row["replicates_planned"], row["complete"]) == (1, 3, False)


def test_images_that_only_other_cells_scored_are_flagged():
    table = predictions(*series(IMAGENET, "b", B), *series(CHEST, "b", B[:3]))

    found = rows_of(compared(table, labels(TRUTH)))

    assert (found[CHEST, "reserve", "all"]["flag"], found[CHEST, "reserve", "all"]["complete"]) == (
        "one positive; images without a score: 1",
        False,
    )
    assert (found[IMAGENET, "reserve", "all"]["flag"], found[IMAGENET, "reserve", "all"]["complete"]) == ("", True)


def test_exploratory_cells_say_so():
    found = compared(predictions(*series(IMAGENET, "b", B)), labels(TRUTH), cells=cells(exploratory=[IMAGENET]))

    assert found.performance["exploratory"].all()
    assert found.performance.select(pl.all().null_count()).sum_horizontal().item() == 0


def one_cell(scores, truth, **changes):
    """Rows by place of one cell, from scores by center."""
    found = compared(scored({IMAGENET: scores}), labels(truth), **changes)
    return {(role, center): row for (_, role, center), row in rows_of(found).items()}


def test_average_precision_and_the_best_f1_follow_by_hand():
    row = one_cell({"b": [0.9, 0.8, 0.7, 0.6, 0.5]}, {"b": [1, 0, 1, 0, 0]})["external", "b"]

    # Precision 1 at the first positive and 2/3 at the second; F1 is best there: 4 / (2 + 3).
    expected = average_precision([1, 0, 1, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.5])
    assert (row["average_precision"], row["best_f1"]) == pytest.approx((5 / 6, 4 / 5))
    assert (row["average_precision_low"], row["average_precision_high"]) == pytest.approx((expected.low, expected.high))


def test_average_precision_is_not_stratified():
    row = two_centers()[IMAGENET, "external", "stratified"]

    names = ("average_precision", "average_precision_low", "average_precision_high", "best_f1")
    assert all(isnan(row[name]) for name in names)


@pytest.mark.parametrize(("shift", "flag"), [(0, ""), (0.5, "pooled AUC differs by -0.125")], ids=["alike", "shifted"])
def test_a_pooled_area_far_from_the_stratified_one_is_flagged(shift, flag):
    scores, truth = [0.1, 0.3, 0.2, 0.45], [0, 0, 1, 1]

    rows = one_cell({"b": scores, "c": [score + shift for score in scores]}, {"b": truth, "c": truth})

    # Within a center 3 of 4 pairs are right; pooled and shifted, 10 of 16.
    assert rows["external", "stratified"]["flag"] == flag
    assert rows["external", "all"]["flag"] == ""


def test_a_gap_below_two_hundredths_is_no_flag():
    scores = {"b": [0.1, 0.2, 0.3, 0.55, 0.4, 0.5, 0.6, 0.7], "c": [0.1, 0.2, 0.3, 0.51, 0.4, 0.5, 0.54, 0.7]}
    rows = one_cell(scores, {center: [0, 0, 0, 0, 1, 1, 1, 1] for center in "bc"})

    # The third positive of c beats its own center's highest negative and not the other's: one pair of 64.
    assert rows["external", "stratified"]["auc"] - rows["external", "all"]["auc"] == pytest.approx(1 / 64)
    assert rows["external", "stratified"]["flag"] == ""
