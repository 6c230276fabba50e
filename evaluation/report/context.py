"""Everything the report is made of, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from datetime import datetime

    from evaluation.comparison.comparing import Comparison
    from evaluation.readers.study import ReaderStudy

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
    "replicates": pl.Int64(),  # whose certificates the row sums up, the least favorable number of each
    "init": pl.String(),
    "source": pl.String(),
    "file": pl.String(),
    "sha256": pl.String(),
    "tensors_loaded": pl.Int64(),
    "tensors_reshaped": pl.Int64(),
    "tensors_missing": pl.Int64(),
    "tensors_left_over": pl.Int64(),
    "share": pl.Float64(),  # of the backbone's tensors, 0 to 1
    "trainable_parameters": pl.Int64(),
    "frozen_parameters": pl.Int64(),
    "optimizer": pl.String(),
    "learning_rate": pl.Float64(),
    "weight_decay": pl.Float64(),
    "pixels": pl.String(),  # where the images lie while the network trains
    "precision": pl.String(),
    "pace": pl.String(),
    "out_of_memory": pl.Int64(),  # times that a batch was computed in smaller parts
    "checked": pl.String(),  # what the certificates of all replicates prove
    "unproven": pl.String(),
    "trained_on": pl.String(),  # modality and anatomy of the source
    "license": pl.String(),
    "commercial_use": pl.String(),  # yes | no | unknown
}
FINDINGS: Schema = {
    "kind": pl.String(),  # alike | start | source
    "first": pl.String(),  # names of the jobs that contradict each other
    "second": pl.String(),
    "sentence": pl.String(),
}
TUNING: Schema = {
    "arm": pl.String(),
    "cell": pl.String(),
    "trials": pl.Int64(),  # planned
    "epochs": pl.Int64(),  # planned, of each trial
    "finished": pl.Int64(),
    "pruned": pl.Int64(),
    "failed": pl.Int64(),
    "epochs_trained": pl.Int64(),  # by all trials together
    "chosen": pl.Int64(),  # number of the trial; null before a replicate is published
    "value": pl.Float64(),
    "hyperparameters": pl.String(),  # the tuned ones that were chosen
    "near_bound": pl.String(),  # names of those within 5 % of a bound of their range
    "rate_low": pl.Float64(),  # range of the learning rate that was searched
    "rate_high": pl.Float64(),
}
TRIALS: Schema = {
    "arm": pl.String(),
    "cell": pl.String(),
    "trial": pl.Int64(),
    "state": pl.String(),  # finished | pruned | failed | not run
    "value": pl.Float64(),
    "epochs_trained": pl.Int64(),
    "chosen": pl.Boolean(),
}
"""All further columns of `trials` are hyperparameters."""
ELASTIC_NETS: Schema = {
    "arm": pl.String(),
    "cell": pl.String(),
    "fold": pl.Int64(),
    "seed": pl.Int64(),
    "C": pl.Float64(),
    "C_at_bound": pl.Boolean(),
    "l1_ratio": pl.Float64(),
    "l1_ratio_at_bound": pl.Boolean(),
    "inner_auc": pl.Float64(),
    "value": pl.Float64(),  # AUC of the fold's validation patients
    "selected": pl.Int64(),  # features with a coefficient
    "converged": pl.Boolean(),
    "training_regions": pl.Int64(),
    "training_patients": pl.Int64(),
    "training_images_without_features": pl.Int64(),
}
COEFFICIENTS: Schema = {
    "cell": pl.String(),
    "feature": pl.String(),
    "kept": pl.Int64(),  # replicates in which it passed the filter of constant and correlated features
    "selected": pl.Int64(),  # replicates in which its coefficient is not 0
    "mean": pl.Float64(),  # log-odds per training deviation, over the replicates that selected it
    "min": pl.Float64(),
    "max": pl.Float64(),
}
RUN_TIMES: Schema = {
    "kind": pl.String(),
    "jobs": pl.Int64(),
    "core_seconds": pl.Float64(),
    "median_seconds": pl.Float64(),
}

FLOW: Schema = {
    "arm": pl.String(),  # null: before any arm chose among the images
    "center": pl.String(),
    "role": pl.String(),  # development | external | pretraining
    # found | quarantined | ingested | other label | without box | used | reserve | fold 0 … | test
    "step": pl.String(),
    "detail": pl.String(),  # reason of a quarantine, names of other labels
    "patients": pl.Int64(),  # null where files are counted
    "images": pl.Int64(),
    "positive": pl.Int64(),  # images; null before an arm chose
    "negative": pl.Int64(),
}
CHANGES: Schema = {
    "when": pl.String(),  # first seen by a sweep or a report; empty if by none yet
    "opened": pl.Boolean(),  # whether the external centers were open then
    "kind": pl.String(),  # cell | recipe | center | analysis | robustness | saliency | readers
    "subject": pl.String(),  # the cell, center, field of the analysis or arm
    "what": pl.String(),
    "in_effect": pl.Boolean(),  # false: taken back since
    "exploratory": pl.String(),  # the results that it makes exploratory
    "sections": pl.String(),  # ids of sections that must say so, joined by ", "
}
VARIANTS: Schema = {
    "variant": pl.String(),
    "kind": pl.String(),  # shift | scale | aspect
    "magnitude": pl.Float64(),
    "draw": pl.Int64(),
}
GALLERY: Schema = {
    "arm": pl.String(),
    "cell": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "image": pl.String(),
    "rule": pl.String(),  # why this image: some of tables/saliency.RULES, joined by "; "
    "kind": pl.String(),  # plain | heated: the radiograph alone, or with the map of the cell
    "label": pl.Int64(),
    "score": pl.Float64(),
    "called": pl.Boolean(),  # positive, at the carried threshold of the first rule; null where nothing was carried
    "boxes": pl.Int64(),  # drawn
    "peak": pl.String(),  # where the map is highest, in words; empty for plain ones
    "picture": pl.Binary(),  # an image file for the page, not exported; null where it may not be shown
    "media_type": pl.String(),
    "width": pl.Int64(),
    "height": pl.Int64(),
}

SCHEMAS: dict[str, Schema] = {
    "cohort": COHORT,
    "quarantine": QUARANTINE,
    "leakage": LEAKAGE,
    "cells": CELLS,
    "left_out": LEFT_OUT,
    "failures": FAILURES,
    "certificates": CERTIFICATES,
    "findings": FINDINGS,
    "tuning": TUNING,
    "trials": TRIALS,
    "elastic_nets": ELASTIC_NETS,
    "coefficients": COEFFICIENTS,
    "run_times": RUN_TIMES,
    "flow": FLOW,
    "changes": CHANGES,
    "variants": VARIANTS,
    "gallery": GALLERY,
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
    findings: pl.DataFrame
    """Certificates that contradict each other: shown on top, because nothing below can be trusted then."""
    tuning: pl.DataFrame
    trials: pl.DataFrame
    elastic_nets: pl.DataFrame
    coefficients: pl.DataFrame
    run_times: pl.DataFrame
    flow: pl.DataFrame
    changes: pl.DataFrame
    """What was changed after the lock."""
    variants: pl.DataFrame
    gallery: pl.DataFrame
    readers: ReaderStudy | None
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
