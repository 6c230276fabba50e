"""Operating points as display tables: counts at thresholds that were carried, re-chosen ones beside them."""

from __future__ import annotations

from typing import Any

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Column, Entry, Group, Row, Table, ordered
from evaluation.report.names import Place, arm_box, cell_heading, places
from evaluation.report.numbers import count, estimate, fraction, threshold

SOURCES = {"reserve": "reserve", "validation": "validation folds", "test": "test set"}
"""Where a threshold was chosen, in words."""

RULES = {"youden": "Youden index"}

COLUMNS = (
    Column("Rule"),
    Column("Threshold", numeric=True),
    Column("Chosen on"),
    *(Column(name, numeric=True, spoken=spoken) for name, spoken in (
        ("TP", "true positives"), ("FP", "false positives"), ("FN", "false negatives"), ("TN", "true negatives"),
    )),
    Column("Sensitivity", numeric=True),
    Column("Specificity", numeric=True),
    Column("PPV", numeric=True, spoken="positive predictive value"),
    Column("NPV", numeric=True, spoken="negative predictive value"),
)  # fmt: skip


def operating_points(context: ReportContext, arm: str) -> list[Table]:
    """One table per place, most general first; a group of rows per cell."""
    frame = context.operating_points.filter(pl.col("arm") == arm)
    return [_table(context, arm, place, place.rows(frame)) for place in places(context, frame)]


def _table(context: ReportContext, arm: str, place: Place, frame: pl.DataFrame) -> Table:
    cells = ordered(frame["cell"].to_list(), context.cells_of(arm))
    return Table(
        id=f"operating-points-{arm}-{place.role}-{place.center}",
        caption=f"Operating points: {place.name}",
        label=f"Operating points, {place.name}, {arm}, {arm_box(context, arm)}",
        columns=COLUMNS,
        groups=tuple(Group(cell_heading(context, cell), _rows(frame.filter(pl.col("cell") == cell))) for cell in cells),
        csv="operating_points",
    )


def _rows(frame: pl.DataFrame) -> tuple[Row, ...]:
    rules = ordered(frame["rule"].to_list(), ())
    rows = sorted(frame.iter_rows(named=True), key=lambda row: (rules.index(row["rule"]), _is_optimistic(row)))
    return tuple(_row(row) for row in rows)


def _row(row: dict[str, Any]) -> Row:
    optimistic = _is_optimistic(row)
    texts = (
        *(count(row[name]) for name in ("tp", "fp", "fn", "tn")),
        *(estimate(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in ("sensitivity", "specificity")),
        *(fraction(row[name]) for name in ("ppv", "npv")),
    )
    return (
        Entry(_rule(row["rule"]), tone="quiet" if optimistic else ""),
        Entry(threshold(row["threshold"])),
        Entry(SOURCES.get(row["source"], row["source"]), tags=("optimistic",) if optimistic else ()),
        *(Entry(text) for text in texts),
    )


def _rule(name: str) -> str:
    return RULES.get(name, name.replace(">=", " ≥ ").capitalize())


def _is_optimistic(row: dict[str, Any]) -> bool:
    return row["source"] in ("test", row["role"])
