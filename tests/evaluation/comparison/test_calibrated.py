"""Calibration as it is and after recalibration, which only the reserve may teach."""

from __future__ import annotations

from math import isnan, log

import numpy as np
import polars as pl
import pytest

from evaluation.calibration.measures import calibration
from evaluation.calibration.recalibration import isotonic, platt
from evaluation.comparison.benefit import recalibrations
from evaluation.comparison.calibrated import calibrations
from tests.evaluation.study_example import (
    IMAGENET,
    boards,
    cells,
    labels,
    logit_series,
    predictions,
    scored,
    two_per_patient,
)

EXTERNAL, VALIDATION = {"role": "external"}, {"role": "validation"}
GRID = (-2.0, -1.0, 0.0, 1.0, 2.0)
TRUE, LABEL = [], []
for truth, positives in zip(GRID, (6, 13, 25, 37, 44), strict=True):  # of 50 each: expit(-2) is .119, expit(-1) .269
    TRUE += [truth] * 50
    LABEL += [1] * positives + [0] * (50 - positives)
OTHER_LABEL = [label for positives in (3, 7, 12, 18, 22) for label in [1] * positives + [0] * (25 - positives)]
DOUBLED, OTHER_DOUBLED = [2 * truth for truth in TRUE], [2 * truth for truth in GRID for _ in range(25)]

# Logits in no order with the labels' classes overlapping, for everything that needs no meaning.
RNG = np.random.default_rng(4)
RESERVED, RESERVE = [0, 1] * 10, (RNG.normal(size=20) + [0, 1] * 10).round(2).tolist()
SEEN, LOGITS = [0, 1, 1] * 5, (RNG.normal(size=15) + [0, 1, 1] * 5).round(2).tolist()


def calibrated(table, truth):
    found = boards(table, truth if isinstance(truth, pl.DataFrame) else labels(truth))
    return calibrations(found, recalibrations(found, cells()))


def study(reserve=RESERVE, logits=LOGITS, reserved=RESERVED, seen=SEEN, change=None):
    """A reserve in center a, an external center b."""
    table = predictions(*logit_series(IMAGENET, "a", reserve), *logit_series(IMAGENET, "b", logits, **EXTERNAL))
    return calibrated(table if change is None else change(table), {"a": reserved, "b": seen})


def at(found, center, recalibration="none"):
    return found.row(by_predicate=(pl.col("center") == center) & (pl.col("recalibration") == recalibration), named=True)


def with_external(logits):
    return predictions(
        *logit_series(IMAGENET, "a", RESERVE),
        *logit_series(IMAGENET, "v", LOGITS, **VALIDATION),
        *logit_series(IMAGENET, "b", logits, **EXTERNAL),
    )


def maps_of(table, truth):
    return recalibrations(boards(table, labels(truth)), cells())[IMAGENET].maps


def test_doubled_logits_have_half_the_slope_until_the_reserve_mends_it():
    found = study(DOUBLED, OTHER_DOUBLED, LABEL, OTHER_LABEL)

    assert at(found, "b")["slope"] == pytest.approx(0.5, abs=0.03)
    assert at(found, "b", "Platt")["slope"] == pytest.approx(1, abs=0.05)
    assert at(found, "b", "Platt")["observed_expected"] == pytest.approx(1, abs=0.02)
    assert at(found, "b", "Platt")["ici"] < at(found, "b")["ici"] / 2


def test_platts_map_is_perfect_on_the_very_cases_that_taught_it():
    found = study(DOUBLED, DOUBLED, LABEL, LABEL)

    plain = calibration(LABEL, TRUE)
    assert at(found, "b")["slope"] == pytest.approx(plain.slope.value / 2)
    row = at(found, "b", "Platt")
    assert (row["slope"], row["intercept"], row["observed_expected"]) == pytest.approx((1, 0, 1), abs=1e-9)


def test_raw_numbers_are_those_of_the_logits():
    row, expected = at(study(), "b"), calibration(SEEN, LOGITS)

    for name in ("slope", "intercept", "calibration_in_the_large", "observed_expected"):
        estimate = getattr(expected, name)
        assert (row[name], row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx(
            (estimate.value, estimate.low, estimate.high)
        )
    for name in ("n_positive", "n_negative", "brier", "brier_scaled", "ici", "e50", "e90", "spiegelhalter_p"):
        assert row[name] == pytest.approx(getattr(expected, name)), name
    assert (row["smoother"], row["method"]) == ("loess span .75", "logistic regression, Wald intervals")


@pytest.mark.parametrize(("name", "fit"), [("Platt", platt), ("isotonic", isotonic)])
def test_recalibrated_numbers_are_those_of_the_mapped_logits(name, fit):
    row = at(study(), "b", name)

    risks = fit(RESERVED, RESERVE).apply(LOGITS)
    assert row["brier"] == pytest.approx(np.mean((risks - SEEN) ** 2))
    assert row["observed_expected"] == pytest.approx(np.mean(SEEN) / risks.mean())


def test_raw_and_recalibrated_stand_side_by_side_outside_the_reserve_only():
    found = calibrated(with_external(LOGITS), {"a": RESERVED, "v": SEEN, "b": SEEN})

    assert found.select("role", "center", "recalibration").rows() == [
        ("reserve", "a", "none"),
        ("reserve", "all", "none"),
        *(("external", center, name) for center in ("b", "all") for name in ("none", "Platt", "isotonic")),
    ]


def test_external_and_validation_labels_teach_the_maps_nothing():
    one, other = {"a": RESERVED, "v": SEEN, "b": SEEN}, {"a": RESERVED, "v": SEEN[::-1], "b": [1, 0, 0] * 5}

    assert maps_of(with_external(LOGITS), one) == maps_of(with_external(LOGITS), other)
    for name in ("Platt", "isotonic"):
        # Prevalence over O:E is the mean risk, whatever the labels.
        rows = [at(calibrated(with_external(LOGITS), truth), "b", name) for truth in (one, other)]
        means = [row["n_positive"] / 15 / row["observed_expected"] for row in rows]
        assert means[0] == pytest.approx(means[1])


def test_external_scores_teach_the_maps_nothing():
    truth = {"a": RESERVED, "v": SEEN, "b": SEEN}

    assert maps_of(with_external(LOGITS), truth) == maps_of(with_external([3 * logit - 1 for logit in LOGITS]), truth)


def test_all_development_centers_teach_one_map():
    table = predictions(
        *logit_series(IMAGENET, "a", RESERVE),
        *logit_series(IMAGENET, "d", LOGITS, role="reserve"),
        *logit_series(IMAGENET, "b", LOGITS, **EXTERNAL),
    )

    found = maps_of(table, {"a": RESERVED, "d": SEEN, "b": SEEN})["Platt"]

    expected = platt(RESERVED + SEEN, RESERVE + LOGITS)
    assert (found.intercept, found.slope) == pytest.approx((expected.intercept, expected.slope))


def test_the_mean_logit_of_the_replicates_is_what_is_mapped():
    table = predictions(
        *logit_series(IMAGENET, "a", [logit + 1 for logit in RESERVE], seed=0),
        *logit_series(IMAGENET, "a", [logit - 1 for logit in RESERVE], seed=1),
    )

    assert maps_of(table, {"a": RESERVED})["Platt"].slope == pytest.approx(platt(RESERVED, RESERVE).slope)


@pytest.mark.parametrize("reserved", [[1] * 20, [1] * 4 + [0] * 16], ids=["one class", "fewer than five of a class"])
def test_a_reserve_that_cannot_teach_leaves_raw_numbers_only(reserved):
    assert set(study(reserved=reserved).filter(role="external")["recalibration"]) == {"none"}


def test_without_a_reserve_numbers_are_raw():
    found = calibrated(predictions(*logit_series(IMAGENET, "b", LOGITS, **EXTERNAL)), {"b": SEEN})

    assert found.select("center", "recalibration").rows() == [("b", "none"), ("all", "none")]


def test_a_perfectly_separated_reserve_has_no_platt_map_but_an_isotonic_one():
    found = study(reserve=sorted(RESERVE), reserved=[0] * 10 + [1] * 10)

    assert set(found.filter(role="external")["recalibration"]) == {"none", "isotonic"}


def test_isotonic_risks_of_zero_and_one_are_flagged_and_still_have_a_brier_score():
    reserve = [-9.0, -8.0, 8.0, 9.0, *RESERVE[4:]]
    reserved = [0, 0, 1, 1, *RESERVED[4:]]
    row = at(study(reserve=reserve, reserved=reserved, logits=[-9.0, 9.0, *LOGITS[2:]]), "b", "isotonic")

    assert isnan(row["slope"])
    assert row["flag"].startswith("infinite logits: ")
    assert 0 < row["brier"] < 1


def test_a_map_that_turns_the_order_around_says_so():
    found = study(reserve=[-logit for logit in DOUBLED], reserved=LABEL)

    assert "Platt: reversed order" in at(found, "b", "Platt")["flag"]
    assert "isotonic: constant probability" in at(found, "b", "isotonic")["flag"]
    assert "reversed" not in at(found, "b")["flag"]


def test_a_center_with_one_class_has_no_row():
    assert set(study(seen=[1] * 15)["role"]) == {"reserve"}


def test_patients_with_several_images_get_a_sandwich():
    row = at(study(change=two_per_patient), "b")

    expected = calibration(SEEN, LOGITS, np.arange(15) // 2)
    assert row["method"].endswith("sums per patient (sandwich)")
    assert (row["slope_low"], row["slope_high"]) == pytest.approx((expected.slope.low, expected.slope.high))


# A detector: no logits; it found nothing in b0 to b3, two of them positive, and in b4 the least that it reports.
FOUND, FOUND_LABEL = [0.0, 0.0, 0.0, 0.0, 0.001, 0.2, 0.3, 0.7, 0.8, 0.9], [0, 0, 1, 1, 0, 1, 1, 0, 1, 1]


def detector(found=FOUND, reserve=FOUND * 2):
    return calibrated(scored({IMAGENET: {"a": reserve, "b": found}}), {"a": FOUND_LABEL * 2, "b": FOUND_LABEL})


def test_images_in_which_a_detector_found_nothing_are_counted_at_the_floor():
    row = at(detector(), "b")

    # Above the floor: four of six positives and one of four negatives.
    assert (row["at_floor"], row["floor_sensitivity"], row["floor_specificity"]) == (5, 4 / 6, 3 / 4)
    assert row["smoother"] == "lowess span 2/3"


def test_they_enter_at_the_floor_and_not_at_infinity():
    row = at(detector(), "b")

    risks = np.maximum(FOUND, 0.001)
    assert row["brier"] == pytest.approx(np.mean((risks - FOUND_LABEL) ** 2))
    assert row["slope"] == pytest.approx(calibration(FOUND_LABEL, np.log(risks / (1 - risks))).slope.value)


def test_a_detector_is_recalibrated_on_the_log_odds_of_its_scores():
    row = at(detector(), "b", "Platt")

    risks = np.maximum(FOUND, 0.001)
    odds = np.log(risks / (1 - risks))
    expected = platt(FOUND_LABEL * 2, list(odds) * 2).apply(odds)
    assert row["brier"] == pytest.approx(np.mean((expected - FOUND_LABEL) ** 2))
    assert row["at_floor"] == 5


def test_a_cell_that_found_something_everywhere_or_has_logits_has_nothing_at_the_floor():
    for found in (detector([max(score, 0.01) for score in FOUND]), study(logits=[-12.0, *LOGITS[1:]])):
        assert at(found, "b")["at_floor"] == 0
        assert isnan(at(found, "b")["floor_sensitivity"])


def test_a_model_that_gives_everyone_the_prevalence_has_a_brier_scaled_of_zero():
    prevalence = float(np.mean(SEEN))
    row = at(study(logits=[log(prevalence / (1 - prevalence))] * 15), "b")

    assert (row["brier_scaled"], row["observed_expected"]) == pytest.approx((0, 1), abs=1e-12)
    assert isnan(row["slope"])
    assert "constant score" in row["flag"]
    assert row["brier"] == pytest.approx(prevalence * (1 - prevalence))
