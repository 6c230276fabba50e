"""Forests over external centers with the random-effects summary: planned contrasts, and AUCs of planned cells."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Facts
from evaluation.report.figures.drawing import COLORS
from evaluation.report.names import cell_label
from evaluation.report.numbers import MISSING, bounds, fraction, interval, is_missing, p_equation, percent, signed
from evaluation.report.numbers import signed_interval as ends
from evaluation.report.paper.figures.drawing import Drawing
from evaluation.report.paper.figures.intervals import IntervalRow, interval_figure, pages
from evaluation.report.paper.figures.planned import chosen_words, planned_cells, who
from evaluation.report.paper.figures.style import Style
from evaluation.report.tables.centers import SHOWN
from evaluation.report.tables.effects import KINDS

CAPTION = (
    "{} Squares: single centers with 95% intervals{}; diamonds: {}; pale bars: prediction interval for a new center. "
    "τ: standard deviation between centers{}; I²: its share of all variance; Q: test that centers agree."
)
DIFFERENCES = (
    "Differences of the mean AUC of single models, first minus second.",
    " over cases (± 1.96 standard errors)",
)
COUNTS = " In brackets: positive and negative images."


def forests(context: ReportContext, style: Style) -> list[Drawing]:
    """One figure of contrasts and one of AUCs per arm, more where a page is too short; none below two centers."""
    frame = context.seen.heterogeneity.filter(pl.col("left_out") == "", pl.col("method").str.starts_with(SHOWN))
    return [*_of_contrasts(context, style, frame.filter(pl.col("measure") != "auc")), *_of_arms(context, style, frame)]


def _of_contrasts(context: ReportContext, style: Style, frame: pl.DataFrame) -> Iterator[Drawing]:
    blocks = [list(_contrast(context, row)) for row in frame.iter_rows(named=True)]
    caption = CAPTION.format(*DIFFERENCES, _method(frame), "")
    yield from _paged("forest-contrasts", "Contrasts over centers", caption, blocks, style, "Difference of AUC", 0.0)


def _of_arms(context: ReportContext, style: Style, frame: pl.DataFrame) -> Iterator[Drawing]:
    areas = frame.filter(pl.col("measure") == "auc", pl.col("scale") == "logit")
    for arm in context.arms:
        mine = areas.filter(pl.col("first").is_in(planned_cells(context, arm)))
        blocks = [list(_area(context, row)) for row in mine.iter_rows(named=True)]
        caption = CAPTION.format(f"{chosen_words(context, arm)}{COUNTS}", "", _method(mine), " in logits")
        yield from _paged(f"forest-auc-{arm}", f"AUC over centers, {arm}", caption, blocks, style, "AUC", None)


def _method(frame: pl.DataFrame) -> str:
    return "; ".join(frame["method"].unique(maintain_order=True))


def _paged(
    name: str, title: str, caption: str, blocks: list[list[IntervalRow]], style: Style, label: str, zero: float | None
) -> Iterator[Drawing]:
    drawn = pages(blocks)
    for number, rows in enumerate(drawn, 1):
        figure = interval_figure(rows, style.double, label, zero)
        yield Drawing(f"{name}{f'-{number}' if len(drawn) > 1 else ''}", title, caption, "heterogeneity", figure)


def _contrast(context: ReportContext, row: Facts) -> Iterator[IntervalRow]:
    of_kind = {**row, "effect": row["measure"]}
    yield IntervalRow(f"{row['arm']}, {KINDS[row['measure']][0]}: {who(context, of_kind)}", bold=True)
    same = context.seen.effects.filter(
        pl.col("role") == "external",
        pl.col("effect") == row["measure"],
        pl.col("first") == row["first"],
        pl.col("second") == row["second"],
        pl.col("arm") == row["arm"],
    )
    for center in context.centers("external"):
        for one in same.filter(pl.col("center") == center).head(1).iter_rows(named=True):
            half = 1.959964 * one["se_cases"] if not is_missing(one["se_cases"]) else None
            low, high = (None, None) if half is None else (one["difference"] - half, one["difference"] + half)
            numbers = MISSING if is_missing(one["difference"]) else f"{signed(one['difference'])}  ({ends(low, high)})"
            yield IntervalRow(f"    {center}", numbers, one["difference"], low, high)
    numbers = f"{signed(row['estimate'])}  ({ends(row['low'], row['high'])})"
    yield from _summary(row, numbers, ends(row["prediction_low"], row["prediction_high"]))


def _area(context: ReportContext, row: Facts) -> Iterator[IntervalRow]:
    yield IntervalRow(cell_label(context, row["first"]), bold=True)
    same = context.seen.performance.filter(pl.col("role") == "external", pl.col("cell") == row["first"])
    for center in context.centers("external"):
        for one in same.filter(pl.col("center") == center).iter_rows(named=True):
            numbers = f"{fraction(one['auc'])}  ({interval(one['low'], one['high'])})"
            counts = f"    {center}  ({one['n_positive']} / {one['n_negative']})"
            yield IntervalRow(
                counts, MISSING if is_missing(one["auc"]) else numbers, one["auc"], one["low"], one["high"]
            )
    numbers = f"{fraction(row['estimate'])}  ({interval(row['low'], row['high'])})"
    yield from _summary(row, numbers, bounds(row["prediction_low"], row["prediction_high"]))


def _summary(row: Facts, numbers: str, prediction: str) -> Iterator[IntervalRow]:
    inner = (row["estimate"], row["low"], row["high"])
    band = (row["prediction_low"], row["prediction_high"])
    yield IntervalRow("    all centers", numbers, *inner, COLORS[0], "D", band=band)
    spread = f"τ {fraction(sqrt(row['tau2']))}, I² {percent(row['i2'])}, Q: {p_equation(row['q_p'])}"
    yield IntervalRow(f"    {spread}", f"prediction {prediction}")
