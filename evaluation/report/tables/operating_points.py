"""Operating points as display tables: counts at thresholds that were carried, re-chosen ones beside them."""

from __future__ import annotations

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Column, Entry, Facts, Group, Part, Row, Table, filled, headings_of, lines, ordered
from evaluation.report.names import Place, arm_box, cell_heading, places
from evaluation.report.numbers import bounds, count, fraction, interval, is_missing, plain, threshold

SOURCES = {
    "reserve": "reserve",
    "fold thresholds": "folds, by majority",
    "test": "test set",
}
"""Where a threshold was chosen, in words."""

RULES = {"youden": "Youden index"}
INTERVALS = (
    "Small: 95% intervals, Clopper-Pearson's of shares and Simel's of likelihood ratios; they take images as "
    "independent. Wilson's intervals and F1 are in the CSV."
)


def operating_points(context: ReportContext, arm: str) -> list[Table]:
    """One table per place, most general first; a group of rows per cell."""
    frame = context.seen.operating_points.filter(pl.col("arm") == arm)
    return [_table(context, arm, place, place.rows(frame)) for place in places(context, frame)]


def _table(context: ReportContext, arm: str, place: Place, frame: pl.DataFrame) -> Table:
    cells = ordered(frame["cell"].to_list(), context.cells_of(arm))
    return Table(
        id=f"operating-points-{arm}-{place.role}-{place.center}",
        caption=f"Operating points: {place.name}",
        label=f"Operating points, {place.name}, {arm}, {arm_box(context, arm)}",
        columns=headings_of(PARTS),
        groups=tuple(Group(cell_heading(context, cell), _rows(frame.filter(pl.col("cell") == cell))) for cell in cells),
        csv="operating_points",
        explanation=INTERVALS,
    )


def _rows(frame: pl.DataFrame) -> tuple[Row, ...]:
    rules = ordered(frame["rule"].to_list(), ())
    rows = sorted(frame.iter_rows(named=True), key=lambda row: (rules.index(row["rule"]), is_optimistic(row)))
    return filled(rows, PARTS)


def _rule(row: Facts) -> Entry:
    return Entry(rule_label(row["rule"]), tone="quiet" if is_optimistic(row) else "")


def _threshold(row: Facts) -> Entry:
    each = row["source"] == "fold thresholds"
    return Entry("one each" if each and is_missing(row["threshold"]) else threshold(row["threshold"]))


def _source(row: Facts) -> Entry:
    return Entry(source_label(row["source"]), tags=("optimistic",) if is_optimistic(row) else ())


def _share(name: str, heading: str, spoken: str = "") -> Part:
    def show(row: Facts) -> Entry:
        return Entry(fraction(row[name]), lines(interval(row[f"{name}_low"], row[f"{name}_high"])))

    return Part(Column(heading, numeric=True, spoken=spoken), show)


def _ratio(name: str, heading: str, spoken: str) -> Part:
    def show(row: Facts) -> Entry:
        return Entry(plain(row[name], 2), lines(bounds(row[f"{name}_low"], row[f"{name}_high"], 2)))

    return Part(Column(heading, numeric=True, spoken=spoken), show)


def _count(name: str, spoken: str) -> Part:
    return Part(Column(name.upper(), numeric=True, spoken=spoken), lambda row: count(row[name]))


PARTS = (
    Part(Column("Rule"), _rule),
    Part.number("Threshold", _threshold),
    Part(Column("Chosen on"), _source),
    _count("tp", "true positives"),
    _count("fp", "false positives"),
    _count("fn", "false negatives"),
    _count("tn", "true negatives"),
    _share("sensitivity", "Sensitivity"),
    _share("specificity", "Specificity"),
    _share("ppv", "PPV", "positive predictive value"),
    _share("npv", "NPV", "negative predictive value"),
    _ratio("lr_positive", "LR+", "positive likelihood ratio"),
    _ratio("lr_negative", "LR−", "negative likelihood ratio"),
)


def rule_label(name: str) -> str:
    """A threshold's rule in words."""
    return RULES.get(name, name.replace(">=", " ≥ ").capitalize())


def source_label(name: str) -> str:
    """Where a threshold was chosen; of a pair, "a vs b" where its cells differ."""
    return " vs ".join(SOURCES.get(part, part) for part in name.split(" vs "))


def is_optimistic(row: Facts) -> bool:
    """Whether a threshold is shown on the images that chose it."""
    return not {"test", row["role"]}.isdisjoint(row["source"].split(" vs "))
