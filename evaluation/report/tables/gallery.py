"""Radiographs chosen by rule, each plain and with the maps of the compared cells, as figures of the page."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import Facts
from evaluation.report.names import Place, cell_label
from evaluation.report.numbers import fraction

RULES = {
    "highest": "highest score of the positives",
    "median": "median score of the positives",
    "lowest": "lowest score of the positives",
    "false positive": "worst false positive",
    "false negative": "worst false negative",
}
"""Why an image was chosen, by the scores of the arm's best cell on the reserve."""


@dataclass(frozen=True)
class Frame:
    """One picture; `source` is a data URI, empty where the picture is withheld."""

    source: str
    alt: str
    caption: str
    details: tuple[str, ...]
    width: int
    height: int


@dataclass(frozen=True)
class Shown:
    """One radiograph: why it is shown, where it is from, and its pictures, the plain one first."""

    id: str
    title: str
    place: str
    frames: tuple[Frame, ...]


def gallery(context: ReportContext, arm: str) -> list[Shown]:
    """The radiographs of an arm in the order of the rules; external ones only once they are open."""
    frame = context.gallery.filter(pl.col("arm") == arm)
    if not context.external_open:
        frame = frame.filter(pl.col("role") != "external")
    parts = frame.partition_by("center", "image", maintain_order=True)
    return [_shown(context, f"gallery-{arm}-{number}", part) for number, part in enumerate(parts, 1)]


def _shown(context: ReportContext, name: str, part: pl.DataFrame) -> Shown:
    first = part.row(0, named=True)
    title = ", ".join(RULES[rule] for rule in first["rule"].split("; ")).capitalize()
    place = Place(first["role"], first["center"]).name
    label = "positive" if first["label"] else "negative"
    about = f"{title}. {place}, labeled {label}."
    return Shown(
        name,
        title,
        f"{place} · {label}",
        tuple(_frame(context, row, about) for row in part.iter_rows(named=True)),
    )


def _frame(context: ReportContext, row: Facts, about: str) -> Frame:
    boxes = ("no box is marked", "the marked box is outlined")[min(row["boxes"], 1)]
    boxes = f"{row['boxes']} marked boxes are outlined" if row["boxes"] > 1 else boxes
    content, size = row["picture"], (row["width"], row["height"])
    source = f"data:{row['media_type']};base64,{b64encode(content).decode()}" if content else ""
    if row["kind"] == "plain":
        return Frame(source, f"Radiograph. {about} {boxes.capitalize()}.", "Radiograph", (boxes,), *size)
    cell = cell_label(context, row["cell"])
    said = ", ".join(filter(None, (f"score {fraction(row['score'])}", _call(row))))
    alt = f"The same radiograph with the map of {cell}. {about} {said.capitalize()}: {row['peak']}."
    return Frame(source, alt, cell, (said, row["peak"]), *size)


def _call(row: Facts) -> str:
    """What the cell decides; nothing where no threshold was carried."""
    return "" if row["called"] is None else f"called {'positive' if row['called'] else 'negative'}"
