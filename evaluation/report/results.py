"""The comparison's frames as display tables: AUCs, contrasts, operating points."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Column, Entry, Footnotes, Group, Row, Table, ordered
from evaluation.report.names import Place, arm_box, cell_heading, cell_label, pair_labels, places, sample
from evaluation.report.numbers import (
    count,
    estimate,
    fraction,
    interval,
    is_missing,
    p_equation,
    p_value,
    signed,
    signed_interval,
)

SIGNIFICANCE = 0.05
"""Adjusted p below which a matrix cell is shaded."""


def discrimination(context: ReportContext, arm: str) -> Table:
    """AUC of each cell of an arm at each place, class counts in the heading."""
    frame = context.performance.filter(pl.col("arm") == arm)
    found = places(context, frame)
    notes = Footnotes()
    cells = ordered(frame["cell"].to_list(), context.cells_of(arm))
    rows = tuple(_auc_row(context, frame.filter(pl.col("cell") == cell), found, notes) for cell in cells)
    return Table(
        id=f"discrimination-{arm}",
        caption="AUC with 95% interval",
        label=f"AUC with 95% interval, {arm}, {arm_box(context, arm)}",
        columns=(Column("Cell"), *(_place_column(place.rows(frame), place) for place in found)),
        groups=(Group(None, rows),),
        csv="performance",
        notes=notes.listed(),
        empty="No AUC yet.",
    )


def _place_column(frame: pl.DataFrame, place: Place) -> Column:
    counts = frame.select("n_positive", "n_negative").unique(maintain_order=True).rows()
    varying = "n differs by cell, see the tooltips"
    return Column(place.heading, numeric=True, details=(sample(*counts[0]) if len(counts) == 1 else varying,))


def _auc_row(context: ReportContext, frame: pl.DataFrame, found: list[Place], notes: Footnotes) -> Row:
    general = {place.role: place for place in reversed(found)}  # the first of each role
    entries = (_auc_entry(place.rows(frame), notes, with_single=place in general.values()) for place in found)
    return (cell_heading(context, frame["cell"][0]), *entries)


def _auc_entry(frame: pl.DataFrame, notes: Footnotes, *, with_single: bool) -> Entry:
    if frame.is_empty():
        return Entry("–", title="not tested here")
    row = frame.row(0, named=True)
    facts = [row["flag"], row["method"], sample(row["n_positive"], row["n_negative"]), f"SE {fraction(row['se'])}"]
    return Entry(
        estimate(row["auc"], row["low"], row["high"]),
        (*_naive(row), *(_single(row) if with_single else ())),
        title="; ".join(fact for fact in facts if fact),
        mark=notes.mark(row["flag"]),
    )


def _naive(row: dict[str, Any]) -> tuple[str, ...]:
    naive = interval(row["auc_naive_low"], row["auc_naive_high"])
    return () if naive in ("–", interval(row["low"], row["high"])) else (f"naive {naive}",)


def _single(row: dict[str, Any]) -> tuple[str, ...]:
    if is_missing(row["single_mean"]):
        return ()
    spread = "" if is_missing(row["single_sd"]) else f" ± {fraction(row['single_sd'])}"
    return (f"single models {fraction(row['single_mean'])}{spread}",)


def primary_contrasts(context: ReportContext) -> Table:
    """The contrasts that the study was made for, one group per place."""
    frame = context.contrasts.filter(pl.col("family") == "primary")
    notes = Footnotes()
    groups = tuple(
        Group(
            Entry(place.name),
            tuple(_contrast_row(context, row, notes) for row in place.rows(frame).iter_rows(named=True)),
        )
        for place in places(context, frame)
    )
    headings = ("Difference", "95% interval", "z", "p", "p, Holm")
    return Table(
        id="contrasts-primary",
        caption="Primary contrasts",
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
        explanation="Difference: first minus second. Holm's adjustment is within the primary contrasts of a place; "
        "intervals are not adjusted.",
        empty="No primary contrast can be shown yet.",
    )


def _contrast_row(context: ReportContext, row: dict[str, Any], notes: Footnotes) -> Row:
    remark = "; ".join(part for part in (row["flag"], row["note"]) if part)
    first, second = pair_labels(context, row["first"], row["second"])
    about = dict.fromkeys(line for side in ("first", "second") for line in cell_heading(context, row[side]).details)
    return (
        Entry(first, (f"against {second}", *about), title=f"{row['first']} against {row['second']}"),
        Entry(f"{count(row['n_positive'])} / {count(row['n_negative'])}"),
        Entry(fraction(row["auc_first"])),
        Entry(fraction(row["auc_second"])),
        Entry(signed(row["difference"]), mark=notes.mark(remark), title=remark),
        Entry(signed_interval(row["low"], row["high"])),
        Entry("–" if is_missing(row["z"]) else f"{row['z']:.2f}".replace("-", "−")),
        Entry(p_value(row["p"])),
        Entry(p_value(row["p_adjusted"])),
        Entry(row["method"] or "–"),
    )


def matrices(context: ReportContext) -> list[Table]:
    """All pairs at the most general place: a matrix within each arm, then one for each pair of arms."""
    frame = context.contrasts.filter(pl.col("family") == "all pairs")
    return [_matrix(context, arm, frame.filter(pl.col("arm") == arm)) for arm in ordered(frame["arm"], context.arms)]


def _matrix(context: ReportContext, arm: str, frame: pl.DataFrame) -> Table:
    place = places(context, frame)[0]
    inside, shared = _without_shared_note(place.rows(frame))
    pairs = {(row["first"], row["second"]): row for row in inside.iter_rows(named=True)}
    methods = ", ".join(inside["method"].drop_nulls().unique(maintain_order=True))
    across, down = _sides(context, arm, inside)
    headings, columns = _headings(context, across, down)
    notes = Footnotes()
    rows = tuple(
        (heading, *(_pair_entry(pairs, cell, other, notes) for other in across))
        for heading, cell in zip(headings, down, strict=True)
    )
    return Table(
        id=f"contrasts-{arm}".replace(" ", "-"),
        caption=f"{arm}: {place.name}, {_sample_of(inside)}, {methods}",
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


def _sample_of(frame: pl.DataFrame) -> str:
    counts = frame.select("n_positive", "n_negative").unique(maintain_order=True).rows()
    return sample(*counts[0]) if len(counts) == 1 else "n differs by pair, see the CSV"


def _headings(context: ReportContext, across: list[str], down: list[str]) -> tuple[list[Entry], list[Column]]:
    """Headings of rows and columns; within an arm the columns have the numbers of the rows."""
    rows = [cell_heading(context, cell) for cell in down]
    if across != down:
        return rows, [Column(cell_label(context, cell), numeric=True, title=cell) for cell in across]
    numbered = [replace(row, text=f"{number}\u2002{row.text}") for number, row in enumerate(rows, 1)]
    columns = [Column(str(number), True, title=row.text, spoken=row.text) for number, row in enumerate(rows, 1)]
    return numbered, columns


def _pair_entry(pairs: dict[tuple[str, str], dict[str, Any]], cell: str, other: str, notes: Footnotes) -> Entry:
    if cell == other:
        return Entry("", tone="self")
    row, sign = pairs.get((cell, other)), 1
    if row is None:
        row, sign = pairs.get((other, cell)), -1
    if row is None:
        return Entry("–", title="not compared")
    return _difference_entry(row, sign, notes)


def _difference_entry(row: dict[str, Any], sign: int, notes: Footnotes) -> Entry:
    remark = "; ".join(part for part in (row["flag"], row["note"]) if part)
    if is_missing(row["difference"]):
        return Entry("–", title=remark, mark=notes.mark(remark))
    bounds = sorted((sign * row["low"], sign * row["high"])) if not is_missing(row["low"]) else (None, None)
    difference = sign * row["difference"]
    details = (signed_interval(*bounds), p_equation(row["p_adjusted"]))
    return Entry(
        signed(difference), details, title=remark, mark=notes.mark(remark), tone=_tone(difference, row["p_adjusted"])
    )


def _tone(difference: float, p: float | None) -> str:
    if p is None or is_missing(p) or p >= SIGNIFICANCE or difference == 0:
        return ""
    return "higher" if difference > 0 else "lower"
