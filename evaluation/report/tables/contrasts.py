"""Differences of the cells' aggregates as display tables: the planned pairs, and every pair as a matrix."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Column, Entry, Facts, Footnotes, Group, Row, Table, lined, ordered, where
from evaluation.report.names import adjustment, cell_heading, cell_label, common_sample, pair_heading, places, together
from evaluation.report.numbers import (
    count,
    fraction,
    is_missing,
    p_equation,
    p_value,
    plain,
    signed,
    signed_interval,
)

SIGNIFICANCE = 0.05
"""Adjusted p below which a matrix cell is shaded."""


def aggregate_contrasts(context: ReportContext) -> Table:
    """The planned pairs again, by the AUCs of their aggregates: secondary to those of single models."""
    frame = lined(context.seen.contrasts).filter(pl.col("family") == "primary")
    notes = Footnotes()
    groups = tuple(
        Group(
            Entry(place.name),
            tuple(_contrast_row(context, row, notes) for row in place.rows(frame).iter_rows(named=True)),
        )
        for place in places(context, frame)
    )
    adjusted = adjustment(frame)
    headings = ("Difference", "95% interval", "z", "p", f"p, {adjusted}")
    return Table(
        id="contrasts-aggregates",
        caption="Secondary: the aggregates of the planned pairs",
        columns=(
            Column("First against second"),
            Column("n+ / n−", numeric=True),
            Column("AUC first", numeric=True),
            Column("AUC second", numeric=True),
            *(Column(heading, numeric=True) for heading in headings),
            Column("Method"),
        ),
        groups=groups,
        csv="contrasts",
        notes=notes.listed(),
        explanation=f"Difference: first minus second. {adjusted}'s adjustment is within these pairs; intervals cover "
        "the cases only and are not adjusted.",
        empty="No planned pair can be shown yet.",
    )


def _contrast_row(context: ReportContext, row: Facts, notes: Footnotes) -> Row:
    remark = "; ".join(part for part in (row["flag"], row["note"]) if part)
    return (
        pair_heading(context, row["first"], row["second"]),
        Entry(f"{count(row['n_positive'])} / {count(row['n_negative'])}"),
        Entry(fraction(row["auc_first"]), sort=row["auc_first"]),
        Entry(fraction(row["auc_second"]), sort=row["auc_second"]),
        Entry(signed(row["difference"]), mark=notes.mark(remark), title=_said(remark, row), sort=row["difference"]),
        Entry(signed_interval(row["low"], row["high"]), sort=row["low"]),
        Entry(plain(row["z"], 2), sort=row["z"]),
        Entry(p_value(row["p"]), sort=row["p"]),
        Entry(p_value(row["p_adjusted"]), sort=row["p_adjusted"]),
        Entry(row["method"] or "–"),
    )


def matrices(context: ReportContext) -> list[Table]:
    """All pairs at the most general place: a matrix within each arm, then one for each pair of arms."""
    frame = lined(context.seen.contrasts).filter(pl.col("family") == "all pairs")
    return [_matrix(context, arm, frame.filter(pl.col("arm") == arm)) for arm in ordered(frame["arm"], context.arms)]


def _matrix(context: ReportContext, arm: str, frame: pl.DataFrame) -> Table:
    place = places(context, frame)[0]
    inside, shared = _without_shared_note(place.rows(frame))
    pairs = {(row["first"], row["second"]): row for row in inside.iter_rows(named=True)}
    across, down = _sides(context, arm, inside)
    headings, columns = _headings(context, across, down)
    notes = Footnotes()
    rows = tuple(
        (heading, *(_pair_entry(pairs, cell, other, notes) for other in across))
        for heading, cell in zip(headings, down, strict=True)
    )
    counts = common_sample(inside, "n differs by pair, see the CSV")
    return Table(
        id=f"contrasts-{arm}".replace(" ", "-"),
        caption=f"{arm}: {place.name}, {counts}, {together(inside['method'])}",
        columns=(Column("Row minus column"), *columns),
        groups=(Group(None, rows),),
        csv="contrasts",
        notes=notes.listed(),
        explanation=shared,
    )


def _without_shared_note(frame: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """A note that every pair has is said once below the matrix, not at every entry."""
    notes = frame["note"].unique().to_list()
    if len(notes) != 1 or not notes[0]:
        return frame, ""
    return frame.with_columns(note=pl.lit("")), f"{notes[0]}."


def _sides(context: ReportContext, arm: str, frame: pl.DataFrame) -> tuple[list[str], list[str]]:
    """Cells across and down: the same within an arm, one arm each between two arms."""
    if arm in context.arms:
        both = ordered([*frame["first"], *frame["second"]], context.cells_of(arm))
        return both, both
    return ordered(frame["second"], ()), ordered(frame["first"], ())


def _headings(context: ReportContext, across: list[str], down: list[str]) -> tuple[list[Entry], list[Column]]:
    """Headings of rows and columns; within an arm the columns have the numbers of the rows."""
    rows = [cell_heading(context, cell) for cell in down]
    if across != down:
        return rows, [Column(cell_label(context, cell), numeric=True, title=cell) for cell in across]
    numbered = [replace(row, text=f"{number}\u2002{row.text}") for number, row in enumerate(rows, 1)]
    columns = [Column(str(number), True, title=row.text, spoken=row.text) for number, row in enumerate(rows, 1)]
    return numbered, columns


def _pair_entry(pairs: dict[tuple[str, str], Facts], cell: str, other: str, notes: Footnotes) -> Entry:
    if cell == other:
        return Entry("", tone="self")
    row, sign = pairs.get((cell, other)), 1
    if row is None:
        row, sign = pairs.get((other, cell)), -1
    if row is None:
        return Entry("–", title="not compared")
    return _difference_entry(row, sign, notes)


def _difference_entry(row: Facts, sign: int, notes: Footnotes) -> Entry:
    remark = "; ".join(part for part in (row["flag"], row["note"]) if part)
    if is_missing(row["difference"]):
        return Entry("–", title=_said(remark, row), mark=notes.mark(remark))
    bounds = sorted((sign * row["low"], sign * row["high"])) if not is_missing(row["low"]) else (None, None)
    difference = sign * row["difference"]
    details = (signed_interval(*bounds), p_equation(row["p_adjusted"]))
    return Entry(
        signed(difference),
        details,
        title=_said(remark, row),
        mark=notes.mark(remark),
        tone=_tone(difference, row["p_adjusted"]),
    )


def _said(remark: str, row: Facts) -> str:
    return "; ".join(part for part in (remark, where("contrasts", row)) if part)


def _tone(difference: float, p: float | None) -> str:
    if p is None or is_missing(p) or p >= SIGNIFICANCE or difference == 0:
        return ""
    return "higher" if difference > 0 else "lower"
