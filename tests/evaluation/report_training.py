"""Synthetic frames of trainings for the tests of the report: certificates, tuning and radiomics."""

from __future__ import annotations

from typing import Any

import polars as pl

from evaluation.report.context import SCHEMAS
from tests.evaluation.report_cells import BEST, CHEST, DETECTOR, RADIOMICS, SCRATCH, Row

SENTENCE = "t0 and t1 ended with the same weights, although they were given learning rate 0.001 and 0.01."


def frames() -> dict[str, pl.DataFrame]:
    """The frames by the name of their field; `trials` has a column more for each hyperparameter."""
    rows = {
        "certificates": [certificate()],
        "tuning": [tuning(BEST), tuning(SCRATCH, near_bound="learning_rate"), tuning(CHEST), tuning(DETECTOR)],
        "elastic_nets": [elastic_net(0), elastic_net(1, C=1.0, C_at_bound=True)],
        "coefficients": coefficients(),
    }
    built = {name: pl.DataFrame(rows.get(name, []), schema=SCHEMAS[name]) for name in (*rows, "findings")}
    return built | {"trials": trials()}


def finding() -> pl.DataFrame:
    row = {"kind": "alike", "first": "t0", "second": "t1", "sentence": SENTENCE}
    return pl.DataFrame([row], schema=SCHEMAS["findings"])


def certificate(**changes: Any) -> Row:
    row = {"cell": BEST, "replicates": 3, "init": "transfer", "source": "radimagenet", "file": "ResNet50.pt"}
    row |= {"sha256": "ab12" * 16, "tensors_loaded": 318, "tensors_reshaped": 1, "tensors_missing": 2}
    row |= {"tensors_left_over": 0, "share": 318 / 320, "trainable_parameters": 2_049_000, "frozen_parameters": 0}
    row |= {"optimizer": "AdamW", "learning_rate": 0.0021, "weight_decay": 0.01, "pixels": "cuda:0"}
    row |= {"precision": "bfloat16", "pace": "channels last", "out_of_memory": 0}
    row |= {"checked": "rate read back; trained weights moved", "unproven": ""}
    row |= {"trained_on": "CT, MR and ultrasound, whole body", "license": "on request", "commercial_use": "unknown"}
    return row | changes


def tuning(cell: str, **changes: Any) -> Row:
    row = {"arm": cell.split("/")[0], "cell": cell, "trials": 16, "epochs": 20, "finished": 14, "pruned": 2}
    row |= {"failed": 0, "epochs_trained": 290, "chosen": 3, "value": 0.81, "near_bound": ""}
    row |= {"hyperparameters": "learning_rate 0.0021, weight_decay 0.01", "rate_low": 1e-5, "rate_high": 1e-1}
    return row | changes


def trials() -> pl.DataFrame:
    ends = [("finished", 0.71, 20), ("finished", 0.81, 20), ("pruned", 0.55, 5), ("failed", None, 0)]
    rows = [
        {
            "arm": "classification",
            "cell": cell,
            "trial": number,
            "state": state,
            "value": value,
            "epochs_trained": epochs,
            "chosen": number == 1,
            "learning_rate": 10.0 ** (-number - 1),
            "schedule": "cosine" if number else "linear",
            "mosaic": None,
        }
        for cell in (BEST, SCRATCH)
        for number, (state, value, epochs) in enumerate(ends)
    ]
    tried = {"learning_rate": pl.Float64(), "schedule": pl.String(), "mosaic": pl.Float64()}
    return pl.DataFrame(rows, schema={**SCHEMAS["trials"], **tried})


def elastic_net(fold: int, **changes: Any) -> Row:
    row: Row = {"arm": "radiomics", "cell": RADIOMICS, "fold": fold, "seed": 0, "C": 0.1, "C_at_bound": False}
    row |= {"l1_ratio": 0.5, "l1_ratio_at_bound": False, "inner_auc": 0.71, "value": 0.68, "selected": 2}
    row |= {"converged": True, "training_regions": 120, "training_patients": 110}
    return row | {"training_images_without_features": 1} | changes


def coefficients() -> list[Row]:
    told = [
        ("cm_contrast", 2, 0.41, 0.3, 0.52),
        ("stat_mean", 1, -0.2, -0.2, -0.2),
        ("ih_entropy", 0, None, None, None),
    ]
    names = ("feature", "selected", "mean", "min", "max")
    return [{"cell": RADIOMICS, "kept": 2, **dict(zip(names, row, strict=True))} for row in told]
