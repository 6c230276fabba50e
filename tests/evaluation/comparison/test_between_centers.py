"""Heterogeneity over external centers, and the probe that asks scores for their center."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import kruskal

from evaluation.centers.center_probe import center_probe
from evaluation.centers.heterogeneity import leave_one_out, pool, pool_areas
from evaluation.comparison.aggregation import replicate_scores
from evaluation.comparison.between_centers import center_probes, heterogeneity
from evaluation.comparison.inference import effects
from evaluation.comparison.performance import performance
from search_spaces.study import Analysis, Bootstrap, Primary
from tests.evaluation.study_example import (
    CHEST,
    IMAGENET,
    SCRATCH,
    boards,
    cells,
    labels,
    logit_series,
    predictions,
    scored,
    two_per_patient,
)

PLAN = Analysis(primary=Primary(comparisons=((CHEST, IMAGENET),)), bootstrap=Bootstrap(draws=100))
RNG = np.random.default_rng(6)
TRUTH = {"b": [0, 1] * 8, "c": [0, 1, 1] * 5, "d": [0, 0, 1] * 4}
SCORES = {
    cell: {center: (RNG.random(len(truth)) * 0.6 + np.multiply(truth, 0.4)).tolist() for center, truth in TRUTH.items()}
    for cell in (CHEST, IMAGENET)
}
VARIANTS = [("dersimonian-laird", "normal"), ("reml", "normal"), ("reml", "hartung-knapp")]


def frames(scores=SCORES, truth=TRUTH):
    """Performance, effects and their heterogeneity."""
    table, known = scored(scores), labels(truth)
    found = boards(table, known)
    measured = performance(found, replicate_scores(table, known, cells(), open_external=True), cells())
    contrasts = effects(found, PLAN, cells())
    return measured, contrasts, heterogeneity(measured, contrasts)


def centers(frame, column, **chosen):
    """Names, values and standard errors of the external centers."""
    rows = frame.filter(pl.col("role") == "external", ~pl.col("center").is_in(["all", "stratified"]), **chosen)
    return rows["center"].to_list(), rows[column].to_numpy(), rows["se"].to_numpy()


def numbers(rows):
    return rows.select("estimate", "low", "high", "p", "tau2", "i2", "q", "q_p", "prediction_low", "centers").rows()


def of(one):
    return one.estimate, one.low, one.high, one.p, one.tau2, one.i2, one.q, one.q_p, one.prediction_low, one.k


@pytest.mark.parametrize("scale", ["raw", "logit"])
def test_areas_are_pooled_over_external_centers_in_three_ways_on_two_scales(scale):
    measured, _, found = frames()
    names, values, errors = centers(measured, "auc", cell=CHEST)

    rows = found.filter(measure="auc", first=CHEST, scale=scale, left_out="")

    expected = [pool_areas(values, errors, scale, tau, test, names) for tau, test in VARIANTS]
    assert names == ["b", "c", "d"]
    assert rows["method"].to_list() == [one.method for one in expected]
    for row, one in zip(numbers(rows), expected, strict=True):
        assert row == pytest.approx(of(one))


@pytest.mark.parametrize("scale", ["raw", "logit"])
def test_each_center_is_left_out_once_and_named(scale):
    measured, _, found = frames()
    names, values, errors = centers(measured, "auc", cell=IMAGENET)

    rows = found.filter(pl.col("left_out") != "", measure="auc", first=IMAGENET, scale=scale)

    expected = leave_one_out(names, values, errors, scale=scale)
    assert rows["left_out"].to_list() == ["b", "c", "d"]
    for row, (_, one) in zip(numbers(rows), expected, strict=True):
        assert row == pytest.approx(of(one))
    assert set(rows["centers"]) == {2}


def test_differences_of_contrasts_are_pooled_on_their_own_scale():
    _, contrasts, found = frames()
    names, values, errors = centers(contrasts, "difference", effect="pair")

    rows = found.filter(measure="pair")

    assert set(rows.select("first", "second", "scale", "arm").rows()) == {(CHEST, IMAGENET, "raw", "classification")}
    expected = [pool(values, errors, tau, test, names) for tau, test in VARIANTS]
    expected += [one for _, one in leave_one_out(names, values, errors)]
    assert rows["left_out"].to_list() == ["", "", "", "b", "c", "d"]
    for row, one in zip(numbers(rows), expected, strict=True):
        assert row == pytest.approx(of(one))


def test_every_kind_of_contrast_has_its_own_rows():
    found = frames()[2]

    named = found.filter(measure="source", left_out="")
    assert set(named.select("first", "second").rows()) == {("imagenet", "chest")}
    pair = found.filter(measure="pair", left_out="")
    assert named["estimate"].to_list() == pytest.approx((-pair["estimate"]).to_list())


def test_a_center_without_an_area_is_left_out_and_named():
    rows = frames(truth=TRUTH | {"c": [1] * 15})[2].filter(first=CHEST, scale="raw", left_out="")

    assert set(rows.select("centers", "flag", "measure").rows()) == {
        (2, "left out: c (no estimate)", "auc"),
        (2, "left out: c (no estimate)", "pair"),
    }


def test_a_center_with_one_positive_has_no_standard_error_and_no_weight():
    middle = int(np.argsort(SCORES[CHEST]["c"])[7])
    rows = frames(truth=TRUTH | {"c": [int(place == middle) for place in range(15)]})[2].filter(
        first=CHEST, scale="logit", left_out=""
    )

    assert set(rows.select("centers", "flag").rows()) == {(2, "left out: c (no standard error)")}


def test_one_external_center_alone_tells_nothing_about_others():
    scores = {cell: {"b": values["b"]} for cell, values in SCORES.items()}

    assert frames(scores)[2].is_empty()


def test_of_two_centers_one_of_which_is_useless_a_single_one_remains():
    scores = {cell: {center: values[center] for center in "bc"} for cell, values in SCORES.items()}
    measured, _, found = frames(scores, TRUTH | {"c": [0] * 15})
    rows = found.filter(measure="auc", first=CHEST, scale="raw", left_out="")

    assert set(rows["centers"]) == {1}
    assert rows["estimate"].to_list() == measured.filter(cell=CHEST, center="b")["auc"].to_list() * 3
    assert rows["tau2"].is_nan().all()


def test_the_reserve_and_the_pool_are_no_centers():
    scores = {cell: {"a": values["b"]} | values for cell, values in SCORES.items()}

    assert frames(scores, TRUTH | {"a": TRUTH["b"]})[2].equals(frames()[2])


# Forty images of each class at each of two centers.
TWO = {"b": [0, 1] * 40, "c": [0, 1] * 40}


def probed(shift=0.0, truth=None, seed=0, change=None):
    rng = np.random.default_rng(2)
    scores = {
        center: (0.5 + 0.05 * rng.normal(size=80) + shift * (center == "c")).clip(0, 1).tolist() for center in TWO
    }
    table = scored({IMAGENET: scores})
    found = boards(table if change is None else change(table), labels(truth or TWO))
    return center_probes(found, cells(), seed), scores


def test_scores_that_know_no_center_leave_the_probe_near_chance():
    row = probed()[0].row(0, named=True)

    assert row["auc"] == pytest.approx(0.5, abs=0.1)
    assert row["p"] > 0.05
    assert (row["cell"], row["centers"], row["cases"]) == (IMAGENET, 2, 160)


def test_a_shift_of_one_centers_scores_betrays_it():
    row = probed(shift=0.2)[0].row(0, named=True)

    assert row["auc"] > 0.95
    assert row["balanced_accuracy"] > 0.9
    assert row["p"] < 1e-6


def test_the_probe_is_that_of_the_pooled_external_scores():
    found, scores = probed(shift=0.03, seed=5)

    # Images of the panel stand in the order of their names.
    order = np.argsort([f"{center}{place}" for center in TWO for place in range(80)])
    values = np.array(scores["b"] + scores["c"])[order]
    centers_of, classes = np.repeat(["b", "c"], 80)[order], np.array([0, 1] * 80)[order]
    expected = center_probe(values, centers_of, np.arange(160), classes, seed=5, permutations=0)
    assert found.row(0, named=True)["auc"] == pytest.approx(expected.auc)


def test_the_p_value_is_kruskals_within_classes_by_bonferroni():
    found, scores = probed(shift=0.03)

    each = [kruskal(scores["b"][label::2], scores["c"][label::2]).pvalue for label in (0, 1)]
    assert found["p"][0] == pytest.approx(2 * min(each))
    assert "Kruskal-Wallis of patients within classes, Bonferroni" in found["method"][0]


def test_other_prevalences_alone_betray_no_center():
    truth = {"b": [0, 0, 0, 0, 1] * 16, "c": [0, 1, 1, 1, 1] * 16}
    scores = {
        center: (np.array(of_center) * 0.5 + np.random.default_rng(3).random(80) * 0.2).tolist()
        for center, of_center in truth.items()
    }

    row = center_probes(boards(scored({IMAGENET: scores}), labels(truth)), cells(), 0).row(0, named=True)

    assert row["auc"] == pytest.approx(0.5, abs=0.12)


def test_patients_with_several_images_are_one_observation():
    found, scores = probed(shift=0.03, truth={center: [0, 0, 1, 1] * 20 for center in TWO}, change=two_per_patient)

    means = {center: np.reshape(values, (40, 2)).mean(axis=1) for center, values in scores.items()}
    each = [kruskal(means["b"][label::2], means["c"][label::2]).pvalue for label in (0, 1)]
    assert found["p"][0] == pytest.approx(2 * min(each))


def test_cells_with_logits_are_probed_on_them():
    logits = {"b": [40.0 + place / 100 for place in range(20)], "c": [60.0 + place / 100 for place in range(20)]}
    table = predictions(
        *(row for center, values in logits.items() for row in logit_series(SCRATCH, center, values, role="external"))
    )

    row = center_probes(boards(table, labels({"b": [0, 1] * 10, "c": [0, 1] * 10})), cells(), 0).row(0, named=True)

    # As probabilities they would all be 1.
    assert (row["auc"], row["flag"]) == (1, "")


def test_one_center_or_one_score_for_all_cannot_be_probed():
    alone = boards(scored({IMAGENET: {"b": SCORES[CHEST]["b"]}}), labels(TRUTH))
    constant = boards(scored({IMAGENET: {center: [0.5] * 80 for center in TWO}}), labels(TWO))

    for found, flag in ((alone, "one center"), (constant, "constant features")):
        row = center_probes(found, cells(), 0).row(0, named=True)
        assert row["flag"] == flag
        assert np.isnan([row["auc"], row["p"]]).all()


def test_without_external_images_there_is_no_probe():
    found = boards(scored({IMAGENET: {"a": [0.1, 0.9]}}), labels({"a": [0, 1]}))

    assert center_probes(found, cells(), 0).is_empty()
