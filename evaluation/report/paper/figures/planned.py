"""Which cells a printed figure shows: those that the plan compares, since all of them at once are unreadable."""

from __future__ import annotations

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Facts
from evaluation.report.names import Place, places
from evaluation.report.tables.effects import names

SEPARATOR = " · "

MOST_CELLS = 12
"""Curves of a printed figure: twelve can be told apart by color and dashes."""


def planned_cells(context: ReportContext, arm: str) -> list[str]:
    """Cells of an arm that the primary contrasts name, in the order of the study; all of the arm where they name none.

    At most MOST_CELLS; the caption of a figure says so where some are left out.
    """
    pairs = context.seen.effects.filter(pl.col("effect") == "pair")
    named = {*pairs["first"], *pairs["second"]}
    found = [cell for cell in context.cells_of(arm) if cell in named] or context.cells_of(arm)
    return found[:MOST_CELLS]


def chosen_words(context: ReportContext, arm: str) -> str:
    """Which cells are drawn, for the caption."""
    drawn, known = planned_cells(context, arm), context.cells_of(arm)
    if len(drawn) == len(known):
        return "All cells of the arm."
    pairs = context.seen.effects.filter(pl.col("effect") == "pair")
    named = len({*pairs["first"], *pairs["second"]} & set(known)) or len(known)
    cut = f" (the first {len(drawn)} of {named})" if named > len(drawn) else ""
    return f"Cells that the planned comparisons name{cut}; the other cells are in the report."


def main_places(context: ReportContext, frame: pl.DataFrame) -> list[Place]:
    """External centers pooled and one by one once they are open, the reserve before."""
    found = [place for place in places(context, frame) if place.center != "stratified"]
    external = [place for place in found if place.role == "external"]
    return external or found[:1]


def in_sentence(place: Place) -> str:
    """A place inside a sentence: external, pooled."""
    return place.name[:1].lower() + place.name[1:]


def who(context: ReportContext, row: Facts) -> str:
    """A contrast in one line; two cells of an arm say once what they share: resnet50 · transfer: chest against none."""
    first, second = names(context, row)
    if row["effect"] != "pair":
        return f"{first} against {second}"
    shared, one, other = split_pair(first, second)
    return f"{shared}: {one} against {other}" if shared else f"{one} against {other}"


def split_pair(first: str, second: str) -> tuple[str, str, str]:
    """What two cells share, and what differs; nothing is shared by labels of different form."""
    one, other = first.split(SEPARATOR), second.split(SEPARATOR)
    differ = [(a, b) for a, b in zip(one, other, strict=False) if a != b]
    if len(one) != len(other) or not 0 < len(differ) < len(one):
        return "", first, second
    left, right = (SEPARATOR.join(words) for words in zip(*differ, strict=True))
    return SEPARATOR.join(word for word, same in zip(one, other, strict=True) if word == same), left, right


def planned_pairs(context: ReportContext) -> list[tuple[str, str]]:
    """Pairs of cells that the plan compares, in its order."""
    pairs = (
        context.seen.effects.filter(pl.col("effect") == "pair").select("first", "second").unique(maintain_order=True)
    )
    return [(first, second) for first, second in pairs.rows()]
