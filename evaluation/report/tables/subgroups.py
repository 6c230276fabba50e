"""Subgroups of external images as display tables: does a cell work as well for women, the young, other devices?"""

from __future__ import annotations

from functools import partial

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import (
    Column,
    Entry,
    Facts,
    Group,
    Part,
    Table,
    filled,
    headings_of,
    lined,
    ordered,
    where,
)
from evaluation.report.names import arm_box, cell_heading, common_sample, sample
from evaluation.report.numbers import MISSING, estimate, p_value
from evaluation.report.tables.operating_points import rule_label, source_label

ATTRIBUTES = {"age": "Age", "sex": "Sex", "view": "View", "device": "Device", "lesion_size": "Lesion size"}
SUPPRESSED = "suppressed"


def subgroups(context: ReportContext, arm: str) -> list[Table]:
    """One table per attribute: a row per cell, a column per group of pooled external images."""
    frame = lined(context.seen.subgroups).filter(pl.col("arm") == arm)
    parts = frame.partition_by("attribute", as_dict=True, maintain_order=True)
    return [_table(context, arm, str(name), part) for (name,), part in parts.items()]


def _table(context: ReportContext, arm: str, attribute: str, frame: pl.DataFrame) -> Table:
    rule = frame["rule"][0]
    first = frame.filter(pl.col("rule") == rule)
    groups = sorted(first["group"].unique(maintain_order=True), key=_place)
    parts = (
        Part(Column("Cell"), lambda row: cell_heading(context, row["cell"])),
        *(_part(group, first.filter(pl.col("group") == group)) for group in groups),
        Part.number("Interaction", _interaction, "p", title="Cochran's test of the AUCs"),
    )
    return Table(
        id=f"subgroups-{arm}-{attribute}".replace("_", "-"),
        caption=f"{ATTRIBUTES.get(attribute, attribute)}: External, pooled",
        label=f"Subgroups by {ATTRIBUTES.get(attribute, attribute)}, {arm}, {arm_box(context, arm)}",
        columns=headings_of(parts),
        groups=(Group(None, filled(_rows(context, arm, first), parts)),),
        csv="subgroups",
        explanation=f"AUC with 95% interval; below it sensitivity and specificity by the rule {rule_label(rule)}, "
        f"threshold: {_sources(first)}. Images whose value is unknown are in no group; groups with too few positives "
        "or negatives are suppressed. Interaction: p of the test that the AUCs of groups are equal, which takes them "
        "as independent; not adjusted.",
    )


def _sources(frame: pl.DataFrame) -> str:
    return ", ".join(source_label(name) for name in ordered(frame["source"], ()) if name) or MISSING


def _place(group: str) -> tuple[int, str]:
    """Bands by their lower bound; other groups by name."""
    number = next((int(word) for word in group.split() if word.isdigit()), 0)
    return (-1 if group.startswith("under ") else number), group


def _rows(context: ReportContext, arm: str, frame: pl.DataFrame) -> list[Facts]:
    """One row per cell; what is known of each group under its name."""
    parts = {str(cell): part for (cell,), part in frame.partition_by("cell", as_dict=True).items()}
    return [
        {"cell": cell, "interaction_p": parts[cell]["interaction_p"][0]}
        | {"groups": {row["group"]: row for row in parts[cell].iter_rows(named=True)}}
        for cell in ordered(parts, context.cells_of(arm))
    ]


def _part(group: str, frame: pl.DataFrame) -> Part:
    return Part.number(group, partial(_entry, group), common_sample(frame, "n differs by cell, see the tooltips"))


def _entry(group: str, row: Facts) -> Entry:
    found = row["groups"].get(group)
    if found is None:
        return Entry(MISSING, title="no image")
    title = "; ".join(
        filter(None, [found["flag"], sample(found["n_positive"], found["n_negative"]), where("subgroups", found)])
    )
    if found["flag"].startswith(SUPPRESSED):
        return Entry(SUPPRESSED, title=title)
    rates = (f"{name} {_rate(found, name)}" for name in ("sensitivity", "specificity"))
    return Entry(estimate(found["auc"], found["low"], found["high"]), tuple(rates), title=title, sort=found["auc"])


def _interaction(row: Facts) -> Entry:
    return Entry(p_value(row["interaction_p"]), sort=row["interaction_p"])


def _rate(row: Facts, name: str) -> str:
    return estimate(row[name], row[f"{name}_low"], row[f"{name}_high"])
