"""How well cells discriminate, as display tables: AUCs at every place; average precision and single models beside."""

from __future__ import annotations

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Column, Entry, Facts, Footnotes, Group, Row, Table, lined, lines, ordered, where
from evaluation.report.names import Place, arm_box, cell_heading, common_sample, places, sample
from evaluation.report.numbers import count, estimate, fraction, interval, is_missing

SPREAD = "SD: spread of single models, over folds (their means) and over seeds (within a fold); it is no interval."


def discrimination(context: ReportContext, arm: str) -> Table:
    """AUC of each cell of an arm at each place, class counts in the heading."""
    frame = lined(context.seen.performance).filter(pl.col("arm") == arm)
    found = places(context, frame)
    notes = Footnotes()
    cells = ordered(frame["cell"].to_list(), context.cells_of(arm))
    rows = tuple(_auc_row(context, frame.filter(pl.col("cell") == cell), found, notes) for cell in cells)
    return Table(
        id=f"discrimination-{arm}",
        caption="AUC with 95% interval",
        label=f"AUC with 95% interval, {arm}, {arm_box(context, arm)}",
        columns=(Column("Cell"), *(_place_column(place.rows(frame), place) for place in found)),
        groups=(Group(None, rows),),
        csv="performance",
        notes=notes.listed(),
        empty="No AUC yet.",
    )


def _place_column(frame: pl.DataFrame, place: Place) -> Column:
    varying = "n differs by cell, see the tooltips"
    return Column(place.heading, numeric=True, details=(common_sample(frame, varying),))


def _auc_row(context: ReportContext, frame: pl.DataFrame, found: list[Place], notes: Footnotes) -> Row:
    general = _most_general(found)
    entries = (_auc_entry(place.rows(frame), notes, with_single=place in general) for place in found)
    return (cell_heading(context, frame["cell"][0]), *entries)


def _most_general(found: list[Place]) -> list[Place]:
    """The first place of each role."""
    return list({place.role: place for place in reversed(found)}.values())[::-1]


def _auc_entry(frame: pl.DataFrame, notes: Footnotes, *, with_single: bool) -> Entry:
    if frame.is_empty():
        return Entry("–", title="not tested here")
    row = frame.row(0, named=True)
    facts = [row["flag"], row["method"], sample(row["n_positive"], row["n_negative"]), f"SE {fraction(row['se'])}"]
    facts.append(where("performance", row))
    return Entry(
        estimate(row["auc"], row["low"], row["high"]),
        (*_naive(row), *(_single(row) if with_single else ())),
        title="; ".join(fact for fact in facts if fact),
        mark=notes.mark(row["flag"]),
        sort=row["auc"],
    )


def _naive(row: Facts) -> tuple[str, ...]:
    naive = interval(row["auc_naive_low"], row["auc_naive_high"])
    return () if naive in ("–", interval(row["low"], row["high"])) else (f"naive {naive}",)


def _single(row: Facts) -> tuple[str, ...]:
    if is_missing(row["single_mean"]):
        return ()
    spread = "" if is_missing(row["single_sd"]) else f" ± {fraction(row['single_sd'])}"
    return (f"single models {fraction(row['single_mean'])}{spread}",)


def single_models(context: ReportContext, arm: str) -> Table:
    """Mean AUC of a cell's single models with interval and spread, and average precision; a group per role."""
    frame = lined(context.seen.performance).filter(pl.col("arm") == arm)
    found = _most_general(places(context, frame))
    covered = lines(*ordered((_covers(method) for method in frame["single_method"]), ()))
    shared = len(covered) == 1
    return Table(
        id=f"single-models-{arm}",
        caption="Single models and average precision",
        label=f"Single models and average precision, {arm}, {arm_box(context, arm)}",
        columns=(
            Column("Cell"),
            Column("Replicates", numeric=True, details=("scored / planned",)),
            Column("Mean AUC", numeric=True, details=("of single models",)),
            Column("95% interval", numeric=True, details=covered if shared else ()),
            Column("SD", numeric=True),
            Column("SD of folds", numeric=True),
            Column("SD of seeds", numeric=True),
            Column("Average precision", numeric=True, details=("of the aggregate",)),
            Column("Best F1", numeric=True, details=("optimistic",), title="its threshold is chosen on these images"),
        ),
        groups=tuple(_role_group(context, arm, place, place.rows(frame), shared=shared) for place in found),
        csv="performance",
        explanation=f"{SPREAD} Average precision, with an interval over images, is that of the aggregate; a score "
        "without skill reaches the prevalence.",
        empty="No AUC yet.",
    )


def _role_group(context: ReportContext, arm: str, place: Place, frame: pl.DataFrame, *, shared: bool) -> Group:
    rows = {row["cell"]: row for row in frame.iter_rows(named=True)}
    detail = f"{common_sample(frame, 'n differs by cell')}{_prevalence(frame)}"
    cells = ordered(rows, context.cells_of(arm))
    return Group(
        Entry(place.name, (detail,)),
        tuple(_single_row(cell_heading(context, cell), rows[cell], shared=shared) for cell in cells),
    )


def _prevalence(frame: pl.DataFrame) -> str:
    shares = (frame["n_positive"] / (frame["n_positive"] + frame["n_negative"])).unique()
    return f", prevalence {fraction(shares[0])}" if len(shares) == 1 else ""


def _single_row(heading: Entry, row: Facts, *, shared: bool) -> Row:
    covered = () if shared else lines(_covers(row["single_method"]))
    bounds = interval(row["average_precision_low"], row["average_precision_high"])
    return (
        heading,
        Entry(f"{count(row['replicates'])}/{count(row['replicates_planned'])}"),
        Entry(fraction(row["single_mean"]), title=where("performance", row), sort=row["single_mean"]),
        Entry(
            interval(row["single_low"], row["single_high"]), covered, title=row["single_method"], sort=row["single_low"]
        ),
        *(Entry(fraction(row[name]), sort=row[name]) for name in ("single_sd", "single_sd_folds", "single_sd_seeds")),
        Entry(fraction(row["average_precision"]), lines(bounds), sort=row["average_precision"]),
        Entry(fraction(row["best_f1"]), sort=row["best_f1"]),
    )


def _covers(method: str) -> str:
    """What an interval of single models covers."""
    if not method:
        return ""
    return "cases only" if "case uncertainty only" in method else f"cases and {_units(method)}"


def _units(method: str) -> str:
    """What counts as a draw of the recipe: folds, or seeds where there is one fold."""
    return next((name for name in ("folds", "seeds") if f"{name} as" in method), "replicates")
