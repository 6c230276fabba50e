"""The tables that predict jobs publish, as schemas, and the check that every reader makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from search_spaces.errors import StudyError

if TYPE_CHECKING:
    from polars.datatypes import DataTypeClass

Schema = Mapping[str, "pl.DataType | DataTypeClass"]

_WHO: dict[str, pl.DataType] = {
    "key": pl.String(),
    "fit_key": pl.String(),
    "cell": pl.String(),
    "fold": pl.Int64(),
    "seed": pl.Int64(),
    "center": pl.String(),
    "patient": pl.String(),
    "image": pl.String(),
}

PREDICTIONS: dict[str, pl.DataType] = {
    **_WHO,
    "region": pl.Int64(),
    "role": pl.String(),
    "variant": pl.String(),
    "score": pl.Float64(),
    "logit": pl.Float64(),
}
"""One score per region of an image; region -1 is the whole image. `logit` is null where a model has none."""

DETECTIONS: dict[str, pl.DataType] = {
    **_WHO,
    "role": pl.String(),
    "variant": pl.String(),
    "x0": pl.Float64(),
    "y0": pl.Float64(),
    "x1": pl.Float64(),
    "y1": pl.Float64(),
    "score": pl.Float64(),
    "class": pl.Int64(),
}
"""One row per box that a detector drew, stored pixels, half open; class 0 is the target."""

SALIENCY: dict[str, pl.DataType] = {
    **_WHO,
    "region": pl.Int64(),
    "role": pl.String(),
    "target": pl.String(),
    "x0": pl.Float64(),
    "y0": pl.Float64(),
    "x1": pl.Float64(),
    "y1": pl.Float64(),
    "rows": pl.Int64(),
    "columns": pl.Int64(),
    "highest": pl.Float64(),
    "heat": pl.Binary(),
    "randomized": pl.Float64(),
}
"""One map per region: what the network's input covers of the stored image (it may reach beyond), and evidence, 0 or
more, on a grid over it: `heat` is rows x columns float16, little-endian, row by row, as shares of `highest`. `target`
says of what, such as "positive logit". `randomized`: rank correlation with the map of the same network with random
weights, null where it was not asked for or one of the two is the same everywhere."""

CONFIDENCE_FLOOR = 0.001
"""Lowest confidence of a detector's box; an image without any scores 0 and has no logit."""

ROLES = ("train", "validation", "reserve", "external", "pretraining")
UNIQUE = ("key", "region", "image", "variant")
"""Together they name one prediction."""

_MAY_BE_NULL = {"logit", "randomized"}


def check(frame: pl.DataFrame, schema: Schema, name: str) -> pl.DataFrame:
    """Return the schema's columns in its order, or raise StudyError naming table, column and value.

    Integers of another width, Float32 and all-null columns take the schema's type; nothing else is cast.
    Predictions are also checked for a unique (key, region, image, variant), and scores for lying in [0, 1].
    """
    missing = [column for column in schema if column not in frame.columns]
    if missing:
        raise StudyError(f"Table {name!r} lacks column {missing[0]!r}; it needs {', '.join(schema)}.")
    table = frame.select(_as_schema(frame, column, schema[column], name) for column in schema)
    _check_values(table, name)
    if set(UNIQUE) <= set(schema):
        _check_unique(table, name)
    return table


def _as_schema(frame: pl.DataFrame, column: str, wanted: pl.DataType | DataTypeClass, name: str) -> pl.Expr:
    found = frame.schema[column]
    widened = (wanted == pl.Int64 and found.is_integer()) or (wanted == pl.Float64 and found == pl.Float32)
    if found == wanted or found == pl.Null or widened:
        return pl.col(column).cast(wanted)
    raise StudyError(f"Table {name!r}: column {column!r} is {found}, it must be {wanted}; write it with that type.")


def _check_values(table: pl.DataFrame, name: str) -> None:
    for column in table.columns:
        nulls = table[column].null_count()
        if nulls and column not in _MAY_BE_NULL:
            raise StudyError(f"Table {name!r}: column {column!r} has {nulls} empty values; every row needs one.")
    if "score" in table.columns:
        outside = table.filter(~(pl.col("score").is_between(0, 1) & pl.col("score").is_finite()))
        _refuse(outside, name, "score", "a finite number from 0 to 1")
    if "logit" in table.columns:
        infinite = table.filter(pl.col("logit").is_not_null() & ~pl.col("logit").is_finite())
        _refuse(infinite, name, "logit", "a finite number or empty")
    if "role" in table.columns:
        _refuse(table.filter(~pl.col("role").is_in(ROLES)), name, "role", f"one of {', '.join(ROLES)}")


def _refuse(wrong: pl.DataFrame, name: str, column: str, allowed: str) -> None:
    if wrong.height:
        row = wrong.row(0, named=True)
        raise StudyError(
            f"Table {name!r}: {column} of image {row.get('image')!r} is {row[column]!r}, it must be {allowed}; "
            f"{wrong.height} such rows come from job {row.get('key')!r}."
        )


def _check_unique(table: pl.DataFrame, name: str) -> None:
    twice = table.filter(table.select(UNIQUE).is_duplicated())
    if twice.height:
        row = twice.row(0, named=True)
        where = ", ".join(f"{column} {row[column]!r}" for column in UNIQUE)
        raise StudyError(f"Table {name!r} holds {where} more than once; a prediction is written once per job.")
