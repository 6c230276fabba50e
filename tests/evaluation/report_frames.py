"""Synthetic frames of the comparison for the tests of the report: everything beside AUCs, contrasts and ROC curves."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from math import nan
from typing import Any

import polars as pl

from evaluation.comparison.comparing import SCHEMAS
from tests.evaluation.report_cells import ARMS, AUCS, BEST, CHEST, DETECTOR, INCEPTION, PLACES, SCRATCH, SECOND, Row

OR = "Obuchowski-Rockette, folds as random readers"
CASES_ONLY = "DeLong, case uncertainty only"
BLANK: dict[pl.DataType, Any] = {pl.Float64(): nan, pl.Int64(): 0, pl.String(): "", pl.Boolean(): False}
WHERE = [(role, center) for role, center, *_ in PLACES if center != "stratified"]
PAIRS = ((BEST, SECOND), (BEST, INCEPTION))
CURVES = ("roc", "precision-recall")


def frames() -> dict[str, pl.DataFrame]:
    """The frames by the name of their field."""
    makers = (effects, decisions, calibration, decision_curves, net_benefit, heterogeneity, center_probe, subgroups)
    more = (curve_bands, calibration_curves, precision_recall, localization, froc, stability, stability_pairs)
    mapped = (saliency, saliency_pairs)
    return {make.__name__: built(make.__name__, make()) for make in (*makers, *more, *mapped)}


def built(name: str, rows: Iterable[Row]) -> pl.DataFrame:
    """Rows with the columns of a frame; what is not given is NaN, 0 or empty, as in the comparison."""
    blank = {column: BLANK[kind] for column, kind in SCHEMAS[name].items()}
    return pl.DataFrame([blank | row for row in rows], schema=SCHEMAS[name], orient="row")


def effects() -> Iterable[Row]:
    for role, center, positive, negative, _ in PLACES:
        here = {"role": role, "center": center, "n_positive": positive, "n_negative": negative}
        for first, second in PAIRS:
            gap = AUCS[first] - AUCS[second]
            both = {"auc_first": AUCS[first] - 0.03, "auc_second": AUCS[second] - 0.03}
            yield here | both | _contrast("pair", first, second, gap, "resnet50") | _family(here)
        payoff = {"without": "inception_v3", "auc_first": 0.708, "auc_second": 0.572, "interaction_p": nan}
        yield here | _contrast("payoff", "radimagenet-transfer", "scratch", 0.136, "resnet50") | payoff | _family(here)
        source = {"auc_first": 0.643, "auc_second": 0.708, "interaction_p": 0.21, "interaction_backbone": "resnet50"}
        both_backbones = "resnet50, inception_v3"
        yield here | _contrast("source", "imagenet", "radimagenet", -0.065, both_backbones) | source


def _contrast(kind: str, first: str, second: str, difference: float, backbones: str) -> Row:
    few = second == INCEPTION
    row: Row = {"family": kind, "effect": kind, "arm": "classification", "first": first, "second": second}
    row |= {"difference": difference, "low": difference - 0.028, "high": difference + 0.028, "se": 0.014, "df": 41.0}
    row |= {"p": 0.0004, "p_adjusted": 0.0008, "adjustment": "holm", "se_cases": 0.012, "sd_replicates": 0.009}
    row |= {"aggregate_method": "DeLong", "units": 2 if few else 3}
    row |= {"replicates": 2 if few else 3, "method": CASES_ONLY if few else OR, "backbones": backbones}
    row |= {"aggregate_difference": difference, "aggregate_low": difference - 0.02}
    row |= {"aggregate_high": difference + 0.02, "aggregate_p": 0.0002}
    return row | {"flag": "fewer than 3 replicates" if few else ""}


def _family(here: Row) -> Row:
    if (here["role"], here["center"]) != ("external", "all"):
        return {}
    return {
        "family": "primary",
        "bootstrap_low": 0.03,
        "bootstrap_high": 0.1,
        "bootstrap_p": 0.003,
        "bootstrap": "two-way bootstrap",
    }


def decisions() -> Iterable[Row]:
    tests = {
        "sensitivity": ("McNemar mid-p", "McNemar exact", "McNemar chi2", "McNemar chi2, continuity-corrected"),
        "specificity": ("McNemar mid-p", "McNemar exact", "McNemar chi2", "McNemar chi2, continuity-corrected"),
        "ppv": ("bootstrap of cases", "generalized score (Leisenring)", "weighted generalized score (Kosinski)"),
        "npv": ("bootstrap of cases", "generalized score (Leisenring)", "weighted generalized score (Kosinski)"),
    }
    families = [("planned pairs", *pair) for pair in PAIRS] + [("all pairs", SECOND, SCRATCH)]
    rules = ("sensitivity>=0.90", "youden")
    for (role, center), source, rule, (family, first, second) in product(WHERE, ("reserve", "test"), rules, families):
        if (role, source) == ("reserve", "test"):
            continue
        row: Row = {"arm": "classification", "role": role, "center": center, "first": first, "second": second}
        row |= {"rule": rule, "source": source, "n_positive": 60, "n_negative": 90}
        row |= {"value_first": 0.85, "value_second": 0.75, "difference": 0.1, "low": 0.01, "high": 0.19}
        for metric, (planned, *others) in tests.items():
            interval = "Tango score" if metric in ("sensitivity", "specificity") else planned
            found = row | {"metric": metric, "interval": interval, "only_first": 9, "only_second": 3}
            adjusted = {"p": 0.031, "p_adjusted": 0.062, "adjustment": "holm", "test": planned, "family": family}
            yield found | adjusted
            if family == "planned pairs":
                yield from (
                    found | {"p": 0.045, "p_adjusted": nan, "test": test, "family": "other test"} for test in others
                )


def calibration() -> Iterable[Row]:
    for (role, center), cell in product(WHERE, AUCS):
        for name in ("none", "Platt", "isotonic") if role == "external" else ("none",):
            row: Row = {"arm": ARMS[cell], "cell": cell, "role": role, "center": center, "recalibration": name}
            row |= {"n_positive": 60, "n_negative": 90, "brier": 0.21, "brier_scaled": 0.12}
            row |= {"observed_expected": 0.8, "observed_expected_low": 0.7, "observed_expected_high": 0.9}
            row |= {"ici": 0.1, "e50": 0.09, "e90": 0.2, "smoother": "loess span .75", "method": "Wald intervals"}
            if name == "isotonic":
                row |= {"flag": f"infinite logits: {len(cell)}"}
            else:
                row |= {"slope": 1.2, "slope_low": -0.1, "slope_high": 1.5, "intercept": -0.4, "intercept_low": -0.7}
                row |= {"intercept_high": -0.1, "calibration_in_the_large": 0.1}
            if ARMS[cell] == "detection":
                row |= {"at_floor": 4, "floor_sensitivity": 0.95, "floor_specificity": 0.1}
            yield row


def decision_curves() -> Iterable[Row]:
    for (role, center), cell, risk in product(WHERE, AUCS, (0.1, 0.2, 0.5)):
        for name in ("none", "Platt") if role == "external" else ("none",):
            row: Row = {"arm": ARMS[cell], "cell": cell, "role": role, "center": center, "recalibration": name}
            yield row | {"threshold": risk, "net_benefit": 0.4 - risk / 2, "treat_all": 0.4 - risk, "treat_none": 0.0}


def net_benefit() -> Iterable[Row]:
    for (role, center), pair, risk in product(WHERE, PAIRS, (0.1, 0.125)):
        for name in ("none", "Platt") if role == "external" else ("none",):
            row: Row = {"arm": "classification", "role": role, "center": center, "recalibration": name}
            row |= {"first": pair[0], "second": pair[1], "threshold": risk, "net_benefit_first": 0.35}
            row |= {"net_benefit_second": 0.34, "difference": 0.01, "low": -0.01, "high": 0.03}
            yield row | {"method": "percentile bootstrap of cases", "flag": ""}


def heterogeneity() -> Iterable[Row]:
    shown = "random effects (REML), Hartung-Knapp"
    contrasts = [("pair", *pair) for pair in PAIRS] + [("payoff", "radimagenet-transfer", "scratch")]
    wholes = [("auc", scale, cell, "", ARMS[cell]) for cell in AUCS for scale in ("raw", "logit")]
    wholes += [(kind, "raw", first, second, "classification") for kind, first, second in contrasts]
    for kind, scale, first, second, arm in wholes:
        row: Row = {"arm": arm, "role": "external", "measure": kind, "first": first, "second": second, "scale": scale}
        value = 0.7 if kind == "auc" else 0.05
        row |= {"estimate": value, "low": value - 0.1, "high": value + 0.1, "p": 0.02, "tau2": 0.0004, "i2": 0.081}
        row |= {"q": 1.08, "q_p": 0.3, "prediction_low": value - 0.2, "prediction_high": value + 0.2, "centers": 2}
        ending = ", logit scale" if scale == "logit" else ""
        yield row | {"method": f"random effects (DerSimonian-Laird), normal{ending}", "tau2": 0.09}
        ending += "" if kind == "auc" else ", given these replicates"
        yield row | {"method": f"{shown}{ending}"}
        for center in ("center_b", "center_c"):
            yield row | {"method": f"{shown}{ending}", "left_out": center, "centers": 1, "flag": "one center"}


def center_probe() -> Iterable[Row]:
    for cell in AUCS:
        row: Row = {"arm": ARMS[cell], "cell": cell, "role": "external", "centers": 2, "cases": 150, "auc": 0.61}
        yield row | {"balanced_accuracy": 0.58, "chance": 0.5, "p": 0.01, "method": "linear discriminant analysis"}


def subgroups() -> Iterable[Row]:
    groups = {"age": ("20 to under 40 years", "60 years and over", "under 20 years"), "sex": ("female", "male")}
    for cell, rule in product(AUCS, ("sensitivity>=0.90", "youden")):
        for attribute, group in ((name, group) for name, found in groups.items() for group in found):
            row: Row = {"arm": ARMS[cell], "cell": cell, "role": "external", "attribute": attribute, "group": group}
            row |= {"rule": rule, "source": "reserve", "interaction_p": 0.4, "n_positive": 30, "n_negative": 45}
            if group == "under 20 years":
                yield row | {"n_positive": 3, "flag": "suppressed: fewer than 10 positives or negatives"}
            else:
                row |= {"auc": 0.7, "low": 0.6, "high": 0.8, "sensitivity": 0.9, "sensitivity_low": 0.8}
                row |= {"sensitivity_high": 0.95, "specificity": 0.5, "specificity_low": 0.4}
                yield row | {"specificity_high": 0.6}


def precision_recall() -> Iterable[Row]:
    for cell, role in product(AUCS, ("external", "reserve")):
        row: Row = {"arm": ARMS[cell], "cell": cell, "role": role, "center": "all", "threshold": 0.5}
        yield row | {"recall": 0.5, "precision": 0.8}


def curve_bands() -> Iterable[Row]:
    for cell, role, kind, at in product((BEST, SECOND), ("external", "reserve"), CURVES, (0.5, 1.0)):
        row: Row = {"arm": ARMS[cell], "cell": cell, "role": role, "center": "all", "curve": kind, "at": at}
        yield row | {"value": 0.8, "low": 0.7, "high": 0.9, "n_positive": 60, "n_negative": 90, "method": "percentile"}


def calibration_curves() -> Iterable[Row]:
    for cell, role in product(AUCS, ("external", "reserve")):
        row: Row = {"arm": ARMS[cell], "cell": cell, "role": role, "center": "all", "recalibration": "none"}
        for at in (0.2, 0.6):
            yield row | {"part": "curve", "predicted": at, "observed": at + 0.1, "low": at, "high": at + 0.2, "n": 150}
            yield row | {"part": "histogram", "predicted": at, "n": 75, "n_positive": 30}
        group = {"predicted": 0.4, "observed": 0.5, "low": 0.3, "high": 0.7, "n": 14, "n_positive": 7}
        yield row | group | {"part": "group"}
        if role == "external":
            yield row | {"part": "curve", "recalibration": "Platt", "predicted": 0.3, "observed": 0.3, "low": nan}


def localization() -> Iterable[Row]:
    for (role, center), cell in product(WHERE, (CHEST, DETECTOR)):
        row: Row = {"arm": "detection", "cell": cell, "role": role, "center": center, "images": 150}
        row |= {"lesion_free_images": 90, "lesions": 70, "replicates": 3, "minimum_iou": 0.5, "map50": 0.61}
        row |= {"map50_sd": 0.02, "sensitivity_at_1_4": 0.55, "wafroc": 0.7, "wafroc_se": 0.03, "method": "means"}
        yield row


def froc() -> Iterable[Row]:
    for (role, center), cell in product(WHERE, (CHEST, DETECTOR)):
        row: Row = {"arm": "detection", "cell": cell, "role": role, "center": center, "false_positives": 0.25}
        yield row | {"sensitivity": 0.55, "sensitivity_sd": 0.03, "replicates": 3}


def stability() -> Iterable[Row]:
    for (role, center), cell, kind in product(WHERE, (BEST, SECOND), ("noise", "shift")):
        row: Row = {"arm": "classification", "cell": cell, "role": role, "center": center, "kind": kind}
        row |= {"variant": f"{kind} 0.1", "magnitude": 0.1, "draws": 3, "n_positive": 60, "n_negative": 90}
        row |= {"images": 150, "images_scored": 900}
        row |= {"auc": 0.72, "auc_original": 0.738, "difference": -0.018, "low": -0.03, "high": -0.006, "p": 0.004}
        row |= {"mean_change": 0.04, "flips": 0.07, "decision_flips": 0.05, "decision_flips_positive": 0.03}
        yield row | {"decision_flips_negative": 0.06, "icc": 0.93, "icc_agreement": 0.92, "method": "DeLong; ICC(3,1)"}


def stability_pairs() -> Iterable[Row]:
    for (role, center), kind in product(WHERE, ("noise 0.1", "shift 0.1", "all")):
        row: Row = {"arm": "classification", "role": role, "center": center, "variant": kind, "kind": kind}
        row |= {"images": 150, "patients": 140, "mean_change_first": 0.04}
        row |= {"relative_first": 0.31, "relative_second": 0.26, "relative_difference": 0.05, "relative_p": 0.02}
        row |= {"mean_change_second": 0.05, "difference": -0.01, "low": -0.02, "high": 0.0, "p": 0.04}
        row |= {"p_adjusted": 0.08, "adjustment": "holm", "method": "Wilcoxon signed-rank, exact"}
        source = {"first": "radimagenet", "second": "imagenet", "backbones": "resnet50, inception_v3"}
        yield row | source | {"family": "planned effects", "effect": "source"}
        payoff = {"first": "imagenet-transfer", "second": "scratch", "backbones": "resnet50", "without": "inception_v3"}
        yield row | payoff | {"family": "payoff", "effect": "payoff"}
        yield row | {"first": PAIRS[0][0], "second": PAIRS[0][1], "family": "planned pairs", "effect": "pair"}
        yield row | {"first": SECOND, "second": SCRATCH, "family": "all pairs", "effect": "pair"}


def saliency() -> Iterable[Row]:
    for (role, center), cell in product(WHERE, (BEST, SECOND)):
        row: Row = {"arm": "classification", "cell": cell, "role": role, "center": center, "decisions": "all"}
        row |= {"maps": 40, "images": 38, "patients": 30, "chance": 0.21, "chance_pointing": 0.25, "grid": "7 × 7"}
        row |= {"pointing": 0.75, "pointing_low": 0.6, "pointing_high": 0.87, "randomized": 0.12, "replicates": 3.0}
        row |= {"energy": 0.44, "energy_low": 0.4, "energy_high": 0.48, "iou_50": 0.3}
        yield row | {"method": "pointing: Clopper-Pearson; energy: normal"}


def saliency_pairs() -> Iterable[Row]:
    for (role, center), measure in product(WHERE, ("pointing", "energy")):
        row: Row = {"arm": "classification", "role": role, "center": center, "measure": measure}
        row |= {"first": BEST, "second": SECOND, "maps": 40, "patients": 30, "value_first": 0.75, "value_second": 0.5}
        row |= {"difference": 0.25, "low": 0.1, "high": 0.4, "p": 0.003, "p_adjusted": 0.006, "adjustment": "holm"}
        yield row | {"method": "McNemar mid-p; Tango score"}
