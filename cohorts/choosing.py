"""Some images of each center, the same ones whoever asks."""

from __future__ import annotations

import hashlib

import polars as pl


def chosen(images: pl.DataFrame, count: int | None, drawn_for: str) -> pl.DataFrame:
    """At most `count` images of each center, all for None; which ones follows from their names and `drawn_for` alone.

    An image keeps its rank when others come or go, so that a center that grows exchanges few of its images.
    """
    if count is None:
        return images
    ranks = [_rank(image, drawn_for) for image in images["image"]]
    ranked = images.with_columns(pl.Series("_rank", ranks, dtype=pl.String))
    return ranked.filter(pl.col("_rank").rank("ordinal").over("center") <= count).drop("_rank")


def _rank(image: str, drawn_for: str) -> str:
    return hashlib.sha256(f"{drawn_for}|{image}".encode()).hexdigest()
