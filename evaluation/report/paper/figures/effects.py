"""The study's answer in one figure: effects of pretraining and of init with intervals, pooled and per center."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Facts
from evaluation.report.figures.drawing import COLORS
from evaluation.report.names import Place
from evaluation.report.numbers import MISSING, is_missing, signed, signed_interval
from evaluation.report.paper.figures.drawing import Drawing
from evaluation.report.paper.figures.intervals import IntervalRow, interval_figure, pages
from evaluation.report.paper.figures.planned import in_sentence, main_places, who
from evaluation.report.paper.figures.style import Style
from evaluation.report.tables.effects import KINDS

CAPTION = (
    "Differences of the mean AUC of single models (first minus second) with 95% intervals, not adjusted. {} Squares: "
    "{}; small circles: single centers; *: primary contrasts. An interval right of 0 favors what is named first."
)


def effects(context: ReportContext, style: Style) -> list[Drawing]:
    """Primary contrasts, then payoff, source and init effects; several figures where a page is too short."""
    frame = context.seen.effects
    found = main_places(context, frame)
    if not found:
        return []
    blocks = [list(_block(context, found, arm, kind, part)) for arm, kind, part in _kinds(context, frame)]
    drawn = pages(blocks)
    method = "; ".join(found[0].rows(frame)["method"].unique(maintain_order=True))
    caption = CAPTION.format(f"Method: {method}." if method else "", in_sentence(found[0]))
    return [
        Drawing(
            f"effects{f'-{number}' if len(drawn) > 1 else ''}",
            "Effects of pretraining and init",
            caption,
            "effects",
            interval_figure(rows, style.double, "Difference of AUC", 0.0),
        )
        for number, rows in enumerate(drawn, 1)
    ]


def _kinds(context: ReportContext, frame: pl.DataFrame) -> Iterator[tuple[str, str, pl.DataFrame]]:
    for kind in ("pair", *(kind for kind in KINDS if kind != "pair")):
        for arm in frame["arm"].unique(maintain_order=True):
            part = frame.filter(pl.col("arm") == arm, pl.col("effect") == kind)
            if part.height:
                yield str(arm), kind, part


def _block(
    context: ReportContext, found: list[Place], arm: str, kind: str, frame: pl.DataFrame
) -> Iterator[IntervalRow]:
    yield IntervalRow(f"{arm}: {KINDS[kind][0]}", bold=True)
    for pair in frame.select("first", "second").unique(maintain_order=True).iter_rows(named=True):
        same = frame.filter(pl.col("first") == pair["first"], pl.col("second") == pair["second"])
        for number, place in enumerate(found):
            rows = place.rows(same).sort(pl.col("family") != "primary").to_dicts()
            if rows:
                yield _row(context, place, rows[0], general=number == 0)


def _row(context: ReportContext, place: Place, row: Facts, *, general: bool) -> IntervalRow:
    known = not is_missing(row["difference"])
    numbers = f"{signed(row['difference'])}  ({signed_interval(row['low'], row['high'])})" if known else MISSING
    named = who(context, row)
    mark = "*" if row["family"] == "primary" else ""
    return IntervalRow(
        f"{named}{mark}" if general else f"      {place.heading}",
        numbers,
        row["difference"],
        row["low"],
        row["high"],
        COLORS[0] if general else COLORS[6],
        "s" if general else ".",
    )
