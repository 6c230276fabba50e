"""What a patient is for in one fold; apart from the dealing, so that a job needs no scikit-learn to read it."""

from __future__ import annotations

import polars as pl

RESERVE, ALWAYS_TRAINED = -1, -2


def roles(folds: pl.DataFrame, fold: int) -> pl.DataFrame:
    """patient, role (train | validation | reserve) in one fold of `assign_folds`."""
    if not (folds["fold"] == fold).any():
        raise ValueError(f"no patient is validated in fold {fold}; folds are {sorted(set(folds['fold']) - {-1, -2})}")
    role = (
        pl.when(pl.col("fold") == RESERVE)
        .then(pl.lit("reserve"))
        .when(pl.col("fold") == fold)
        .then(pl.lit("validation"))
        .otherwise(pl.lit("train"))
    )
    return folds.select("patient", role.alias("role"))
