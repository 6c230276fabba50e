"""Which pretraining, init and cells are more stable, as display tables: paired tests of patients' mean changes."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from evaluation.comparison.stability_pairs import ALL, ALL_PAIRS, PLANNED_EFFECTS, PLANNED_PAIRS
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
    lined,
    lines,
    where,
)
from evaluation.report.names import adjustment, together
from evaluation.report.numbers import count, fraction, p_value, plain, signed, signed_interval
from evaluation.report.tables.effects import KINDS, names
from evaluation.report.tables.stability import pooled, step

MEANS = (
    "Mean change: of an image's score when its box is perturbed, absolute, averaged over draws, over the images of a "
    "patient and over patients. Difference: first minus second, with 95% interval; below 0, the first is more stable. "
    "{method}. The unit is the patient and the models are taken as they are: nothing is said of other replicates. "
    "Scores that hardly differ between images change little, too; in SD: the same test of changes in standard "
    "deviations of each cell's scores of the images as they are, not adjusted. {adjusted}'s adjustment is {family}."
)


def stability_effects(context: ReportContext) -> Table:
    """Payoff, source and init by their stability: the plan's under every perturbation, the others over all of them."""
    frame = lined(context.seen.stability_pairs).filter(~pl.col("family").is_in([PLANNED_PAIRS, ALL_PAIRS]))
    alone = frame["variant"].n_unique() < 2
    planned = pl.col("family") == PLANNED_EFFECTS
    shown = frame.filter(planned | (pl.col("variant") == ALL) | alone)
    return _table(
        context,
        shown.sort(planned.not_(), pl.col("variant") != ALL, maintain_order=True),
        ("stability-effects", "Stability by pretraining and init"),
        "within the planned effects, or those of one kind, at a place under a perturbation",
        "No source, init or scratch to compare on perturbed images.",
    )


def stability_pairs(context: ReportContext) -> Table:
    """Planned pairs of cells by their stability; all other pairs are in the CSV."""
    frame = lined(context.seen.stability_pairs).filter(pl.col("family") == PLANNED_PAIRS)
    return _table(
        context,
        frame.sort(pl.col("variant") != ALL, maintain_order=True),
        ("stability-pairs", "Stability of planned pairs"),
        "within the planned pairs at a place under a perturbation; all pairs of an arm are in the CSV",
        "No pair was planned, or no image was perturbed.",
    )


def _table(context: ReportContext, frame: pl.DataFrame, called: tuple[str, str], family: str, empty: str) -> Table:
    notes = Footnotes()
    parts = (
        Part(Column("First against second"), lambda row: _who(context, row)),
        Part.number("Patients", lambda row: Entry(count(row["patients"]), title=f"{count(row['images'])} images")),
        Part.number("First", lambda row: _number(row, "first"), "mean change", "below: in SD"),
        Part.number("Second", lambda row: _number(row, "second"), "mean change", "below: in SD"),
        Part.number("Difference", lambda row: _difference(row, notes)),
        Part.number("p", lambda row: Entry(p_value(row["p"]), title=row["method"], sort=row["p"])),
        Part.number(f"p, {adjustment(frame)}", lambda row: Entry(p_value(row["p_adjusted"]), sort=row["p_adjusted"])),
        Part.number("p, in SD", _relative, "of the cell's scores"),
    )
    return Table(
        id=called[0],
        caption=called[1],
        columns=headings_of(parts),
        groups=tuple(_groups(context, frame, parts)),
        csv="stability_pairs",
        notes=notes.listed(),
        explanation=MEANS.format(method=together(frame["method"]), adjusted=adjustment(frame), family=family),
        empty=empty,
    )


def _groups(context: ReportContext, frame: pl.DataFrame, parts: Sequence[Part]) -> list[Group]:
    """A group per place and perturbation, their mean first."""
    return [
        Group(Entry(place.name, (step(str(variant)),)), filled(part, parts))
        for place in pooled(context, frame)
        for (variant,), part in place.rows(frame).partition_by("variant", as_dict=True, maintain_order=True).items()
    ]


def _who(context: ReportContext, row: Facts) -> Entry:
    first, second = names(context, row)
    kind = f"{row['arm']}: {KINDS[row['effect']][0]}" if row["effect"] != "pair" else ""
    over = row["backbones"] if row["effect"] != "pair" else ""
    without = f"without {row['without']}" if row["without"] and row["effect"] != "pair" else ""
    tags = ("planned",) if row["family"] == PLANNED_EFFECTS else ()
    return Entry(first, lines(f"against {second}", kind, over, without), tags, title=f"{row['first']}, {row['second']}")


def _number(row: Facts, side: str) -> Entry:
    change = row[f"mean_change_{side}"]
    return Entry(
        fraction(change), lines(plain(row[f"relative_{side}"], 2)), title=where("stability_pairs", row), sort=change
    )


def _relative(row: Facts) -> Entry:
    """The same test on changes that count in each cell's own standard deviation: it may point the other way."""
    turned = row["difference"] * row["relative_difference"] < 0
    return Entry(p_value(row["relative_p"]), ("points the other way",) if turned else (), sort=row["relative_p"])


def _difference(row: Facts, notes: Footnotes) -> Entry:
    return Entry(
        signed(row["difference"]),
        lines(signed_interval(row["low"], row["high"])),
        title=where("stability_pairs", row),
        mark=notes.mark(row["flag"]),
        sort=row["difference"],
    )
