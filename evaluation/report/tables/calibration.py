"""Calibration as display tables: are risks of 20% right one time in five, as they are and after recalibration?"""

from __future__ import annotations

import re
from collections.abc import Iterator

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
from evaluation.report.names import Place, arm_box, cell_heading, common_sample, places, together
from evaluation.report.numbers import bounds, count, fraction, p_equation, plain, signed, signed_interval

RECALIBRATIONS = {"none": "as predicted", "Platt": "after Platt", "isotonic": "after isotonic"}
"""Risks that are judged, in words; the maps are fitted on the reserve."""
EXPLANATION = (
    "Ideal: Brier score 0, slope 1, intercept and in-the-large 0, O:E 1, ICI 0. Small: 95% intervals, {}. ICI: mean "
    "distance between risk and frequency smoothed by {}; below it median and 90th percentile. Recalibration is fitted "
    "on the reserve, and judged on external images only."
)
FLOOR = (
    " At the floor: images in which a detector found nothing; below, sensitivity and specificity of the last point "
    "before all are called positive."
)


def calibration(context: ReportContext, arm: str) -> list[Table]:
    """One table per place, most general first; a group per cell, a row as predicted and after each recalibration."""
    frame = context.seen.calibration.filter(pl.col("arm") == arm)
    return [_table(context, arm, place, place.rows(frame)) for place in places(context, frame)]


def _table(context: ReportContext, arm: str, place: Place, frame: pl.DataFrame) -> Table:
    notes = Footnotes()
    with_floor = bool((frame["at_floor"] > 0).any())
    parts = tuple(_parts(notes, with_floor=with_floor))
    cells = ordered(frame["cell"], context.cells_of(arm))
    counts = common_sample(frame, "n differs by cell, see the CSV")
    return Table(
        id=f"calibration-{arm}-{place.role}-{place.center}",
        caption=f"Calibration: {place.name}, {counts}",
        label=f"Calibration, {place.name}, {arm}, {arm_box(context, arm)}",
        columns=headings_of(parts),
        groups=tuple(
            Group(cell_heading(context, cell), filled(frame.filter(pl.col("cell") == cell), parts)) for cell in cells
        ),
        csv="calibration",
        notes=notes.listed(),
        explanation=EXPLANATION.format(together(frame["method"]), together(frame["smoother"])) + FLOOR * with_floor,
    )


def _parts(notes: Footnotes, *, with_floor: bool) -> Iterator[Part]:
    yield Part(Column("Risks"), lambda row: _risks(row, notes))
    yield Part.number("Brier score", _brier)
    yield Part.number("Slope", lambda row: _estimate(row, "slope"))
    yield Part.number("Intercept", lambda row: _shift(row, "intercept"))
    yield Part.number("In the large", lambda row: _shift(row, "calibration_in_the_large"))
    yield Part.number("O:E", lambda row: _estimate(row, "observed_expected"), title="observed / expected positives")
    yield Part.number("ICI", _distance, title="integrated calibration index")
    if with_floor:
        yield Part.number("At the floor", _floor)


def _risks(row: Facts, notes: Footnotes) -> Entry:
    kind = re.sub(r": \d+", "", row["flag"])  # how many is in the tooltip: else every cell had a footnote of its own
    return Entry(risks_label(row["recalibration"]), title=row["flag"], mark=notes.mark(kind))


def risks_label(name: str) -> str:
    """How risks were made, in words."""
    return RECALIBRATIONS.get(name, name)


def _brier(row: Facts) -> Entry:
    spiegelhalter = f"Spiegelhalter's z {plain(row['spiegelhalter_z'], 2)}, {p_equation(row['spiegelhalter_p'])}"
    return Entry(fraction(row["brier"]), lines(f"scaled {plain(row['brier_scaled'])}"), title=spiegelhalter)


def _estimate(row: Facts, name: str) -> Entry:
    return Entry(plain(row[name]), lines(bounds(row[f"{name}_low"], row[f"{name}_high"])))


def _shift(row: Facts, name: str) -> Entry:
    return Entry(signed(row[name]), lines(signed_interval(row[f"{name}_low"], row[f"{name}_high"])))


def _distance(row: Facts) -> Entry:
    return Entry(fraction(row["ici"]), lines(bounds(row["e50"], row["e90"])))


def _floor(row: Facts) -> Entry:
    last = f"{fraction(row['floor_sensitivity'])}, {fraction(row['floor_specificity'])}"
    return Entry(count(row["at_floor"]), lines(last) if row["at_floor"] else ())
