"""What small changes of the image do to a cell's scores, as display tables."""

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
from evaluation.report.names import (
    Place,
    adjustment,
    arm_box,
    cell_heading,
    common_sample,
    pair_heading,
    places,
    together,
)
from evaluation.report.numbers import count, fraction, p_value, percent, plural, signed, signed_interval

EXPLANATION = (
    "Difference: AUC of the perturbed images minus that of the originals, with 95% interval; p not adjusted. Mean "
    "change: of an image's score, absolute. Pairs turned: pairs of a positive and a negative image that change their "
    "order; calls turned: images that change sides of the carried threshold of the first rule (below: among positives, "
    "among negatives). ICC: of consistency, below of absolute agreement. {}. Single centers are in the CSV."
)
EVERY = "mean over the perturbations"


def stability(context: ReportContext, arm: str) -> list[Table]:
    """One table per role, its most general place; a group per perturbation, a row per cell."""
    frame = context.seen.stability.filter(pl.col("arm") == arm)
    return [_table(context, arm, place, place.rows(frame)) for place in _pooled(context, frame)]


def _pooled(context: ReportContext, frame: pl.DataFrame) -> list[Place]:
    """The most general place of each role."""
    found = places(context, frame)
    return [place for place in found if place == next(one for one in found if one.role == place.role)]


def _table(context: ReportContext, arm: str, place: Place, frame: pl.DataFrame) -> Table:
    notes = Footnotes()
    parts = (
        Part(Column("Cell"), lambda row: cell_heading(context, row["cell"])),
        Part.number("AUC perturbed", lambda row: _areas(row, notes), "below: originals"),
        Part.number("Difference", lambda row: _difference(row)),
        Part.number("p", lambda row: p_value(row["p"])),
        Part.number("Mean change", lambda row: fraction(row["mean_change"])),
        Part.number("Pairs turned", lambda row: percent(row["flips"])),
        Part.number("Calls turned", _calls),
        Part.number("ICC", lambda row: Entry(fraction(row["icc"]), lines(fraction(row["icc_agreement"])))),
    )
    groups = tuple(
        Group(Entry(variant, (_draws(part),)), filled(_ranked(context, arm, part), parts))
        for (variant,), part in frame.partition_by("variant", as_dict=True, maintain_order=True).items()
    )
    counts = common_sample(frame, "n differs, see the CSV")
    return Table(
        id=f"stability-{arm}-{place.role}-{place.center}",
        caption=f"Stability: {place.name}, {counts}",
        label=f"Stability, {place.name}, {arm}, {arm_box(context, arm)}",
        columns=headings_of(parts),
        groups=groups,
        csv="stability",
        notes=notes.listed(),
        explanation=EXPLANATION.format(together(frame["method"])),
    )


def _ranked(context: ReportContext, arm: str, frame: pl.DataFrame) -> list[Facts]:
    rows = {row["cell"]: row for row in frame.iter_rows(named=True)}
    return [rows[cell] for cell in ordered(rows, context.cells_of(arm))]


def _draws(frame: pl.DataFrame) -> str:
    return ", ".join(plural(number, "random draw") for number in frame["draws"].unique().sort())


def _areas(row: Facts, notes: Footnotes) -> Entry:
    return Entry(fraction(row["auc"]), lines(fraction(row["auc_original"])), mark=notes.mark(row["flag"]))


def _difference(row: Facts) -> Entry:
    return Entry(signed(row["difference"]), lines(signed_interval(row["low"], row["high"])))


def _calls(row: Facts) -> Entry:
    each = [percent(row[f"decision_flips_{name}"]) for name in ("positive", "negative")]
    return Entry(percent(row["decision_flips"]), (", ".join(each),) if lines(*each) else ())


def stability_pairs(context: ReportContext) -> Table:
    """Planned pairs by the mean absolute change of their scores, at the most general place of each role."""
    frame = context.seen.stability_pairs
    pairs = {frozenset(pair) for pair in _planned(context)}
    mine = frame.filter([frozenset(pair) in pairs for pair in frame.select("first", "second").iter_rows()])
    notes = Footnotes()
    parts = (
        Part(Column("First against second"), lambda row: pair_heading(context, row["first"], row["second"])),
        Part.number("Patients", lambda row: count(row["patients"])),
        Part.number("First", lambda row: fraction(row["mean_change_first"]), "mean change"),
        Part.number("Second", lambda row: fraction(row["mean_change_second"]), "mean change"),
        Part.number("Difference", lambda row: _change(row, notes)),
        Part.number("p", lambda row: p_value(row["p"])),
        Part.number(f"p, {adjustment(frame)}", lambda row: p_value(row["p_adjusted"])),
    )
    groups = tuple(
        Group(Entry(place.name, (EVERY if variant == "all" else str(variant),)), filled(part, parts))
        for place in _pooled(context, mine)
        for (variant,), part in place.rows(mine).partition_by("variant", as_dict=True, maintain_order=True).items()
    )
    return Table(
        id="stability-pairs",
        caption="Stability of planned pairs",
        columns=headings_of(parts),
        groups=groups,
        csv="stability_pairs",
        notes=notes.listed(),
        explanation=f"Difference: first minus second, with 95% interval. {together(mine['method'])}. "
        f"{adjustment(frame)}'s adjustment is over all pairs of an arm at a place under a perturbation.",
        empty="No pair was planned, or no image was perturbed.",
    )


def _planned(context: ReportContext) -> list[tuple[str, str]]:
    frame = context.seen.effects.filter(pl.col("effect") == "pair")
    return frame.select("first", "second").unique(maintain_order=True).rows()


def _change(row: Facts, notes: Footnotes) -> Entry:
    return Entry(
        signed(row["difference"]), lines(signed_interval(row["low"], row["high"])), mark=notes.mark(row["flag"])
    )
