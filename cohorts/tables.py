"""Tables of an ingested center, and the fingerprints of their content."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import polars as pl

IMAGES: dict[str, pl.DataType] = {
    "image": pl.String(),
    "patient": pl.String(),
    "center": pl.String(),
    "offset": pl.Int64(),
    "height": pl.Int32(),
    "width": pl.Int32(),
    "source_height": pl.Int32(),
    "source_width": pl.Int32(),
    "scale": pl.Float64(),
    "spacing_mm": pl.Float64(),
    "spacing_source": pl.String(),
    "view": pl.String(),
    "age": pl.Float64(),
    "sex": pl.String(),
    "inverted": pl.Boolean(),
    "window": pl.String(),
    "transfer_syntax": pl.String(),
    "pixels_sha": pl.String(),
    "dhash": pl.String(),
}
LABELS: dict[str, pl.DataType] = {"image": pl.String(), "label": pl.String()}
BOXES: dict[str, pl.DataType] = {
    "image": pl.String(),
    "box": pl.Int64(),
    "x0": pl.Float64(),
    "y0": pl.Float64(),
    "x1": pl.Float64(),
    "y1": pl.Float64(),
}
QUARANTINE: dict[str, pl.DataType] = {"file": pl.String(), "reason": pl.String()}
FILES: dict[str, pl.DataType] = {
    "path": pl.String(),
    "size": pl.Int64(),
    "mtime_ns": pl.Int64(),
    "sha256": pl.String(),
    "image": pl.String(),
    "view": pl.String(),
    "age": pl.Float64(),
    "sex": pl.String(),
}
"""`view`, `age` and `sex` as the image's own header has them; labels.csv goes before."""


def fingerprints(
    images: pl.DataFrame, labels: pl.DataFrame, boxes: pl.DataFrame, settings: dict[str, Any]
) -> dict[str, str]:
    """sha256 of the content of each table; independent of paths, of row order and of the salt behind patient hashes.

    Patients enter as groups: each image names the smallest image id of its patient.
    """
    grouped = images.select("image", pl.col("image").min().over("patient").alias("group"), "pixels_sha")
    return {
        "images": _digest(settings, grouped),
        "labels": _digest({}, labels),
        "boxes": _digest({}, boxes),
    }


def _digest(settings: dict[str, Any], table: pl.DataFrame) -> str:
    content = json.dumps([settings, table.columns, sorted(table.rows())], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()
