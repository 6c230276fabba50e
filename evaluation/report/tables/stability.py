"""What small changes of the image do to a cell's scores, as display tables."""

from __future__ import annotations

import polars as pl

from evaluation.comparison.stability_pairs import ALL
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
    ordered,
    where,
)
from evaluation.report.names import (
    Place,
    arm_box,
    cell_heading,
    places,
    together,
)
from evaluation.report.numbers import count, fraction, p_value, percent, plain, plural, signed, signed_interval

EXPLANATION = (
    "Difference: AUC of the perturbed images minus that of the same images as they are, mean over the draws, with 95% "
    "interval; p not adjusted. Mean change: of an image's score, absolute; below in standard deviations (SD) of the "
    "cell's scores of the images as they are. Pairs turned: pairs of a positive and a negative image that change their "
    "order; calls turned: images that change sides of the carried threshold of the first rule (below: among positives, "
    "among negatives). ICC: of consistency, below of absolute agreement. {}. Single centers are in the CSV."
)
KINDS = {
    "shift": "boxes moved by {:.0%} of their width and height, {}",
    "scale": "boxes {:.0%} as wide and high, about their center",
    "aspect": "boxes with {:.0%} of their width over height, the area kept",
}
"""What a perturbation does, by its kind: magnitude, and how many directions were drawn."""


def stability(context: ReportContext, arm: str) -> list[Table]:
    """One table per role, its most general place; a group per perturbation, a row per cell."""
    frame = lined(context.seen.stability).filter(pl.col("arm") == arm)
    return [_table(context, arm, place, place.rows(frame)) for place in pooled(context, frame)]


def step(variant: str) -> str:
    """A perturbation as a group's heading; `all` stands for their mean."""
    return "mean over the perturbations" if variant == ALL else variant


def pooled(context: ReportContext, frame: pl.DataFrame) -> list[Place]:
    """The most general place of each role."""
    found = places(context, frame)
    return [place for place in found if place == next(one for one in found if one.role == place.role)]


def _table(context: ReportContext, arm: str, place: Place, frame: pl.DataFrame) -> Table:
    notes = Footnotes()
    parts = (
        Part(Column("Cell"), lambda row: cell_heading(context, row["cell"])),
        Part.number("Images", _images, "n+ / n−"),
        Part.number("AUC perturbed", lambda row: _areas(row, notes), "below: originals"),
        Part.number("Difference", _difference),
        Part.number("p", lambda row: Entry(p_value(row["p"]), sort=row["p"])),
        Part.number("Mean change", _change, "below: in SD of the scores"),
        Part.number("Pairs turned", lambda row: Entry(percent(row["flips"]), sort=row["flips"])),
        Part.number("Calls turned", _calls),
        Part.number("ICC", lambda row: Entry(fraction(row["icc"]), lines(fraction(row["icc_agreement"])))),
    )
    groups = tuple(
        Group(Entry(variant, (_said(part),)), filled(_ranked(context, arm, part), parts))
        for (variant,), part in frame.partition_by("variant", as_dict=True, maintain_order=True).items()
    )
    return Table(
        id=f"stability-{arm}-{place.role}-{place.center}",
        caption=f"Stability: {place.name}, {_chosen(frame)}",
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


def _chosen(frame: pl.DataFrame) -> str:
    """How many of the images that were scored were perturbed too; cells may differ in both."""
    counts = frame.select("images", "images_scored").unique().sort("images", "images_scored").rows()
    least, most = counts[0], counts[-1]
    if least == most:
        return f"{count(most[0])} of {plural(most[1], 'image')}"
    return f"{count(least[0])} to {count(most[0])} of {plural(most[1], 'image')}"


def _said(frame: pl.DataFrame) -> str:
    """What the perturbation is, in words."""
    row = frame.row(0, named=True)
    draws = " or ".join(plural(number, "random direction") for number in frame["draws"].unique().sort())
    words = KINDS.get(row["kind"])
    return draws.replace("direction", "draw") if words is None else words.format(row["magnitude"], draws)


def _change(row: Facts) -> Entry:
    relative = plain(row["relative_change"], 2)
    return Entry(fraction(row["mean_change"]), lines(relative), title=where("stability", row), sort=row["mean_change"])


def _images(row: Facts) -> Entry:
    return Entry(count(row["images"]), (f"{count(row['n_positive'])} / {count(row['n_negative'])}",))


def _areas(row: Facts, notes: Footnotes) -> Entry:
    return Entry(fraction(row["auc"]), lines(fraction(row["auc_original"])), mark=notes.mark(row["flag"]))


def _difference(row: Facts) -> Entry:
    bounds = lines(signed_interval(row["low"], row["high"]))
    return Entry(signed(row["difference"]), bounds, title=where("stability", row), sort=row["difference"])


def _calls(row: Facts) -> Entry:
    each = [percent(row[f"decision_flips_{name}"]) for name in ("positive", "negative")]
    return Entry(percent(row["decision_flips"]), (", ".join(each),) if lines(*each) else ())
