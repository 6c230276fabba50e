"""What the report of a simulated study says beside its statistics, so that the page is as large as a real one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from benchmarks.simulated.large import DEVELOPMENT, Large
from evaluation.report.context import SCHEMAS, ReportContext

if TYPE_CHECKING:
    from evaluation.comparison.comparing import Comparison

Row = dict[str, Any]
TRIALS, EPOCHS = 16, 50
RATES = (1e-5, 1e-1)


def facts(study: Large, comparison: Comparison) -> ReportContext:
    """Cohort, budgets, certificates and trials of every cell; nothing failed."""
    random = np.random.default_rng(1)
    frames: Mapping[str, list[Row]] = {
        "cohort": list(_cohort(study)),
        "cells": [row | _BUDGET for row in study.cells.iter_rows(named=True)],
        "certificates": [_certificate(row) for row in study.cells.iter_rows(named=True)],
        "tuning": [_tuning(row) for row in study.cells.iter_rows(named=True)],
        "run_times": [{"kind": kind, "jobs": 960, "core_seconds": 86400.0, "median_seconds": 90.0} for kind in _KINDS],
    }
    built: dict[str, Any] = {name: pl.DataFrame(frames.get(name, []), schema=SCHEMAS[name]) for name in SCHEMAS}
    built |= {"trials": _trials(random, study), "variants": study.further.variants}
    return ReportContext(
        study="large",
        description="Simulated: 60 cells on five centers of 2,000 images each.",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        comparison=comparison,
        readers=None,
        environment={"command": "python benchmarks/reporting.py"},
        lock={"locked at": "2026-01-01", "plan hash": "c0ffee", "external centers opened at": "2026-01-01"},
        notes=[],
        external_open=True,
        external_waiting="",
        **built,
    )


_KINDS = ("tune", "fit", "predict")
_BUDGET: Row = {
    "replicates_finished": 3,
    "tuned": "learning_rate 0.0021, weight_decay 0.01",
    "core_seconds": 5400.0,
    "pretrain_core_seconds": 0.0,
    "trials": TRIALS,
    "epochs": EPOCHS,
}


def _cohort(study: Large) -> Iterator[Row]:
    images = study.labels.unique(["center", "image"]).sort("center")
    for (center,), part in images.group_by("center", maintain_order=True):
        role = "development" if center == DEVELOPMENT else "external"
        for label, some in (
            (None, part),
            ("malignant", part.filter(pl.col("label") == 1)),
            ("benign", part.filter(pl.col("label") == 0)),
        ):
            counts = {"patients": some.height, "images": some.height, "boxes": some.height}
            yield {"center": center, "role": role, "label": label, **counts}


def _certificate(cell: Row) -> Row:
    started = cell["init"] != "scratch"
    return {
        "cell": cell["cell"],
        "replicates": 3,
        "init": cell["init"],
        "source": cell["pretraining"],
        "file": f"{cell['pretraining']}-{cell['backbone']}.safetensors" if started else "",
        "sha256": "ab12" * 16 if started else "",
        "tensors_loaded": 318 * started,
        "tensors_reshaped": 0,
        "tensors_missing": 0,
        "tensors_left_over": 2,
        "share": float(started),
        "trainable_parameters": 23_500_000,
        "frozen_parameters": 0,
        "optimizer": "AdamW",
        "learning_rate": 0.0021,
        "weight_decay": 0.01,
        "pixels": "cuda:0",
        "precision": "bfloat16",
        "pace": "channels last",
        "out_of_memory": 0,
        "checked": "rate read back; trained weights moved",
        "unproven": "",
        "trained_on": "radiograph, chest",
        "license": "unknown",
        "commercial_use": "unknown",
    }


def _tuning(cell: Row) -> Row:
    counts = {"trials": TRIALS, "epochs": 20, "finished": 12, "pruned": 4, "failed": 0, "epochs_trained": 270}
    chosen = {"chosen": 3, "value": 0.81, "hyperparameters": _BUDGET["tuned"], "near_bound": ""}
    return {"arm": cell["arm"], "cell": cell["cell"], **counts, **chosen, "rate_low": RATES[0], "rate_high": RATES[1]}


def _trials(random: np.random.Generator, study: Large) -> pl.DataFrame:
    rows = study.cells.select("arm", "cell").join(pl.DataFrame({"trial": range(TRIALS)}), how="cross")
    count = rows.height
    return rows.with_columns(
        state=pl.lit("finished"),
        value=pl.Series(random.uniform(0.5, 0.85, count)),
        epochs_trained=pl.lit(20, pl.Int64),
        chosen=pl.col("trial") == 3,
        learning_rate=pl.Series(10 ** random.uniform(-5, -1, count)),
        weight_decay=pl.Series(10 ** random.uniform(-5, -1, count)),
        schedule=pl.Series(random.choice(["cosine", "linear"], count)),
    )
