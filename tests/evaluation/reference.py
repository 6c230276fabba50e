"""The values that R wrote into golden/, see golden/golden.R and golden/versions.txt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

GOLDEN = Path(__file__).parent / "golden"


def golden(name: str) -> pl.DataFrame:
    """One CSV of reference values."""
    return pl.read_csv(GOLDEN / f"{name}.csv")


def golden_rows(name: str) -> list[dict[str, Any]]:
    """The rows of one CSV."""
    return golden(name).rows(named=True)


def case_sets() -> dict[str, pl.DataFrame]:
    """Paired scores by name, with the three pairs of pROC's aSAH data."""
    asah = golden("asah")
    sets = {str(part["set"][0]): part for part in golden("cases").partition_by("set")}
    for first, second in (("s100b", "wfns"), ("s100b", "ndka"), ("wfns", "ndka")):
        sets[f"asah_{first}_{second}"] = asah.select(
            "label", pl.col(first).alias("first"), pl.col(second).alias("second")
        )
    return sets
