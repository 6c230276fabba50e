"""Operating points as marks on curves: where the carried thresholds lie, with their counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import plotly.graph_objects as go
import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Facts, ordered
from evaluation.report.figures.drawing import legend_name
from evaluation.report.figures.views import View
from evaluation.report.tables.operating_points import rule_label, source_label

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
"""Of the plan's rules, in their order."""
AXES = {
    "roc": lambda row: (row["fp"] / max(1, row["fp"] + row["tn"]), row["sensitivity"]),
    "precision-recall": lambda row: (row["sensitivity"], row["ppv"]),
}


def marks(context: ReportContext, view: View, look: dict[str, dict[str, Any]], which: str) -> Iterator[go.Scatter]:
    """One mark per rule of each cell, at the threshold that was carried to this place."""
    frame, rules = _carried(context, view)
    for cell, style in look.items():
        rows = frame.filter(pl.col("cell") == cell).to_dicts()
        places = [AXES[which](row) for row in rows]
        yield go.Scatter(
            x=[round(x, 4) for x, _ in places],
            y=[round(y, 4) for _, y in places],
            text=[_counts(row) for row in rows],
            mode="markers",
            legendgroup=cell,
            showlegend=False,
            marker={
                "color": style["color"],
                "symbol": [SYMBOLS[rules.index(row["rule"]) % len(SYMBOLS)] for row in rows],
                "size": 10,
                "line": {"width": 1.5, "color": "#FFFFFF"},
            },
            hovertemplate="%{text}<extra></extra>",
        )


def rules_legend(context: ReportContext, view: View) -> Iterator[go.Scatter]:
    """What each kind of mark means."""
    for rule, symbol in zip(_carried(context, view)[1], SYMBOLS, strict=False):
        marker = {"color": "#8C8C8C", "symbol": symbol, "size": 9}
        yield go.Scatter(x=[None], y=[None], mode="markers", name=legend_name(rule_label(rule)), marker=marker)


def _carried(context: ReportContext, view: View) -> tuple[pl.DataFrame, list[str]]:
    frame = view.place.rows(context.seen.operating_points)
    kept = frame.filter(pl.col("source") != "test", pl.col("cell").is_in(list(view.cells)))
    return kept, ordered(kept["rule"], ())


def _counts(row: Facts) -> str:
    counts = " ".join(f"{name.upper()} {row[name]}" for name in ("tp", "fp", "fn", "tn"))
    return f"{legend_name(rule_label(row['rule']))}, chosen on: {source_label(row['source'])}<br>{counts}"
