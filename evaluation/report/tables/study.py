"""Frames of the study itself as display tables: cohort, budgets, what failed and with what it was run."""

from __future__ import annotations

from typing import Any

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Column, Entry, Field, Group, Row, Table, columns_of, lines, rows_of, text
from evaluation.report.names import arm_box, cell_heading
from evaluation.report.numbers import MISSING, count, duration

LONGEST_TEXT = 200
"""Characters of a free text shown in a cell; the CSV holds all of it."""

FLOW_COUNTS = {"patients": "Patients", "images": "Images or files", "positive": "n+", "negative": "n−"}


def cohort(context: ReportContext) -> Table:
    """One row per center, one column per label."""
    labels = context.cohort["label"].drop_nulls().unique(maintain_order=True).to_list()
    heading = ["Center", "Role", "Patients", "Images", "Boxes", *labels]
    return Table(
        id="cohort-centers",
        caption="Centers",
        columns=tuple(Column(name, numeric=place > 1) for place, name in enumerate(heading)),
        groups=(Group(None, tuple(_center_row(context.cohort, center, labels) for center in context.centers())),),
        csv="cohort",
        explanation="Columns of labels count patients, with images and boxes below; a patient may have several labels.",
        empty="No center has been ingested.",
    )


def _center_row(cohort: pl.DataFrame, center: str, labels: list[str]) -> Row:
    rows = {row["label"]: row for row in cohort.filter(pl.col("center") == center).iter_rows(named=True)}
    role = next(iter(rows.values()))["role"]
    total: dict[str, Any] = rows.get(None, {})
    counts = (Entry(count(total.get(column))) for column in ("patients", "images", "boxes"))
    return (Entry(center), Entry(text(role)), *counts, *(_label_entry(rows.get(label)) for label in labels))


def _label_entry(row: dict[str, Any] | None) -> Entry:
    if row is None:
        return Entry(MISSING)
    return Entry(count(row["patients"]), (f"{count(row['images'])} images, {count(row['boxes'])} boxes",))


def flow_counts(context: ReportContext) -> Table:
    """The numbers of the flow diagram: a row per step, a group per arm and center."""
    fields = (
        Field("step", "Step", lambda step: step.capitalize()),
        Field("detail", "Which"),
        *(Field(name, heading, count, numeric=True) for name, heading in FLOW_COUNTS.items()),
    )
    found = context.flow.partition_by("arm", "center", "role", as_dict=True, maintain_order=True)
    groups = tuple(
        Group(Entry(" · ".join(text(word) for word in (arm or "Before any arm", center, role))), rows_of(part, fields))
        for (arm, center, role), part in found.items()
    )
    return Table(
        id="flow-counts",
        caption="The same numbers as a table",
        label="Flow of radiographs",
        columns=columns_of(fields),
        groups=groups,
        csv="flow",
        empty="No center has been ingested.",
    )


def quarantine(context: ReportContext) -> Table:
    """Radiographs set aside, with the reason."""
    fields = (
        Field("center", "Center"),
        Field("reason", "Reason"),
        Field("count", "Files", count, numeric=True),
        Field("files", "Which", _clipped),
    )
    return _listing(
        "quarantine", "Radiographs in quarantine", context.quarantine, fields, "No radiograph was set aside."
    )


def leakage(context: ReportContext) -> Table:
    """Images found twice, across centers and corpora."""
    fields = (
        Field("first", "Between"),
        Field("second", "and"),
        Field("severity", "Severity", _severity),
        Field("kind", "Duplicates"),
        Field("count", "Images", count, numeric=True),
        Field("note", "Note", _clipped),
    )
    empty = "No exact or near duplicate between centers or corpora."
    return _listing("leakage", "Duplicates between centers and corpora", context.leakage, fields, empty)


def budgets(context: ReportContext) -> Table:
    """What every cell was given and what it cost."""
    columns = (
        Column("Cell"),
        Column("Replicates", numeric=True, title="finished / planned"),
        Column("Trials × epochs", numeric=True, title="planned for tuning; below, what became of them"),
        Column("Epochs", numeric=True, title="of each replicate"),
        Column("Core time", numeric=True, title="tuning, fitting and predicting"),
        Column(
            "Pretraining core time",
            numeric=True,
            title="once per pretrained backbone, shared by the cells that start from it",
        ),
        Column("Chosen hyperparameters"),
    )
    groups = tuple(Group(Entry(f"{arm}, {arm_box(context, arm)}"), _budget_rows(context, arm)) for arm in context.arms)
    explanation = "Every cell of an arm gets the same number of trials and epochs; pretraining is counted apart."
    return Table("budgets", "Budget and cost of each cell", columns, groups, "cells", explanation=explanation)


def _budget_rows(context: ReportContext, arm: str) -> tuple[Row, ...]:
    tuning = {row["cell"]: row for row in context.tuning.iter_rows(named=True)}
    return tuple(
        (
            cell_heading(context, cell),
            Entry(f"{count(facts['replicates_finished'])}/{count(facts['replicates_planned'])}"),
            _tuning_budget(tuning.get(cell)),
            Entry(count(facts["epochs"])),
            _seconds(facts["core_seconds"]),
            _seconds(facts["pretrain_core_seconds"]),
            Entry(text(facts["tuned"])),
        )
        for cell, facts in context.by_cell.items()
        if facts["arm"] == arm
    )


def _seconds(value: float | None) -> Entry:
    return Entry(duration(value), sort=value)


def _tuning_budget(row: dict[str, Any] | None) -> Entry:
    """Trials times epochs as planned, what became of the trials, and how many epochs were trained of all planned."""
    if row is None:
        return Entry(MISSING)
    ends = ", ".join(f"{count(row[state])} {state}" for state in ("finished", "pruned", "failed") if row[state])
    epochs = f"{count(row['epochs_trained'])} of {count(row['trials'] * row['epochs'])} epochs"
    return Entry(f"{count(row['trials'])} × {count(row['epochs'])}", lines(ends, epochs))


def run_times(context: ReportContext) -> Table:
    """Jobs and core time by kind."""
    fields = (
        Field("kind", "Job"),
        Field("jobs", "Jobs", count, numeric=True),
        Field("core_seconds", "Core time", _seconds, numeric=True),
        Field("median_seconds", "Median per job", _seconds, numeric=True),
    )
    return _listing("run-times", "Run times", context.run_times, fields, "No job has finished.")


def left_out(context: ReportContext) -> Table:
    """Combinations of the grid that are not run, each with its reason."""
    fields = (Field("combination", "Combination"), Field("reason", "Reason"))
    return _listing(
        "left-out", "Combinations left out", context.left_out, fields, "Every combination of the grid is run."
    )


def failures(context: ReportContext) -> Table:
    """Jobs that failed."""
    fields = (
        Field("job", "Job", lambda key: Entry(text(key)[:12], title=text(key))),
        Field("cell", "Cell"),
        Field("kind", "Kind"),
        Field("error", "Error", _last_line),
        Field("blocked", "Blocked", numeric=True),
    )
    return _listing("failures", "Failed jobs", context.failures, fields, "No job failed.")


def environment(context: ReportContext) -> Table:
    """With what the study was run."""
    return _pairs("environment", "Environment", context.environment, "No environment was recorded.")


def pairs_frame(values: dict[str, str]) -> pl.DataFrame:
    """A mapping as a frame with the columns `name` and `value`."""
    return pl.DataFrame(list(values.items()), schema={"name": pl.String, "value": pl.String}, orient="row")


def _pairs(name: str, caption: str, values: dict[str, str], empty: str) -> Table:
    return _listing(name, caption, pairs_frame(values), (Field("name", "Name"), Field("value", "Value")), empty)


def _listing(name: str, caption: str, frame: pl.DataFrame, fields: tuple[Field, ...], empty: str) -> Table:
    groups = (Group(None, rows_of(frame, fields)),)
    return Table(name, caption, columns_of(fields), groups, csv=name.replace("-", "_"), empty=empty)


def _clipped(value: str | None) -> Entry:
    shown = text(value)
    if len(shown) <= LONGEST_TEXT:
        return Entry(shown)
    return Entry(f"{shown[:LONGEST_TEXT].rstrip()} …", ("in full in the CSV",))


def _last_line(value: str | None) -> Entry:
    told = text(value).strip().splitlines() or [MISSING]
    last = _clipped(told[-1].strip())
    return last if len(told) == 1 else Entry(last.text, ("in full in the CSV",))


def _severity(value: str | None) -> Entry:
    return Entry(text(value), tone="caution" if value == "stops" else "")
