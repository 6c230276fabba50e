"""Where networks look, against the boxes of the radiologists, as display tables."""

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
    cell_label,
    pair_heading,
    places,
    together,
)
from evaluation.report.numbers import count, fraction, interval, is_missing, p_value, plain, plural, signed
from evaluation.report.numbers import signed_interval as between

EXPLANATION = (
    "Pointing game: share of maps whose maximum lies in a box; chance: the share of the places of a map that lie in "
    "one. Energy: share of a map's sum that lies in the boxes; chance: their share of what the network saw. Overlap: "
    "intersection over union of the boxes with the part of the map that reaches 50% of its maximum; below with 15%, "
    "25%, and as many of the highest places as the boxes have. Right, wrong: of images that the cell decides rightly "
    "or wrongly by the carried threshold of the first rule. 95% intervals: {methods}."
)
SANITY = (
    "Do the maps depend on what was learned? Each was compared with the map of the same architecture with random "
    "weights. Their rank correlation, 1 if training had changed nothing, is {range}. The closer to 1, the less the "
    "maps say of what the cell learned."
)
MEASURES = {"pointing": "Pointing game", "energy": "Energy in the boxes"}


def saliency(context: ReportContext, arm: str) -> list[Table]:
    """One table per place, most general first; a row per cell."""
    frame = context.seen.saliency.filter(pl.col("arm") == arm)
    return [_table(context, arm, place, place.rows(frame)) for place in places(context, frame)]


def _table(context: ReportContext, arm: str, place: Place, frame: pl.DataFrame) -> Table:
    notes = Footnotes()
    parts = (
        Part(Column("Cell"), lambda row: cell_heading(context, row["cell"])),
        Part.number("Maps", lambda row: _counts(row, notes), "patients", "places of a map"),
        Part.number("Pointing game", lambda row: _share(row, "pointing", "chance_pointing")),
        Part.number("Energy", lambda row: _share(row, "energy", "chance")),
        Part.number("Overlap", _overlap),
        Part.number("Right", lambda row: _decided(row["right"]), "pointing game"),
        Part.number("Wrong", lambda row: _decided(row["wrong"]), "pointing game"),
        Part.number("Random weights", lambda row: plain(row["randomized"], 2)),
    )
    return Table(
        id=f"saliency-{arm}-{place.role}-{place.center}",
        caption=f"Saliency: {place.name}",
        label=f"Saliency, {place.name}, {arm}, {arm_box(context, arm)}",
        columns=headings_of(parts),
        groups=(Group(None, filled(_rows(context, arm, frame), parts)),),
        csv="saliency",
        notes=notes.listed(),
        explanation=EXPLANATION.format(methods=_methods(frame)),
    )


def _rows(context: ReportContext, arm: str, frame: pl.DataFrame) -> list[Facts]:
    """The row of each cell's maps, with those of right and of wrong decisions beside it, if there are any."""
    found = {(row["cell"], row["decisions"]): row for row in frame.iter_rows(named=True)}
    cells = ordered(frame["cell"], context.cells_of(arm))
    return [found[cell, "all"] | {part: found.get((cell, part)) for part in ("right", "wrong")} for cell in cells]


def _methods(frame: pl.DataFrame) -> str:
    """Interval methods in words, once each."""
    return together(pl.Series([part for text in frame["method"] for part in text.split("; ")], dtype=pl.String)) or "–"


def _counts(row: Facts, notes: Footnotes) -> Entry:
    return Entry(count(row["maps"]), lines(count(row["patients"]), row["grid"]), mark=notes.mark(row["flag"]))


def _share(row: Facts, name: str, by_chance: str) -> Entry:
    chance = "" if is_missing(row[by_chance]) else f"chance {fraction(row[by_chance])}"
    return Entry(fraction(row[name]), lines(interval(row[f"{name}_low"], row[f"{name}_high"]), chance))


def _overlap(row: Facts) -> Entry:
    others = [fraction(row[name]) for name in ("iou_15", "iou_25", "iou_same_area")]
    return Entry(fraction(row["iou_50"]), (", ".join(others),) if lines(*others) else ())


def _decided(row: Facts | None) -> Entry:
    if row is None:
        return Entry("–")
    return Entry(fraction(row["pointing"]), (f"energy {fraction(row['energy'])}", plural(row["maps"], "map")))


def sanity(context: ReportContext, arm: str) -> str:
    """What the maps of networks with random weights say, in words; nothing where nobody asked for them."""
    frame = context.seen.saliency.filter(pl.col("arm") == arm)
    every = frame.filter(pl.col("decisions") == "all").drop_nans("randomized")
    if not len(every):
        return ""
    place = places(context, every)[0]
    ranked = place.rows(every).sort("randomized")
    low, high = plain(ranked["randomized"][0], 2), plain(ranked["randomized"][-1], 2)
    cell = cell_label(context, ranked["cell"][-1])
    spread = f"{low} to {high} on average of a cell ({place.name}), highest in {cell}"
    return SANITY.format(range=spread if len(ranked) > 1 else f"{high} in {cell} ({place.name})")


def saliency_pairs(context: ReportContext) -> Table:
    """Planned pairs by how well their maps point, at the most general place of each role."""
    frame = context.seen.saliency_pairs
    notes = Footnotes()
    parts = (
        Part(Column("First against second"), lambda row: pair_heading(context, row["first"], row["second"])),
        Part.number("Maps", lambda row: Entry(count(row["maps"]), lines(count(row["patients"]))), "patients"),
        Part.number("First", lambda row: fraction(row["value_first"])),
        Part.number("Second", lambda row: fraction(row["value_second"])),
        Part.number("Difference", lambda row: _difference(row, notes)),
        Part.number("p", lambda row: p_value(row["p"])),
        Part.number(f"p, {adjustment(frame)}", lambda row: p_value(row["p_adjusted"])),
    )
    groups = tuple(
        Group(Entry(MEASURES[measure], (f"{arm}, {place.name}",)), filled(part, parts))
        for place in _general(context, frame)
        for (arm, measure), part in place.rows(frame).partition_by("arm", "measure", as_dict=True).items()
    )
    return Table(
        id="saliency-pairs",
        caption="Saliency of planned pairs",
        columns=headings_of(parts),
        groups=groups,
        csv="saliency_pairs",
        notes=notes.listed(),
        explanation="On the maps that both cells have. Difference: first minus second, with 95% interval; energies are "
        f"means of patients. {together(frame['method'])}. {adjustment(frame)}'s adjustment is over the planned pairs "
        "of an arm at a place.",
        empty="No pair was planned, or its cells share no map.",
    )


def _general(context: ReportContext, frame: pl.DataFrame) -> list[Place]:
    """The most general place of each role."""
    found = places(context, frame)
    return [place for place in found if place == next(one for one in found if one.role == place.role)]


def _difference(row: Facts, notes: Footnotes) -> Entry:
    return Entry(signed(row["difference"]), lines(between(row["low"], row["high"])), mark=notes.mark(row["flag"]))
