"""Net benefit of planned pairs as display tables: who would gain if one acted from a risk of 10%, 20%, …"""

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
from evaluation.report.names import Place, pair_heading, places, together
from evaluation.report.numbers import percent, plain, signed, signed_interval
from evaluation.report.tables.calibration import RECALIBRATIONS, risks_label

EXPLANATION = (
    "Net benefit: true positives per image, less false positives weighted by the odds of the risk from which one acts. "
    "Difference: first minus second; small: 95% interval ({}), not adjusted, and both net benefits. Scores are only "
    "risks as far as they are calibrated."
)


def net_benefit(context: ReportContext) -> list[Table]:
    """One table per place, most general first; a row per planned pair, a column per risk."""
    frame = context.seen.net_benefit
    return [_table(context, place, place.rows(frame)) for place in places(context, frame)]


def _table(context: ReportContext, place: Place, frame: pl.DataFrame) -> Table:
    notes = Footnotes()
    risks = frame["threshold"].unique().sort().to_list()
    parts = (
        Part(Column("First against second"), lambda row: pair_heading(context, row["first"], row["second"])),
        *(_part(risk, notes) for risk in risks),
    )
    groups = tuple(
        Group(
            Entry(f"Risks {risks_label(name)}"),
            filled(_rows(frame.filter(pl.col("recalibration") == name)), parts),
        )
        for name in ordered(frame["recalibration"], list(RECALIBRATIONS))
    )
    return Table(
        id=f"net-benefit-{place.role}-{place.center}",
        caption=f"Net benefit of planned pairs: {place.name}",
        label=f"Net benefit, {place.name}",
        columns=headings_of(parts),
        groups=groups,
        csv="net_benefit",
        notes=notes.listed(),
        explanation=EXPLANATION.format(together(frame["method"])),
    )


def _rows(frame: pl.DataFrame) -> list[Facts]:
    """One row per pair; what is known at each risk under that risk."""
    return [
        {"first": first, "second": second} | {str(row["threshold"]): row for row in part.iter_rows(named=True)}
        for (first, second), part in frame.partition_by("first", "second", as_dict=True, maintain_order=True).items()
    ]


def _part(risk: float, notes: Footnotes) -> Part:
    def show(row: Facts) -> Entry:
        found = row.get(str(risk))
        return Entry("–") if found is None else _entry(found, notes)

    return Part.number(f"From a risk of {percent(risk)}", show)


def _entry(row: Facts, notes: Footnotes) -> Entry:
    both = f"{plain(row['net_benefit_first'])} against {plain(row['net_benefit_second'])}"
    return Entry(
        signed(row["difference"]), lines(signed_interval(row["low"], row["high"]), both), mark=notes.mark(row["flag"])
    )
