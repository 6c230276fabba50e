"""A reader study as display tables: each reader's change, all readers together, operating points, agreement."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from evaluation.readers.groups import shared_by
from evaluation.readers.study import ReaderStudy
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
)
from evaluation.report.names import sample, together
from evaluation.report.numbers import (
    MISSING,
    bounds,
    count,
    fraction,
    interval,
    is_missing,
    p_value,
    plain,
    plural,
    signed,
    signed_interval,
)

SAMPLES = {
    ("random", "random"): ("Readers and cases like these", "both random: the analysis for a claim about others"),
    ("fixed", "random"): ("These readers, cases like these", "readers fixed, cases random"),
    ("random", "fixed"): ("Readers like these, these cases", "readers random, cases fixed"),
}
"""For whom and what a result holds."""


def reader_words(context: ReportContext) -> str:
    """The study in one sentence per comparison: how many readers changed, how much, and how much they differ."""
    study = context.readers
    return "" if study is None else " ".join(_words(study, modality) for modality in study.modalities[:-1])


def reader_changes(context: ReportContext) -> list[Table]:
    """Each reader's AUC in the reference and in another modality, the largest gain first, within groups of readers."""
    study = context.readers
    return [] if study is None else [_changes(study, modality) for modality in study.modalities[:-1]]


def reader_means(context: ReportContext) -> Table:
    """All readers together, by what is taken as a sample of others."""
    study = context.readers
    rows = [] if study is None else list(_pairs(study))
    parts = (
        Part(Column("Comparison"), lambda row: Entry(f"{row['first']} against {row['second']}")),
        Part(Column("Holds for"), lambda row: Entry(*_sample(row))),
        Part.number(
            "Mean AUC", lambda row: Entry(fraction(row["auc_first"]), (f"against {fraction(row['auc_second'])}",))
        ),
        Part.number("Difference", lambda row: Entry(signed(row["difference"]), sort=row["difference"])),
        Part.number("95% interval", lambda row: signed_interval(row["low"], row["high"])),
        Part.number("Degrees of freedom", lambda row: plain(row["df"], 1), title="infinite: the normal distribution"),
        Part.number("p", lambda row: Entry(p_value(row["p"]), lines(row["flag"]))),
    )
    return Table(
        "readers-means",
        "All readers together",
        headings_of(parts),
        (Group(None, filled(rows, parts)),),
        csv="readers_differences",
        explanation="Obuchowski and Rockette's analysis with Hillis' degrees of freedom; the first row of a comparison "
        "is the one for a claim about future readers and patients. p values are not adjusted.",
        empty="No pair of modalities.",
    )


def reader_points(context: ReportContext) -> Table:
    """Sensitivity and specificity of each reader at the rating threshold."""
    study = context.readers
    points = pl.DataFrame() if study is None else study.operating_points
    threshold = points["threshold"][0] if points.height else None
    found = {(row["reader"], row["modality"]): row for row in points.iter_rows(named=True)}
    modalities = () if study is None else tuple(reversed(study.modalities))
    columns = (f"{rate} {name}" for rate in ("Sensitivity", "Specificity") for name in modalities)
    rows = (
        (
            Entry(reader),
            *(_rate(found[reader, name], rate) for rate in ("sensitivity", "specificity") for name in modalities),
        )
        for reader in dict.fromkeys(reader for reader, _ in found)
    )
    return Table(
        "readers-points",
        "Operating points of the readers" + (f", rating ≥ {threshold:g}" if threshold is not None else ""),
        (Column("Reader"), *(Column(name, numeric=True) for name in columns)),
        (Group(None, tuple(rows)),),
        csv="readers_operating_points",
        explanation="Clopper-Pearson intervals.",
        empty="No rating threshold was given; `osteogrid readers … --threshold` names one.",
    )


def reader_agreement(context: ReportContext) -> list[Table]:
    """Cohen's kappa of each pair of readers, a column per modality."""
    study = context.readers
    if study is None or study.agreement.is_empty():
        return []
    kinds = study.agreement.select("of", "weights").unique(maintain_order=True).rows()
    return [_agreement(study, of, weights) for of, weights in kinds]


def _words(study: ReaderStudy, modality: str) -> str:
    rows = study.changes.filter(pl.col("modality") == modality)
    gained, lost = rows.filter(pl.col("low") > 0).height, rows.filter(pl.col("high") < 0).height
    row = next(iter(study.differences.filter(_is_pair(modality, study.reference)).iter_rows(named=True)))
    mean = f"mean change {signed(row['difference'])}"
    if not is_missing(row["low"]):
        mean += f" (95% interval {signed_interval(row['low'], row['high'])}, random readers and cases)"
    many = plural(len(study.readers), "reader")
    ranged = f"from {signed(rows['difference'].min())} to {signed(rows['difference'].max())}"  # type: ignore[arg-type]
    alone = f"{gained} gained and {lost} lost by intervals of their own that exclude 0"
    who = f"{many}, {sample(study.n_positive, study.n_negative)}; {modality} against {study.reference}"
    return f"{who}: {mean}. Single readers change {ranged}; {alone}."


def _is_pair(first: str, second: str) -> pl.Expr:
    return (pl.col("first") == first) & (pl.col("second") == second)


def _changes(study: ReaderStudy, modality: str) -> Table:
    notes = Footnotes()
    rows = study.changes.filter(pl.col("modality") == modality).join(study.about, on="reader", how="left")
    ranked = rows.sort("difference", descending=True, nulls_last=True, maintain_order=True)
    spans = {
        (row["reader"], row["modality"]): interval(row["low"], row["high"]) for row in study.areas.iter_rows(named=True)
    }

    def auc(row: Facts, which: str, value: float) -> Entry:
        return Entry(fraction(value), lines(spans[row["reader"], which]), sort=value)

    parts = (
        Part(Column("Reader"), lambda row: Entry(row["reader"], _about(row))),
        Part.number(f"AUC {study.reference}", lambda row: auc(row, study.reference, row["reference_auc"])),
        Part.number(f"AUC {modality}", lambda row: auc(row, modality, row["auc"])),
        Part.number(
            "Change", lambda row: Entry(signed(row["difference"]), mark=notes.mark(row["flag"]), sort=row["difference"])
        ),
        Part.number("95% interval", lambda row: signed_interval(row["low"], row["high"])),
        Part.number("p", lambda row: p_value(row["p"])),
        Part.number("p, Holm", lambda row: p_value(row["p_adjusted"]), title="adjusted for the number of readers"),
    )
    by = next(shared_by(study.about), None)
    groups = tuple(_groups(study, modality, by, ranked, parts)) if by else (Group(None, filled(ranked, parts)),)
    return Table(
        f"readers-changes-{study.modalities.index(modality)}",
        f"Change of each reader, {modality} against {study.reference}",
        headings_of(parts),
        groups,
        csv="readers_changes",
        notes=notes.listed(),
        explanation=f"{together(rows['method'])}; intervals and p of each reader are over cases. "
        "Largest gain first; whether groups of readers differ is not tested."
        if by
        else f"{together(rows['method'])}; intervals and p of each reader are over cases. Largest gain first.",
    )


def _about(row: Facts) -> tuple[str, ...]:
    years = row["experience"] or ""
    spelled = f"{years} years" if years.replace(".", "", 1).isdigit() else years
    return lines(", ".join(word for word in (row["group"] or "", spelled) if word))


def _groups(study: ReaderStudy, modality: str, by: str, rows: pl.DataFrame, parts: tuple[Part, ...]) -> Iterator[Group]:
    means = study.groups.filter((pl.col("by") == by) & (pl.col("modality") == modality))
    for mean in means.iter_rows(named=True):
        value = f"{mean['value']} years" if by == "experience" and mean["value"].isdigit() else mean["value"]
        told = f"mean change {signed(mean['difference'])} ({signed_interval(mean['low'], mean['high'])})"
        how = "over cases" if mean["readers"] == "fixed" else "over readers and cases"
        heading = Entry(f"{value}, {plural(mean['n_readers'], 'reader')}", (f"{told}, {how}",), title=mean["method"])
        yield Group(heading, filled(rows.filter(pl.col(by) == mean["value"]), parts))


def _pairs(study: ReaderStudy) -> Iterator[Facts]:
    """Differences from the reference, with the means of both, the random sample of both first."""
    means = {(row["readers"], row["cases"], row["modality"]): row["auc"] for row in study.means.iter_rows(named=True)}
    for modality in study.modalities[:-1]:
        for row in study.differences.filter(_is_pair(modality, study.reference)).iter_rows(named=True):
            both = {f"auc_{side}": means[row["readers"], row["cases"], row[side]] for side in ("first", "second")}
            yield row | both


def _sample(row: Facts) -> tuple[str, tuple[str, ...]]:
    name, detail = SAMPLES[row["readers"], row["cases"]]
    return name, (detail,)


def _rate(row: Facts, name: str) -> Entry:
    right, wrong = ("tp", "fn") if name == "sensitivity" else ("tn", "fp")
    if is_missing(row[name]):
        return Entry(MISSING)
    counts = f"{count(row[right])}/{count(row[right] + row[wrong])}"
    return Entry(fraction(row[name]), (interval(row[f"{name}_low"], row[f"{name}_high"]), counts), sort=row[name])


def _agreement(study: ReaderStudy, of: str, weights: str) -> Table:
    chosen = study.agreement.filter((pl.col("of") == of) & (pl.col("weights") == weights))
    found = {(row["first"], row["second"], row["modality"]): row for row in chosen.iter_rows(named=True)}
    pairs = list(dict.fromkeys((first, second) for first, second, _ in found))
    notes = Footnotes()

    def kappa(row: Facts) -> Entry:
        value = row["kappa"]
        spread = bounds(row["low"], row["high"])
        return Entry(plain(value), lines(spread), mark=notes.mark(row["flag"]), sort=value)

    rows = tuple(
        (Entry(f"{first} and {second}"), *(kappa(found[first, second, name]) for name in reversed(study.modalities)))
        for first, second in pairs
    )
    columns = (Column("Readers"), *(Column(name, numeric=True) for name in reversed(study.modalities)))
    how = "" if weights == "none" else f", {weights} weights"
    return Table(
        f"readers-agreement-{of}-{weights}".replace(" ", "").replace(">=", "from"),
        f"Agreement of readers: kappa of the {of}{how}",
        columns,
        (Group(None, rows),),
        csv="readers_agreement",
        notes=notes.listed(),
        explanation="Cohen's kappa with its 95% interval, whatever the truth.",
    )


TABLES = (reader_changes, reader_means, reader_points, reader_agreement)
"""What the section is made of, beside its figure."""
