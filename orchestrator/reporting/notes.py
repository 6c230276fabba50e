"""What a study, a cell and a cell's centers say of themselves in MLflow, in Markdown."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import polars as pl

from search_spaces.pretraining import NONE

if TYPE_CHECKING:
    from evaluation.comparison.comparing import Comparison
    from search_spaces.grid import Cell

Row = dict[str, Any]

_REPORT = "[report](run:study>report.html)"
_GAP = "&emsp;"
"""The page puts no space between columns."""


def study_note(comparison: Comparison) -> str:
    """Where to look, then the leaderboard."""
    views = ("cells", "pretraining and init", "centers", "replicates", "trials", "failures")
    links = ", ".join(f"[{name}](view:{name.split()[0]})" for name in views)
    return f"Read the {_REPORT}, or compare {links}.\n\n{leaderboard(comparison)}"


def cell_note(cell: Cell, comparison: Comparison | None, *, exploratory: bool) -> str:
    """What the cell is; once there is a comparison, what it found, center by center."""
    start = "random weights" if cell.pretraining == NONE else f"weights pretrained on {cell.pretraining}"
    standing = "exploratory, not part of the locked analysis" if exploratory else "part of the locked analysis"
    what = f"**{cell.backbone}** for {cell.task}, {start}, init {cell.init}; {standing}."
    rows = [] if comparison is None else _rows(comparison, cell)
    if not rows:
        return what
    found = "\n".join(f"- {_place(row)}: {_result(row)}" for row in rows)
    return f"{what} Measured is the mean of its replicates; more in the {_REPORT}, section Discrimination.\n\n{found}"


def center_note(cell: Cell, center: str, role: str, comparison: Comparison | None) -> str:
    """The cell's result at one center; empty before there is one."""
    rows = [] if comparison is None else _rows(comparison, cell)
    found = [row for row in rows if (row["role"], row["center"]) == (role, center)]
    if not found:
        return ""
    (row,) = found
    of = f"[{cell.id}](run:cell {cell.id})"
    return f"{of} at {center} ({role}): {_result(row)}. More in the {_REPORT}, section Across centers."


def leaderboard(comparison: Comparison) -> str:
    """Markdown table of the cells by external AUC, or by reserve AUC while the external centers are sealed."""
    pooled = comparison.performance.filter(pl.col("center") == "all")
    role = "external" if "external" in pooled["role"] else "reserve"
    rows = pooled.filter(pl.col("role") == role).sort("auc", descending=True, nulls_last=True)
    heading = f"| cell | {role} AUC | 95 % interval | average precision | n+ / n- |"
    lines = [heading, "| --- " * heading.count(" | ") + "| --- |"]
    lines += [_line(row) for row in rows.iter_rows(named=True)]
    return "\n".join(lines)


def _rows(comparison: Comparison, cell: Cell) -> list[Row]:
    """Pooled and center by center, external first; a stratified value would need words that a note has no room for."""
    found = comparison.performance.filter((pl.col("cell") == cell.id) & (pl.col("center") != "stratified"))
    order = {role: place for place, role in enumerate(("external", "reserve", "validation"))}
    return sorted(found.iter_rows(named=True), key=lambda row: (order[row["role"]], row["center"] != "all"))


def _place(row: Row) -> str:
    return f"{row['role']}, {'pooled' if row['center'] == 'all' else row['center']}"


def _result(row: Row) -> str:
    counts = f"{row['n_positive']} positive, {row['n_negative']} negative"
    return f"AUC {_number(row['auc'])} (95 % interval {_interval(row)}; {counts})"


def _line(row: Row) -> str:
    name = f"[{row['cell']}](run:cell {row['cell']})"
    counts = f"{row['n_positive']} / {row['n_negative']}"
    values = (name, _number(row["auc"]), _interval(row), _number(row["average_precision"]))
    return f"| {' | '.join(f'{value}{_GAP}' for value in values)} | {counts} |"


def _interval(row: Row) -> str:
    return f"{_number(row['low'])} to {_number(row['high'])}"


def _number(value: float) -> str:
    return "n/a" if isnan(value) else f"{value:.3f}"
