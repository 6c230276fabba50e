"""Which pairs of cells a study's primary comparisons mean."""

from __future__ import annotations

from itertools import product

import polars as pl

from search_spaces.errors import StudyError, nearest
from search_spaces.study import Analysis

Pair = tuple[str, str]
"""Two cell ids, or two pretraining sources."""


def primary_pairs(plan: Analysis, cells: pl.DataFrame) -> list[Pair]:
    """Pairs (first, second) of cell ids, in the order of the plan and of `cells`; a pair turned around is not repeated.

    A pair of pretraining sources means, for every arm, backbone and init that both have, their two cells; names with
    "/" are cell ids. Raises StudyError for an unknown name or for sources that share no backbone and init.
    """
    pairs: list[Pair] = []
    for first, second in plan.primary.comparisons:
        if ("/" in first) != ("/" in second):
            raise StudyError(
                f"analysis.primary.comparisons: [{first}, {second}] mixes a cell and a pretraining source; "
                "name two sources, or two cells as arm/backbone-pretraining-init."
            )
        found = _cells(first, second, cells) if "/" in first else _sources(first, second, cells)
        pairs += [pair for pair in found if pair not in pairs and pair[::-1] not in pairs]
    return pairs


def measurable(pairs: list[Pair], cells: pl.DataFrame) -> list[Pair]:
    """Pairs without exploratory cells; the others stay in the plan's families as tests that were not made."""
    exploratory = set(cells.filter(pl.col("exploratory"))["cell"])
    return [pair for pair in pairs if not exploratory & set(pair)]


def _cells(first: str, second: str, cells: pl.DataFrame) -> list[Pair]:
    for name in (first, second):
        _known(name, cells["cell"].unique().sort().to_list(), "cell")
    _differ(first, second)
    return [(first, second)]


def _sources(first: str, second: str, cells: pl.DataFrame) -> list[Pair]:
    for name in (first, second):
        _known(name, cells["pretraining"].unique().sort().to_list(), "pretraining source")
    _differ(first, second)
    rows = cells.select("arm", "backbone", "init", "pretraining", "cell").rows()
    pairs = [
        (one[-1], other[-1])
        for one, other in product(rows, rows)
        if one[:3] == other[:3] and one[3] == first and other[3] == second
    ]
    if not pairs:
        raise StudyError(
            f"analysis.primary.comparisons: no backbone has both {first!r} and {second!r} with the same init; "
            "name two cells instead, each as arm/backbone-pretraining-init."
        )
    return pairs


def _known(name: str, known: list[str], kind: str) -> None:
    if name not in known:
        listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
        raise StudyError(
            f"analysis.primary.comparisons: {name!r} is no {kind} of this study, which has {listed}."
            f"{nearest(name, known)}"
        )


def _differ(first: str, second: str) -> None:
    if first == second:
        raise StudyError(f"analysis.primary.comparisons: {first!r} is compared with itself; name two different ones.")
