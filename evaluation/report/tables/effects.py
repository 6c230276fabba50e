"""Contrasts of single models as display tables: the primary family, and the effects of pretraining and init."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from evaluation.comparison.effects import KINDS as NAMED
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
    has,
    headings_of,
    lined,
    lines,
    ordered,
    where,
)
from evaluation.report.names import (
    Place,
    adjustment,
    common_sample,
    pair_heading,
    pair_labels,
    places,
    shared_flag,
    together,
)
from evaluation.report.numbers import (
    MISSING,
    count,
    fraction,
    is_missing,
    p_equation,
    p_value,
    plural,
    signed,
    signed_interval,
)

KINDS = {
    "payoff": ("payoff", "a source with an init against scratch"),
    "source": ("source effect", "one source against another, over the inits that a backbone has of both"),
    "init": ("init effect", "one init against another, over the sources that a backbone has with both"),
    "pair": ("planned pairs", "one cell against another"),
}
"""The contrasts, how they are called, and what each of them compares."""
MEANS = (
    "Difference: first minus second, the mean over replicates of the AUCs of single models and, but for pairs of "
    "cells, over backbones with equal weight. Intervals are not adjusted."
)
INTERACTION = (
    "Interaction: does a backbone differ from the mean of the others? The smallest p of the backbones, by Bonferroni."
)


def primary(context: ReportContext) -> Table:
    """The contrasts that the study was made for."""
    frame = lined(context.seen.effects).filter(pl.col("family") == "primary")
    notes = Footnotes()
    parts = tuple(_parts(context, frame, notes))
    groups = tuple(Group(Entry(place.name), filled(place.rows(frame), parts)) for place in places(context, frame))
    return Table(
        id="contrasts-primary",
        caption=f"Primary contrasts: single models{_counts(frame)}",
        label="Primary contrasts",
        columns=headings_of(parts),
        groups=groups,
        csv="effects",
        notes=notes.listed(),
        explanation=_explained(frame, "the primary contrasts"),
        empty="No primary contrast can be shown yet.",
    )


def named_effects(context: ReportContext) -> list[Table]:
    """Payoff, source and init effects at every place, and the planned pairs where they are not the primary family."""
    frame = lined(_at_the_only_center(context, context.seen.effects))
    frame = frame.filter((pl.col("family") != "primary") | (pl.col("effect") != "pair"))
    return [_named(context, place, place.rows(frame)) for place in places(context, frame)]


def _named(context: ReportContext, place: Place, frame: pl.DataFrame) -> Table:
    notes = Footnotes()
    parts = tuple(_parts(context, frame, notes))
    found = frame.partition_by("arm", "effect", as_dict=True, maintain_order=True)
    keys = [(arm, kind) for arm in ordered(frame["arm"], context.arms) for kind in KINDS if (arm, kind) in found]
    groups = tuple(
        Group(Entry(f"{arm}: {KINDS[kind][0]}", (KINDS[kind][1],)), filled(found[arm, kind], parts))
        for arm, kind in keys
    )
    return Table(
        id=table_id(place),
        caption=f"Effects of pretraining and init: {place.name}{_counts(frame)}",
        label=f"Effects of pretraining and init, {place.name}",
        columns=headings_of(parts),
        groups=groups,
        csv="effects",
        notes=notes.listed(),
        explanation=_explained(frame, "the contrasts of a kind, or the primary ones"),
    )


def named_frame(context: ReportContext) -> tuple[pl.DataFrame, Place | None]:
    """Rows of payoff, source and init effects at all places, and the most general of these; None without any."""
    frame = _at_the_only_center(context, context.seen.effects).filter(pl.col("effect").is_in(NAMED))
    found = places(context, frame)
    return frame, found[0] if found else None


def _at_the_only_center(context: ReportContext, effects: pl.DataFrame) -> pl.DataFrame:
    """Named effects at the only external center as the pooled rows tell them, which hold the primary family.

    Both are of the same images; but at single centers nothing is primary, and p is adjusted within other families.
    """
    centers, outside = context.centers("external"), pl.col("role") == "external"
    pooled = outside & (pl.col("center") == "all") & pl.col("effect").is_in(NAMED)
    if len(centers) != 1 or effects.filter(pooled).is_empty():
        return effects
    told_twice = outside & (pl.col("center") == centers[0]) & pl.col("effect").is_in(NAMED)
    return effects.filter(~told_twice).with_columns(center=pl.when(pooled).then(pl.lit(centers[0])).otherwise("center"))


def table_id(place: Place) -> str:
    """Where the effects of a place stand on the page."""
    return f"effects-{place.role}-{place.center}"


def _counts(frame: pl.DataFrame) -> str:
    shared = common_sample(frame, "")
    return f", {shared}" if shared else ""


def _parts(context: ReportContext, frame: pl.DataFrame, notes: Footnotes) -> Iterator[Part]:
    """The columns; those of which no contrast of the frame has a number are left out."""
    families = set(frame["family"]) if frame["family"].n_unique() > 1 else set()
    bootstrap, shared = has(frame, "bootstrap_low"), shared_flag(frame)
    yield Part(Column("First against second"), lambda row: _who(context, row, mixed="primary" in families))
    if not common_sample(frame, ""):
        yield Part.number("n+ / n−", lambda row: f"{count(row['n_positive'])} / {count(row['n_negative'])}")
    yield Part.number("Difference", lambda row: _difference(context, row, notes, shared), "below: both mean AUCs")
    yield Part.number("95% interval", _interval, *("below: two-way bootstrap",) * bootstrap)
    yield Part.number(
        "p",
        lambda row: Entry(p_value(row["p"]), lines(p_value(row["bootstrap_p"])), sort=row["p"]),
        *("bootstrap",) * bootstrap,
    )
    yield Part.number(f"p, {adjustment(frame)}", lambda row: Entry(p_value(row["p_adjusted"]), sort=row["p_adjusted"]))
    if has(frame, "non_inferior_p"):
        yield Part.number("p", lambda row: p_value(row["non_inferior_p"]), "non-inferiority", title="one-sided")
    if has(frame, "interaction_p"):
        yield Part.number("Interaction", _interaction, "with backbone")
    yield Part.number("Aggregates", _aggregate, f"secondary: {together(frame['aggregate_method'])}")


def _who(context: ReportContext, row: Facts, *, mixed: bool) -> Entry:
    if row["effect"] == "pair":
        return pair_heading(context, row["first"], row["second"])
    first, second = names(context, row)
    without = row["without"] and f"without {row['without']}"
    return Entry(
        first,
        lines(f"against {second}", row["backbones"], without),
        _tags(row, mixed=mixed),
        title=f"{row['arm']}: {KINDS[row['effect']][1]}",
    )


def _tags(row: Facts, *, mixed: bool) -> tuple[str, ...]:
    """Among other families the primary ones are marked; within it, what they compare."""
    if mixed:
        return ("primary",) if row["family"] == "primary" else ()
    return (KINDS[row["effect"]][0],) if row["family"] == "primary" else ()


def names(context: ReportContext, row: Facts) -> tuple[str, str]:
    """First and second of a contrast in words."""
    if row["effect"] == "pair":
        return pair_labels(context, row["first"], row["second"])
    return " · ".join(row["first"].rsplit("-", 1)) if row["effect"] == "payoff" else row["first"], row["second"]


def averaged(row: Facts) -> str:
    """Over how many backbones a named effect is averaged, and which could not take part; empty for a pair of cells."""
    if row["effect"] == "pair":
        return ""
    backbones = row["backbones"].split(", ") if row["backbones"] else []
    over = f"{backbones[0]} only" if len(backbones) == 1 else f"{len(backbones)} backbones"
    return ", ".join(lines(over if backbones else "", row["without"] and f"without {row['without']}"))


def _difference(context: ReportContext, row: Facts, notes: Footnotes, shared: str) -> Entry:
    spread = (
        f"SE {fraction(row['se'])}, over cases alone {fraction(row['se_cases'])}; "
        f"SD of the replicates' differences {fraction(row['sd_replicates'])}"
    )
    remark = "; ".join(lines("" if row["flag"] == shared else row["flag"], _note(context, row)))
    both = (
        () if is_missing(row["auc_first"]) else (f"{fraction(row['auc_first'])} against {fraction(row['auc_second'])}",)
    )
    return Entry(
        signed(row["difference"]),
        both,
        title=f"{spread}; {where('effects', row)}",
        mark=notes.mark(remark),
        sort=row["difference"],
    )


def _note(context: ReportContext, row: Facts) -> str:
    """What the secondary analysis of the same primary pair notes about its images."""
    if (row["family"], row["effect"]) != ("primary", "pair"):
        return ""
    same = pl.all_horizontal(pl.col(name) == row[name] for name in ("family", "role", "center", "first", "second"))
    return together(context.seen.contrasts.filter(same)["note"])


def _interval(row: Facts) -> Entry:
    bootstrap = signed_interval(row["bootstrap_low"], row["bootstrap_high"])
    return Entry(
        signed_interval(row["low"], row["high"]),
        lines(uncertainty(row), bootstrap),
        title=row["method"],
        sort=row["low"],
    )


def uncertainty(row: Facts) -> str:
    """What the interval of a contrast covers; empty without an interval."""
    if is_missing(row["low"]):
        return ""
    if "case uncertainty only" in row["method"]:
        return "case uncertainty only (fewer than 3 replicates)"
    if row["units"] == row["replicates"]:
        return f"over cases and {plural(row['replicates'], 'replicate')}"
    return f"over cases and {plural(row['units'], 'fold')} of {plural(row['replicates'], 'replicate')}"


def _interaction(row: Facts) -> Entry:
    return Entry(p_value(row["interaction_p"]), lines(row["interaction_backbone"]), sort=row["interaction_p"])


def _aggregate(row: Facts) -> Entry:
    if is_missing(row["aggregate_difference"]):
        return Entry(MISSING)
    bounds = signed_interval(row["aggregate_low"], row["aggregate_high"])
    return Entry(
        signed(row["aggregate_difference"]), (bounds, p_equation(row["aggregate_p"])), sort=row["aggregate_difference"]
    )


def _explained(frame: pl.DataFrame, family: str) -> str:
    """How intervals and p values were made."""
    methods = "; ".join(lines(together(frame["method"]), together(frame["bootstrap"])))
    words = [MEANS, f"Methods: {methods}. {adjustment(frame)}'s adjustment is within {family}."]
    if has(frame, "non_inferior_p"):
        words.append("Non-inferiority: one-sided, the first is not worse by the margin of the plan.")
    if has(frame, "interaction_p"):
        words.append(INTERACTION)
    return " ".join([*words, f"All rows: {shared_flag(frame)}."] if shared_flag(frame) else words)
