"""What readers have in common, and how much those who share it change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from evaluation.arrays import Floats
from evaluation.readers.loading import OF_READERS
from evaluation.readers.obuchowski_rockette import obuchowski_rockette
from evaluation.readers.tables import ABOUT


def about_readers(ratings: pl.DataFrame, readers: tuple[str, ...]) -> pl.DataFrame:
    """One row per reader as the schema ABOUT, in the order given."""
    known = [name for name in OF_READERS if name in ratings.columns]
    first = ratings.group_by("reader").agg(pl.col(known).first())
    found = pl.DataFrame({"reader": list(readers)}).join(first, on="reader", how="left", maintain_order="left")
    lacking = [pl.lit(None, pl.String).alias(name) for name in OF_READERS if name not in known]
    return found.with_columns(lacking).select(list(ABOUT))


def shared_by(about: pl.DataFrame) -> Iterator[str]:
    """Columns that group readers: at least two values, one of them of several readers."""
    for name in reversed(OF_READERS):
        values = about[name].drop_nulls()
        if len(values) == len(about) and 2 <= values.n_unique() < len(about):
            yield name


def group_changes(
    about: pl.DataFrame, modalities: tuple[str, ...], estimates: Floats, covariance: Floats
) -> Iterator[dict[str, Any]]:
    """Obuchowski and Rockette's analysis of each group alone, of each modality against the last.

    `estimates`: modalities x readers, `covariance` of them in the order of `estimates.ravel()`. Readers are random; a
    reader alone is no sample of readers and is fixed. Whether groups differ is not tested.
    """
    count = len(about)
    for name in shared_by(about):
        for value in sorted(about[name].unique(), key=_as_number):
            members = np.flatnonzero((about[name] == value).to_numpy())
            for at, modality in enumerate(modalities[:-1]):
                chosen = np.concatenate([at * count + members, (len(modalities) - 1) * count + members])
                both = obuchowski_rockette(estimates[[at, -1]][:, members], covariance[np.ix_(chosen, chosen)])
                one = both.fixed_readers if len(members) == 1 else both.random_readers_and_cases
                who = {"by": name, "value": value, "modality": modality, "reference": modalities[-1]}
                how = {"readers": one.readers, "cases": one.cases, "method": one.method, "flag": one.flag}
                yield who | how | {"n_readers": len(members)} | one.differences[0]._asdict()


def _as_number(value: str) -> tuple[float, str]:
    """Years in their order, words after them in theirs."""
    try:
        return float(value), value
    except ValueError:
        return float("inf"), value
