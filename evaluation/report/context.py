"""Everything the report is made of, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from datetime import datetime

    from evaluation.comparison.comparing import Comparison

Schema = dict[str, pl.DataType]

COHORT: Schema = {
    "center": pl.String(),
    "role": pl.String(),  # development | external
    "label": pl.String(),  # null: the whole center, whatever the label
    "patients": pl.Int64(),
    "images": pl.Int64(),
    "boxes": pl.Int64(),
}
QUARANTINE: Schema = {"center": pl.String(), "reason": pl.String(), "count": pl.Int64(), "files": pl.String()}
LEAKAGE: Schema = {
    "severity": pl.String(),  # stops | warns
    "kind": pl.String(),  # exact | near
    "first": pl.String(),
    "second": pl.String(),
    "count": pl.Int64(),
    "note": pl.String(),
}
CELLS: Schema = {
    "cell": pl.String(),
    "arm": pl.String(),
    "task": pl.String(),
    "backbone": pl.String(),
    "pretraining": pl.String(),
    "init": pl.String(),
    "replicates_planned": pl.Int64(),
    "replicates_finished": pl.Int64(),
    "exploratory": pl.Boolean(),
    "box": pl.String(),  # given | not given
    "tuned": pl.String(),  # the chosen hyperparameters, as text
    "core_seconds": pl.Float64(),  # tuning, fitting and predicting, without pretraining
    "pretrain_core_seconds": pl.Float64(),
    "trials": pl.Int64(),
    "epochs": pl.Int64(),
}
LEFT_OUT: Schema = {"combination": pl.String(), "reason": pl.String()}
FAILURES: Schema = {
    "job": pl.String(),
    "cell": pl.String(),
    "kind": pl.String(),
    "error": pl.String(),
    "blocked": pl.Int64(),  # jobs that could not run because of this one
}
CERTIFICATES: Schema = {
    "cell": pl.String(),
    "tensors_loaded": pl.Int64(),
    "tensors_missing": pl.Int64(),
    "share": pl.Float64(),  # of the backbone's tensors, 0 to 1
    "source": pl.String(),
    "sha256": pl.String(),
    "trainable_parameters": pl.Int64(),
    "frozen_parameters": pl.Int64(),
    "trained_on": pl.String(),  # modality and anatomy of the source
    "license": pl.String(),
    "commercial_use": pl.String(),  # yes | no | unknown
}
RUN_TIMES: Schema = {
    "kind": pl.String(),
    "jobs": pl.Int64(),
    "core_seconds": pl.Float64(),
    "median_seconds": pl.Float64(),
}

SCHEMAS: dict[str, Schema] = {
    "cohort": COHORT,
    "quarantine": QUARANTINE,
    "leakage": LEAKAGE,
    "cells": CELLS,
    "left_out": LEFT_OUT,
    "failures": FAILURES,
    "certificates": CERTIFICATES,
    "run_times": RUN_TIMES,
}
"""Columns of each frame, by the name of the field; use them to build frames, empty ones too."""


@dataclass(frozen=True)
class ReportContext:
    """The facts of one study at one moment; frames have the columns named in SCHEMAS.

    While `external_open` is false, rows of role `external` in `comparison` are shown nowhere and exported nowhere;
    `external_waiting` says why. Raises ValueError if a frame lacks a column.
    """

    study: str
    description: str
    created: datetime
    cohort: pl.DataFrame
    quarantine: pl.DataFrame
    leakage: pl.DataFrame
    cells: pl.DataFrame
    left_out: pl.DataFrame
    failures: pl.DataFrame
    comparison: Comparison
    certificates: pl.DataFrame
    run_times: pl.DataFrame
    environment: dict[str, str]
    lock: dict[str, str]
    notes: list[str]
    external_open: bool
    external_waiting: str

    def __post_init__(self) -> None:
        for name, schema in SCHEMAS.items():
            missing = [column for column in schema if column not in getattr(self, name).columns]
            if missing:
                raise ValueError(f"The report's frame {name!r} lacks {missing}; it needs {list(schema)}.")

    @property
    def arms(self) -> list[str]:
        """Arms in the order of the study."""
        return self.cells["arm"].unique(maintain_order=True).to_list()

    @cached_property
    def by_cell(self) -> dict[str, dict[str, Any]]:
        """The row of `cells` for each cell id."""
        return {row["cell"]: row for row in self.cells.iter_rows(named=True)}

    def cells_of(self, arm: str) -> list[str]:
        """Cell ids of an arm in the order of the study."""
        return self.cells.filter(pl.col("arm") == arm)["cell"].to_list()

    def centers(self, role: str | None = None) -> list[str]:
        """Centers in the order of the cohort, of one role if given."""
        frame = self.cohort if role is None else self.cohort.filter(pl.col("role") == role)
        return frame["center"].unique(maintain_order=True).to_list()

    @cached_property
    def seen(self) -> Comparison:
        """The comparison without what is still sealed; pages and files show nothing else."""
        frames = {one.name: self._unsealed(getattr(self.comparison, one.name)) for one in fields(self.comparison)}
        return replace(self.comparison, **frames)

    def _unsealed(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame if self.external_open else frame.filter(pl.col("role") != "external")
