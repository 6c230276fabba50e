"""How cells, arms and places are called in the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Entry, ordered
from evaluation.report.numbers import count

YOLOV5 = "YOLOv5u, anchor-free (Ultralytics)"
"""Ultralytics ships YOLOv5 with its anchor-free head only; the reader must not take it for the original."""

ADJUSTMENTS = {"holm": "Holm", "hommel": "Hommel", "bh": "Benjamini-Hochberg"}
"""How p values are adjusted within a family, in words."""


@dataclass(frozen=True)
class Place:
    """Where a model was tested: a role and a center, "all" (pooled) or "stratified"."""

    role: str
    center: str

    @property
    def name(self) -> str:
        """In full: External, pooled; External, center_b; Reserve."""
        if self.center == "all":
            return "External, pooled" if self.role == "external" else self.role.capitalize()
        return f"{self.role.capitalize()}, {self.center}"

    @property
    def heading(self) -> str:
        """As a column heading, where an external center needs its name only."""
        return self.center if self.role == "external" and self.center not in {"all", "stratified"} else self.name

    def rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of this place."""
        return frame.filter((pl.col("role") == self.role) & (pl.col("center") == self.center))


def places(context: ReportContext, frame: pl.DataFrame) -> list[Place]:
    """Places of a frame: external, then reserve, then validation; pooled, stratified, then center by center."""
    found: list[Place] = []
    for role in ("external", "reserve", "validation"):
        inside = frame.filter(pl.col("role") == role)["center"].drop_nulls().to_list()
        centers = _without_twin(context, role, ordered(inside, ["all", "stratified", *context.centers()]))
        found += [Place(role, center) for center in centers]
    return found


def _without_twin(context: ReportContext, role: str, found: list[str]) -> list[str]:
    """With one center only, pooled says the same twice: an external center keeps its name, the reserve is just that."""
    alone = len(context.centers("external" if role == "external" else "development")) == 1
    if not alone or "all" not in found or len(found) == 1:
        return found
    return [center for center in found if center != "all"] if role == "external" else ["all"]


def cell_label(context: ReportContext, cell: str) -> str:
    """A cell within its arm: backbone · pretraining · init; the id itself if the cell is unknown."""
    facts = context.by_cell.get(cell)
    return f"{facts['backbone']} · {facts['pretraining']} · {facts['init']}" if facts else cell


def pair_labels(context: ReportContext, first: str, second: str) -> tuple[str, str]:
    """Labels of two cells, with their arms where these differ."""
    arms = [context.by_cell.get(cell, {}).get("arm", "") for cell in (first, second)]
    labels = cell_label(context, first), cell_label(context, second)
    if arms[0] == arms[1]:
        return labels
    return f"{arms[0]}: {labels[0]}", f"{arms[1]}: {labels[1]}"


def cell_heading(context: ReportContext, cell: str) -> Entry:
    """The heading of a cell's row, with what a reader must know about it."""
    facts = context.by_cell.get(cell)
    if facts is None:
        return Entry(cell)
    details = (YOLOV5,) if str(facts["backbone"]).lower().startswith("yolov5") else ()
    return Entry(cell_label(context, cell), details, _tags(facts), title=cell)


def pair_heading(context: ReportContext, first: str, second: str) -> Entry:
    """The heading of a pair's row: the first cell, below it the second, and what a reader must know about both."""
    one, other = pair_labels(context, first, second)
    about = dict.fromkeys(line for cell in (first, second) for line in cell_heading(context, cell).details)
    return Entry(one, (f"against {other}", *about), title=f"{first} against {second}")


def _tags(facts: dict[str, Any]) -> tuple[str, ...]:
    tags = ("exploratory",) if facts["exploratory"] else ()
    finished, planned = facts["replicates_finished"], facts["replicates_planned"]
    return tags if finished == planned else (*tags, f"incomplete {finished}/{planned}")


def arm_box(context: ReportContext, arm: str) -> str:
    """Whether the models of an arm are told where the lesion is: "box given" or "box not given"."""
    given = context.cells.filter(pl.col("arm") == arm)["box"].drop_nulls().unique().sort().to_list()
    return ", ".join(f"box {value}" for value in given)


def adjustment(frame: pl.DataFrame) -> str:
    """How the p values of a frame are adjusted, in words."""
    found = frame["adjustment"].unique(maintain_order=True).to_list() if frame.height else []
    return ", ".join(ADJUSTMENTS.get(name, name) for name in found if name)


def together(values: pl.Series) -> str:
    """Distinct texts of a column, such as the methods of a table, in order of appearance."""
    return "; ".join(value for value in values.drop_nulls().unique(maintain_order=True) if value)


def shared_flag(frame: pl.DataFrame) -> str:
    """What is wrong with every row alike: said once below a table, not at every entry."""
    flags = frame["flag"].unique().to_list()
    return flags[0] or "" if len(flags) == 1 else ""


def sample(positive: int | None, negative: int | None) -> str:
    """Class counts as they stand beside an AUC."""
    return f"n+\u00a0{count(positive)}, n−\u00a0{count(negative)}"


def common_sample(frame: pl.DataFrame, otherwise: str) -> str:
    """The class counts that all rows share, or what stands instead."""
    counts = frame.select("n_positive", "n_negative").unique(maintain_order=True).rows()
    return sample(*counts[0]) if len(counts) == 1 else otherwise
