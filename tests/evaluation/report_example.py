"""A small study for the tests of the report: synthetic frames in the shape that the comparison has."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from math import inf, nan
from typing import Any

import polars as pl

from evaluation.comparison.comparing import SCHEMAS as FRAMES
from evaluation.comparison.comparing import Comparison
from evaluation.comparison.contrasts import CONTRASTS
from evaluation.comparison.curves import ROC
from evaluation.comparison.operating_points import OPERATING_POINTS
from evaluation.comparison.performance import PERFORMANCE
from evaluation.report.context import SCHEMAS, ReportContext
from tests.evaluation import report_flow, report_frames, report_training
from tests.evaluation.report_cells import (
    ARMS,
    AUCS,
    BEST,
    CHEST,
    GRID,
    INCEPTION,
    PLACES,
    RADIOMICS,
    SCRATCH,
    SECOND,
    Row,
    cell_id,
)


def performance() -> pl.DataFrame:
    rows = [_performance_row(point, place) for point in GRID for place in PLACES]
    return pl.DataFrame(rows, schema=PERFORMANCE, orient="row")


def _performance_row(point: tuple[Any, ...], place: tuple[Any, ...]) -> Row:
    arm, backbone, pretraining, init, auc = point
    role, center, positive, negative, shift = place
    value = auc + shift
    row: Row = {"arm": arm, "cell": cell_id(*point[:4]), "backbone": backbone, "pretraining": pretraining, "init": init}
    row |= {"role": role, "center": center, "n_positive": positive, "n_negative": negative}
    row |= {
        "patients": positive + negative,
        "auc": value,
        "se": 0.0122,
        "low": value - 0.024,
        "high": min(1.0, value + 0.024),
    }
    row |= {"method": "DeLong", "auc_naive_low": value - 0.024, "auc_naive_high": min(1.0, value + 0.024), "flag": ""}
    row |= {"single_mean": value - 0.03, "single_sd": 0.011, "single_sd_folds": 0.009, "single_sd_seeds": nan}
    row |= {"single_low": value - 0.06, "single_high": value, "replicates": 3, "replicates_planned": 3}
    row |= {"single_method": "Obuchowski-Rockette, folds as random readers", "best_f1": 0.777}
    row |= {"average_precision": value - 0.1, "average_precision_low": value - 0.15}
    row |= {"average_precision_high": value - 0.05}
    row |= {"complete": True, "exploratory": False}
    if (row["cell"], center) == (SCRATCH, "center_b"):
        row |= dict.fromkeys(("auc", "se", "low", "high", "auc_naive_low", "auc_naive_high"), nan) | {
            "flag": "one class"
        }
    if (arm, center) == ("detection", "all"):
        row |= {
            "method": "clustered (Obuchowski)",
            "auc_naive_low": value - 0.02,
            "auc_naive_high": min(1.0, value + 0.02),
        }
    return row


def contrasts() -> pl.DataFrame:
    pairs = [("primary", "all", BEST, SECOND), ("primary", "all", BEST, INCEPTION)]
    for center in ("center_b", "center_c", "all", "stratified"):
        pairs += [("all pairs", center, *pair) for pair in combinations(AUCS, 2)]
    return pl.DataFrame([_contrast_row(*pair) for pair in pairs], schema=CONTRASTS, orient="row")


def _contrast_row(family: str, center: str, first: str, second: str) -> Row:
    difference = AUCS[first] - AUCS[second]
    one, other = ARMS[first], ARMS[second]
    p = 0.0004 if abs(difference) > 0.06 else 0.37
    row: Row = {"arm": one if one == other else f"{one} vs {other}", "role": "external", "center": center}
    row |= {"first": first, "second": second, "n_positive": 60, "n_negative": 90}
    row |= {"auc_first": AUCS[first], "auc_second": AUCS[second], "difference": difference}
    row |= {"low": difference - 0.028, "high": difference + 0.028, "z": difference / 0.0143, "p": p}
    row |= {"p_adjusted": min(1.0, p * 2), "adjustment": "holm", "family": family, "method": "DeLong"}
    row |= {"flag": "", "note": ""}
    if {first, second} == {INCEPTION, SCRATCH}:
        row |= dict.fromkeys(("difference", "low", "high", "z", "p", "p_adjusted"), nan) | {"flag": "no shared images"}
    return row


def operating_points() -> pl.DataFrame:
    rows = [
        _point_row(cell, role, center, rule, source)
        for cell in AUCS
        for role, center, source in (
            ("reserve", "all", "reserve"),
            ("external", "center_b", "reserve"),
            ("external", "center_b", "test"),
            ("external", "center_c", "reserve"),
            ("external", "all", "reserve"),
            ("external", "all", "test"),
        )
        for rule in ("sensitivity>=0.90", "specificity>=0.90", "youden")
    ]
    return pl.DataFrame(rows, schema=OPERATING_POINTS, orient="row")


def _point_row(cell: str, role: str, center: str, rule: str, source: str) -> Row:
    row: Row = {"arm": ARMS[cell], "cell": cell, "role": role, "center": center, "rule": rule, "source": source}
    row |= {"threshold": inf if rule == "specificity>=0.90" and cell == RADIOMICS else 0.4137}
    row |= {
        "tp": 54,
        "fp": 23,
        "fn": 6,
        "tn": 67,
        "sensitivity": 0.9,
        "sensitivity_low": 0.795,
        "sensitivity_high": 0.962,
    }
    row |= {"specificity": 67 / 90, "specificity_low": 0.642, "specificity_high": 0.831}
    row |= {"ppv": 54 / 77, "ppv_low": 0.586, "ppv_high": 0.800, "npv": 67 / 73, "npv_low": 0.830, "npv_high": 0.969}
    row |= {"lr_positive": 3.52, "lr_positive_low": 2.47, "lr_positive_high": 5.03}
    return row | {"lr_negative": 0.13, "lr_negative_low": 0.06, "lr_negative_high": 0.29, "f1": 0.788}


def roc() -> pl.DataFrame:
    rows = []
    for cell, auc in AUCS.items():
        power = auc / (1 - auc)  # tpr = fpr ** (1 / power) has this AUC
        for role, center, *_ in PLACES:
            if center != "stratified":
                rows += [(ARMS[cell], cell, role, center, inf, 0.0, 0.0)]
                rows += [
                    (ARMS[cell], cell, role, center, 1 - i / 40, i / 40, (i / 40) ** (1 / power)) for i in range(1, 41)
                ]
    return pl.DataFrame(rows, schema=ROC, orient="row")


def comparison() -> Comparison:
    return replace(
        no_comparison(),
        performance=performance(),
        operating_points=operating_points(),
        contrasts=contrasts(),
        roc=roc(),
        **report_frames.frames(),
    )


def no_comparison() -> Comparison:
    return Comparison(**{name: pl.DataFrame(schema=schema) for name, schema in FRAMES.items()})


def cells() -> pl.DataFrame:
    rows = [
        {
            "cell": cell_id(arm, backbone, pretraining, init),
            "arm": arm,
            "task": arm,
            "backbone": backbone,
            "pretraining": pretraining,
            "init": init,
            "replicates_planned": 3,
            "replicates_finished": 2 if pretraining == "chest" else 3,
            "exploratory": backbone == "inception_v3",
            "box": "not given" if arm == "detection" else "given",
            "tuned": "lr=0.0021, weight_decay=0.01" if arm != "radiomics" else "",
            "core_seconds": 5400.0,
            "pretrain_core_seconds": 950.0 if pretraining == "chest" else 0.0,
            "trials": 16,
            "epochs": 50,
        }
        for arm, backbone, pretraining, init, _ in GRID
    ]
    return pl.DataFrame(rows, schema=SCHEMAS["cells"])


def cohort() -> pl.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for center, role, malignant in (
        ("center_a", "development", 188),
        ("center_b", "external", 25),
        ("center_c", "external", 35),
    ):
        rows.append((center, role, None, 2 * malignant, 2 * malignant + 31, malignant + 4))
        rows.append((center, role, "malignant", malignant, malignant + 11, malignant + 4))
        rows.append((center, role, "benign", malignant, malignant + 20, 0))
    return frame("cohort", *rows)


def frame(name: str, *rows: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMAS[name], orient="row")


def example(**changes: Any) -> ReportContext:
    """A finished study with three arms and two opened external centers."""
    return replace(_finished(), **changes)


def _finished() -> ReportContext:
    return ReportContext(
        study="bone-tumors",
        description="Does it pay to start from medical images?",
        created=datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
        cohort=cohort(),
        quarantine=frame("quarantine", ("center_b", "not a radiograph: SOP class CT", 2, "7/a.dcm, 7/b.dcm")),
        leakage=frame("leakage", ("warns", "near", "center_a", "chest", 3, "")),
        cells=cells(),
        left_out=frame("left_out", ("resnet50 × none × transfer", "there is nothing to transfer from")),
        failures=frame("failures", ("9f" * 16, CHEST, "fit", "RuntimeError: CUDA out of memory", 2)),
        comparison=comparison(),
        **report_training.frames(),
        run_times=frame("run_times", ("fit", 20, 32000.5, 1580.0), ("predict", 60, 95.0, 1.4)),
        flow=frame("flow", *report_flow.rows()),
        changes=frame("changes"),
        variants=frame("variants"),
        gallery=frame("gallery"),
        readers=None,
        environment={"python": "3.11.9", "torch": "2.15.0", "commit": "0123abc"},
        lock={"locked at": "2026-03-01 09:00", "plan hash": "c0ffee", "external opened at": "2026-03-03 21:14"},
        notes=[],
        external_open=True,
        external_waiting="",
    )


def unstarted() -> ReportContext:
    """A study of which nothing exists but its name."""
    frames = {name: pl.DataFrame(schema=schema) for name, schema in SCHEMAS.items()}
    empty: dict[str, Any] = {"environment": {}, "lock": {}, "comparison": no_comparison(), "description": ""}
    return example(**frames, **empty, external_open=False, external_waiting="no locked fit has finished")
