"""The frames of a reader study that a report shows, as schemas."""

from __future__ import annotations

from typing import Any

import polars as pl

Schema = dict[str, pl.DataType]

_INTERVAL: Schema = {"se": pl.Float64(), "low": pl.Float64(), "high": pl.Float64()}
_HOW: Schema = {"method": pl.String(), "flag": pl.String()}
_SAMPLE: Schema = {"readers": pl.String(), "cases": pl.String()}
_T_INTERVAL: Schema = {"se": pl.Float64(), "df": pl.Float64(), "low": pl.Float64(), "high": pl.Float64()}

AREAS: Schema = {
    "reader": pl.String(),
    "modality": pl.String(),
    "n_positive": pl.Int64(),
    "n_negative": pl.Int64(),
    "auc": pl.Float64(),
    **_INTERVAL,
    **_HOW,
}
"""Each reader's AUC in each modality."""

CHANGES: Schema = {
    "reader": pl.String(),
    "modality": pl.String(),
    "reference": pl.String(),
    "auc": pl.Float64(),
    "reference_auc": pl.Float64(),
    "difference": pl.Float64(),
    **_INTERVAL,
    "z": pl.Float64(),
    "p": pl.Float64(),
    "p_adjusted": pl.Float64(),
    **_HOW,
}
"""Each reader's AUC in a modality minus that in the reference modality; p_adjusted is Holm's over the readers."""

ABOUT: Schema = {"reader": pl.String(), "experience": pl.String(), "group": pl.String()}
"""What the ratings say of each reader; null where they say nothing."""

GROUPS: Schema = {
    "by": pl.String(),  # experience | group
    "value": pl.String(),
    "modality": pl.String(),
    "reference": pl.String(),
    "n_readers": pl.Int64(),
    **_SAMPLE,
    "difference": pl.Float64(),
    **_T_INTERVAL,
    "t": pl.Float64(),
    "p": pl.Float64(),
    **_HOW,
}
"""The change averaged over the readers of a group, one row for each value that is shared by some readers."""

OPERATING_POINTS: Schema = {
    "reader": pl.String(),
    "modality": pl.String(),
    "threshold": pl.Float64(),
    **{count: pl.Int64() for count in ("tp", "fp", "fn", "tn")},
    **{f"sensitivity{end}": pl.Float64() for end in ("", "_low", "_high")},
    **{f"specificity{end}": pl.Float64() for end in ("", "_low", "_high")},
}
"""Each reader at the rating threshold, positive meaning rating >= threshold; Clopper-Pearson intervals."""

OVERALL: Schema = {
    **_SAMPLE,
    "statistic": pl.Float64(),
    "df1": pl.Int64(),
    "df2": pl.Float64(),
    "p": pl.Float64(),
    **_HOW,
}
"""F tests that all modalities have the same mean AUC, by what is a random sample."""

DIFFERENCES: Schema = {
    **_SAMPLE,
    "first": pl.String(),
    "second": pl.String(),
    "difference": pl.Float64(),
    **_T_INTERVAL,
    "t": pl.Float64(),
    "p": pl.Float64(),
    **_HOW,
}
"""Pairs of modalities, averaged over readers, first minus second."""

MEANS: Schema = {**_SAMPLE, "modality": pl.String(), "auc": pl.Float64(), **_T_INTERVAL, **_HOW}
"""Each modality's AUC averaged over readers."""

AGREEMENT: Schema = {
    "modality": pl.String(),
    "first": pl.String(),
    "second": pl.String(),
    "of": pl.String(),
    "weights": pl.String(),
    "kappa": pl.Float64(),
    **_INTERVAL,
    "cases": pl.Int64(),
    **_HOW,
}
"""Cohen's kappa of two readers: of their ratings, and of their decisions where a threshold is given."""


def frame(rows: list[dict[str, Any]], schema: Schema) -> pl.DataFrame:
    """The rows in the schema's columns; what else a row holds is left out."""
    return pl.DataFrame([{column: row[column] for column in schema} for row in rows], schema=schema)
