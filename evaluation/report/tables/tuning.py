"""The search for hyperparameters: what each cell chose, every trial, and whether the range was wide enough."""

from __future__ import annotations

import polars as pl

from evaluation.report.context import TRIALS, ReportContext
from evaluation.report.display import (
    Column,
    Entry,
    Facts,
    Footnotes,
    Group,
    Part,
    Table,
    filled,
    headings_of,
    lines,
    ordered,
    text,
)
from evaluation.report.names import arm_box, cell_heading, cell_label
from evaluation.report.numbers import MISSING, count, fraction, scientific

NEAR = "within 5% of a bound of its range: a wider range might do better"


def choices(context: ReportContext) -> Table:
    """One row per tuned cell: its budget, the trial it chose, and whether that lies near a bound."""
    notes = Footnotes()
    parts = (
        Part(Column("Cell"), lambda row: cell_heading(context, row["cell"])),
        Part.number("Trials × epochs", lambda row: f"{count(row['trials'])} × {count(row['epochs'])}"),
        Part.number("Finished", lambda row: count(row["finished"])),
        Part.number("Pruned", lambda row: count(row["pruned"])),
        Part.number("Failed", lambda row: Entry(count(row["failed"]), tone="caution" if row["failed"] else "")),
        Part.number("Epochs trained", _epochs, "of all planned"),
        Part.number("Chosen", lambda row: count(row["chosen"]), "number of the trial"),
        Part.number("Value", lambda row: fraction(row["value"]), title="on the validation patients of tuning"),
        Part(Column("Chosen hyperparameters"), lambda row: _choice(row, notes)),
    )
    groups = tuple(
        Group(Entry(f"{arm}, {arm_box(context, arm)}"), filled(context.tuning.filter(pl.col("arm") == arm), parts))
        for arm in context.arms
    )
    return Table(
        id="tuning-choices",
        caption="What each cell chose",
        columns=headings_of(parts),
        groups=groups,
        csv="tuning",
        notes=notes.listed(),
        explanation="All cells of an arm are given the same number of trials, the same epochs and the same ranges.",
        empty="No cell is tuned.",
    )


def trials(context: ReportContext, arm: str) -> list[Table]:
    """One table per tuned cell of an arm: every trial with all that it tried."""
    frame = context.trials.filter(pl.col("arm") == arm)
    return [_trials(context, cell, frame.filter(pl.col("cell") == cell)) for cell in ordered(frame["cell"], [])]


def _epochs(row: Facts) -> Entry:
    return Entry(count(row["epochs_trained"]), (f"of {count(row['trials'] * row['epochs'])}",))


def _choice(row: Facts, notes: Footnotes) -> Entry:
    near = f"{row['near_bound']}: {NEAR}" if row["near_bound"] else ""
    first, *others = (row["hyperparameters"] or MISSING).split(", ")
    return Entry(
        first,
        lines(*others, f"near its bound: {row['near_bound']}" if near else ""),
        mark=notes.mark(near),
        tone="caution" if near else "",
    )


def _trials(context: ReportContext, cell: str, frame: pl.DataFrame) -> Table:
    tried = [name for name in frame.columns if name not in TRIALS and frame[name].is_not_null().any()]
    parts = (
        Part(Column("Trial"), lambda row: Entry(count(row["trial"]), tags=("chosen",) if row["chosen"] else ())),
        Part(Column("Ended"), lambda row: Entry(row["state"], tone="caution" if row["state"] == "failed" else "")),
        Part.number("Value", lambda row: fraction(row["value"])),
        Part.number("Epochs", lambda row: count(row["epochs_trained"])),
        *(_hyperparameter(name, frame[name].dtype.is_numeric()) for name in tried),
    )
    return Table(
        id=f"trials-{cell}".replace("/", "-").replace("_", "-"),
        caption=f"Trials: {cell_label(context, cell)}",
        label=f"Trials of {cell}",
        columns=headings_of(parts),
        groups=(Group(None, filled(frame, parts)),),
        csv="trials",
    )


def _hyperparameter(name: str, numeric: bool) -> Part:
    heading = Column(name.replace("_", " "), numeric)
    return Part(heading, lambda row: scientific(row[name]) if numeric else text(row[name]))
