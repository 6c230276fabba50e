"""Boxes moved and stretched by one variant of a ladder: the same ones for every cell, job and machine."""

from __future__ import annotations

import hashlib
import math

import polars as pl

from search_spaces.ladder import Variant

_DIGITS = 12
"""Decimals of a direction: mathematical libraries may differ in the last bit of a cosine."""


def perturbed(boxes: pl.DataFrame, variant: Variant, drawn_for: str) -> pl.DataFrame:
    """The boxes (image, box, x0, y0, x1, y1) under one variant; other columns and the order stay.

    shift: by magnitude x width across and magnitude x height down along a random direction, so by `magnitude` of the
    box's own size whatever its shape. scale: width and height times the magnitude; aspect: width over height times
    the magnitude at the same area; both about the center.

    Boxes are not cut at the image's border, nor pushed back: lesions near it would be moved less than others. Networks
    read border pixels repeated there, as everywhere; radiomics measures only the pixels inside.
    """
    width, height = pl.col("x1") - pl.col("x0"), pl.col("y1") - pl.col("y0")
    right, down = _steps(boxes, variant, drawn_for)
    wider, higher = _factors(variant)
    x, y = (pl.col("x0") + pl.col("x1")) / 2 + right * width, (pl.col("y0") + pl.col("y1")) / 2 + down * height
    half_width, half_height = wider * width / 2, higher * height / 2
    return boxes.with_columns(x0=x - half_width, y0=y - half_height, x1=x + half_width, y1=y + half_height)


def direction(drawn_for: str, image: str, box: int, variant: str) -> float:
    """Angle in radians, 0 up to 2 pi, uniform over sha256: it follows from these four names and nothing else."""
    digest = hashlib.sha256(f"{drawn_for}|{image}|{box}|{variant}".encode()).digest()
    return 2 * math.pi * int.from_bytes(digest[:8], "big") / 2**64


def _steps(boxes: pl.DataFrame, variant: Variant, drawn_for: str) -> tuple[pl.Series, pl.Series]:
    """How far each box goes, in its widths to the right and its heights down."""
    along = [0.0] * boxes.height, [0.0] * boxes.height
    if variant.kind == "shift":
        names = boxes.select("image", "box").iter_rows()
        angles = [direction(drawn_for, image, box, variant.id) for image, box in names]
        along = [math.cos(angle) for angle in angles], [math.sin(angle) for angle in angles]
    right, down = (
        pl.Series([variant.magnitude * round(share, _DIGITS) for share in shares], dtype=pl.Float64) for shares in along
    )
    return right, down


def _factors(variant: Variant) -> tuple[float, float]:
    """Of width and of height."""
    if variant.kind == "scale":
        return variant.magnitude, variant.magnitude
    root = math.sqrt(variant.magnitude) if variant.kind == "aspect" else 1.0
    return root, 1 / root
