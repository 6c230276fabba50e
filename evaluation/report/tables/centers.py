"""Do results hold across external centers? Random-effects summaries, and whether scores betray the center."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from math import sqrt

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
from evaluation.report.names import cell_heading, pair_heading, together
from evaluation.report.numbers import (
    MISSING,
    bounds,
    count,
    estimate,
    fraction,
    p_equation,
    p_value,
    percent,
    plain,
    plural,
    signed,
    signed_interval,
)
from evaluation.report.tables.effects import KINDS, names

SHOWN = "random effects (REML), Hartung-Knapp"
"""The variant that is shown; the CSV holds DerSimonian-Laird's and normal intervals too."""
TOO_FEW = "At least two external centers with a result are needed."
EXPLANATION = (
    "Method: {}; other variants are in the CSV. Prediction interval: for the true value in a new "
    "center. τ: standard deviation between centers{}; I²: their share of all variance. Q: p of the "
    "test that centers agree, which a few centers rarely reject. Where a few centers happen to agree, the interval may "
    "be narrower than that of any of them; then go by the normal one in the CSV. Without a center: the same over the "
    "others."
)


def areas_over_centers(context: ReportContext) -> Table:
    """AUC of every cell over the external centers, on the logit scale."""
    frame = context.seen.heterogeneity.filter((pl.col("measure") == "auc") & (pl.col("scale") == "logit"))
    notes = Footnotes()
    heading = Part(Column("Cell"), lambda row: cell_heading(context, row["first"]))
    value = Part.number("AUC over centers", lambda row: _area(row, notes, counted=not _how_many(frame)))
    parts = (heading, value, *_spread(bounds), *_left_out(context, frame, _area_without))
    arms = ordered(frame["arm"], context.arms)
    groups = tuple(Group(Entry(arm), filled(_rows(frame.filter(pl.col("arm") == arm)), parts)) for arm in arms)
    return Table(
        id="centers-auc",
        caption=f"AUC over {_how_many(frame)}external centers",
        columns=headings_of(parts),
        groups=groups,
        csv="heterogeneity",
        notes=notes.listed(),
        explanation=EXPLANATION.format(_methods(frame), " in logits"),
        empty=TOO_FEW,
    )


def differences_over_centers(context: ReportContext) -> Table:
    """Contrasts of single models over the external centers."""
    frame = context.seen.heterogeneity.filter(pl.col("measure") != "auc")
    notes = Footnotes()
    heading = Part(Column("First against second"), lambda row: _who(context, row))
    value = Part.number("Difference over centers", lambda row: _difference(row, notes, counted=not _how_many(frame)))
    p = Part.number("p", lambda row: p_value(row["p"]))
    parts = (heading, value, p, *_spread(signed_interval), *_left_out(context, frame, _difference_without))
    found = frame.partition_by("arm", "measure", as_dict=True, maintain_order=True)
    keys = [(arm, kind) for arm in ordered(frame["arm"], context.arms) for kind in KINDS if (arm, kind) in found]
    return Table(
        id="centers-differences",
        caption=f"Contrasts over {_how_many(frame)}external centers",
        columns=headings_of(parts),
        groups=tuple(
            Group(Entry(f"{arm}: {KINDS[kind][0]}", (KINDS[kind][1],)), filled(_rows(found[arm, kind]), parts))
            for arm, kind in keys
        ),
        csv="heterogeneity",
        notes=notes.listed(),
        explanation=EXPLANATION.format(f"{_methods(frame)}; p not adjusted", ""),
        empty=TOO_FEW,
    )


def _rows(frame: pl.DataFrame) -> Iterator[Facts]:
    """The shown variant of each cell or contrast, with the rows in which a center is left out under the center."""
    for part in frame.partition_by("first", "second", maintain_order=True):
        shown = part.filter(pl.col("left_out") == "", pl.col("method").str.starts_with(SHOWN))
        without = {row["left_out"]: row for row in part.iter_rows(named=True) if row["left_out"]}
        yield from ({**row, "without": without} for row in shown.iter_rows(named=True))


def _spread(show: Callable[[float, float], str]) -> Iterator[Part]:
    """How much the centers differ."""
    yield Part.number("Prediction interval", lambda row: show(row["prediction_low"], row["prediction_high"]))
    yield Part.number("τ", lambda row: fraction(sqrt(row["tau2"])), title="standard deviation between centers")
    yield Part.number("I²", lambda row: percent(row["i2"]))
    yield Part.number("Q", lambda row: Entry(plain(row["q"], 2), (p_equation(row["q_p"]),)))


def _left_out(context: ReportContext, frame: pl.DataFrame, show: Callable[[Facts], str | Entry]) -> Iterator[Part]:
    """A column for each center, without which the summary is made again."""
    for center in ordered((name for name in frame["left_out"] if name), context.centers("external")):
        yield Part.number(f"Without {center}", partial(_without, center, show))


def _without(center: str, show: Callable[[Facts], str | Entry], row: Facts) -> str | Entry:
    found = row["without"].get(center)
    return MISSING if found is None else show(found)


def _methods(frame: pl.DataFrame) -> str:
    return together(frame.filter(pl.col("method").str.starts_with(SHOWN))["method"])


def _how_many(frame: pl.DataFrame) -> str:
    """The number of centers where it is the same for all."""
    counts = frame.filter(pl.col("left_out") == "")["centers"].unique()
    return f"{counts[0]} " if len(counts) == 1 else ""


def _area(row: Facts, notes: Footnotes, *, counted: bool) -> Entry:
    return Entry(
        estimate(row["estimate"], row["low"], row["high"]),
        (plural(row["centers"], "center"),) if counted else (),
        title=row["method"],
        mark=notes.mark(row["flag"]),
    )


def _area_without(row: Facts) -> Entry:
    return Entry(fraction(row["estimate"]), lines(bounds(row["low"], row["high"])), title=row["flag"])


def _who(context: ReportContext, row: Facts) -> Entry:
    if row["measure"] == "pair":
        return pair_heading(context, row["first"], row["second"])
    first, second = names(context, row | {"effect": row["measure"]})
    return Entry(first, (f"against {second}",))


def _difference(row: Facts, notes: Footnotes, *, counted: bool) -> Entry:
    return Entry(
        signed(row["estimate"]),
        lines(signed_interval(row["low"], row["high"]), plural(row["centers"], "center") if counted else ""),
        title=row["method"],
        mark=notes.mark(row["flag"]),
    )


def _difference_without(row: Facts) -> Entry:
    return Entry(signed(row["estimate"]), lines(signed_interval(row["low"], row["high"])), title=row["flag"])


def center_probe(context: ReportContext) -> Table:
    """Can the center be told from a cell's scores?"""
    frame = context.seen.center_probe
    notes = Footnotes()
    parts = (
        Part(Column("Cell"), lambda row: cell_heading(context, row["cell"])),
        Part.number("Centers", lambda row: count(row["centers"])),
        Part.number("Images", lambda row: count(row["cases"])),
        Part.number("AUC of the center", lambda row: Entry(fraction(row["auc"]), mark=notes.mark(row["flag"]))),
        Part.number("p", lambda row: p_value(row["p"])),
        Part.number("Balanced accuracy", lambda row: fraction(row["balanced_accuracy"])),
        Part.number("Chance", lambda row: fraction(row["chance"]), title="balanced accuracy without information"),
    )
    arms = ordered(frame["arm"], context.arms)
    return Table(
        id="center-probe",
        caption="Do scores betray the center?",
        columns=headings_of(parts),
        groups=tuple(Group(Entry(arm), filled(frame.filter(pl.col("arm") == arm), parts)) for arm in arms),
        csv="center_probe",
        notes=notes.listed(),
        explanation="0.5: the scores of external images say nothing about their center. Method: "
        f"{together(frame['method'])}; p not adjusted.",
        empty="At least two external centers are needed.",
    )
