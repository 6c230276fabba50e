"""How well detectors find the lesions themselves, as display tables."""

from __future__ import annotations

import polars as pl

from evaluation.report.context import ReportContext
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
)
from evaluation.report.names import Place, arm_box, cell_heading, places, together
from evaluation.report.numbers import MISSING, count, fraction, plain

SENSITIVITIES = {"1_8": "⅛", "1_4": "¼", "1_2": "½", "1": "1", "2": "2", "4": "4", "8": "8"}
"""Columns of the sensitivities by the false positives per image that they allow."""
EXPLANATION = (
    "Each replicate is a detector of its own; small: standard deviation over replicates. mAP: at an overlap of 0.50, "
    "of 0.75, and the mean from 0.50 to 0.95; all other numbers at an overlap of {}. Sensitivity: share of lesions "
    "found at so many false positives per image. SE: over cases, of one replicate. Method: {}."
)


def localization(context: ReportContext, arm: str) -> list[Table]:
    """One table per place, most general first; a row per cell."""
    frame = context.seen.localization.filter(pl.col("arm") == arm)
    return [_table(context, arm, place, place.rows(frame)) for place in places(context, frame)]


def _table(context: ReportContext, arm: str, place: Place, frame: pl.DataFrame) -> Table:
    notes = Footnotes()
    parts = (
        Part(Column("Cell"), lambda row: cell_heading(context, row["cell"])),
        Part.number("Replicates", lambda row: Entry(count(row["replicates"]), mark=notes.mark(row["flag"]))),
        _part("map50", "mAP50"),
        _part("map75", "mAP75"),
        _part("map50_95", "mAP50–95"),
        *(_part(f"sensitivity_at_{name}", f"Sens. at {shown}") for name, shown in SENSITIVITIES.items()),
        _part("mean_sensitivity", "Mean of these"),
        _part("afroc", "AFROC", "afroc_se"),
        _part("wafroc", "wAFROC", "wafroc_se"),
    )
    cells = ordered(frame["cell"], context.cells_of(arm))
    ranked = [row for cell in cells for row in frame.filter(pl.col("cell") == cell).iter_rows(named=True)]
    overlap = ", ".join(f"{plain(value, 2)}" for value in frame["minimum_iou"].unique().sort())
    return Table(
        id=f"localization-{arm}-{place.role}-{place.center}",
        caption=f"Localization: {place.name}{_sample(frame)}",
        label=f"Localization, {place.name}, {arm}, {arm_box(context, arm)}",
        columns=headings_of(parts),
        groups=(Group(None, filled(ranked, parts)),),
        csv="localization",
        notes=notes.listed(),
        explanation=EXPLANATION.format(overlap, together(frame["method"])),
    )


def _sample(frame: pl.DataFrame) -> str:
    counts = frame.select("images", "lesions", "lesion_free_images").unique().rows()
    if len(counts) != 1:
        return ", n differs by cell, see the CSV"
    images, lesions, free = counts[0]
    return f", {images} images, {lesions} lesions, {free} images without any"


def _part(name: str, heading: str, error: str = "") -> Part:
    def show(row: Facts) -> Entry:
        spread = fraction(row[f"{name}_sd"])
        shown = "" if spread == MISSING else f"± {spread}"
        return Entry(fraction(row[name]), lines(shown, f"SE {fraction(row[error])}" if error else ""))

    return Part.number(heading, show)
