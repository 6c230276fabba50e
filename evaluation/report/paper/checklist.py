"""Reporting checklists, filled where the kit holds facts and marked "needs input" where a human must write."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

FILES = ("tripod_ai", "claim_2024", "stard_ai")
FILLED, PARTLY, OPEN = "filled", "partly; needs input", "needs input"
NOTHING = "not planned in this study, or no result yet: say which"
LONGEST = 600
"""Characters of a text that are quoted; the place says where the rest is."""


class Item(BaseModel):
    """One item; `human` is what nobody but an author can write."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    section: str
    topic: str
    asks: str
    methods: tuple[str, ...] = ()
    """Parts of the methods, by key."""
    tables: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    human: str = ""


class Checklist(BaseModel):
    """One reporting guideline."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    year: int
    citation: str
    numbering: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Answer:
    """Where the kit answers something, and its words if there are any."""

    where: str
    text: str = ""


@dataclass(frozen=True)
class Answers:
    """What a kit holds: parts of its methods, kinds of tables and of figures."""

    methods: Mapping[str, Answer]
    tables: Mapping[str, Sequence[Answer]]
    figures: Mapping[str, Sequence[Answer]]
    sealed: bool = False
    """External centers are not opened, so results are not complete."""


@dataclass(frozen=True)
class Line:
    """A filled item."""

    item: Item
    status: str
    """FILLED, PARTLY or OPEN."""
    text: str
    where: str
    missing: str


def load_checklist(name: str) -> Checklist:
    """One of FILES."""
    path = Path(__file__).with_name("checklists") / f"{name}.yaml"
    return Checklist.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def fill(checklist: Checklist, answers: Answers) -> list[Line]:
    """Every item with its status; what a human must write is never called filled."""
    return [_line(item, answers) for item in checklist.items]


def _line(item: Item, answers: Answers) -> Line:
    found = [answers.methods[key] for key in item.methods if key in answers.methods]
    found += [answer for kind in item.tables for answer in answers.tables.get(kind, ())]
    found += [answer for kind in item.figures for answer in answers.figures.get(kind, ())]
    asked = bool(item.methods or item.tables or item.figures)
    results = item.section.startswith("Results") and asked
    missing = [item.human] if item.human else []
    if asked and not found:
        missing.append(NOTHING)
    if results and answers.sealed:
        missing.append("external results, once the centers are opened")
    text = " ".join(answer.text for answer in found if answer.text)
    status = OPEN if not found else PARTLY if missing else FILLED
    return Line(item, status, _quoted(text), "; ".join(answer.where for answer in found), "; ".join(missing))


def _quoted(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST].rsplit(' ', 1)[0]} …"


def checklist_csv(lines: Sequence[Line]) -> str:
    """One line per item."""
    written = StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(("item", "section", "topic", "asks for", "status", "text", "where", "needs input"))
    for line in lines:
        item = line.item
        rows.writerow((item.id, item.section, item.topic, item.asks, line.status, line.text, line.where, line.missing))
    return written.getvalue()


def checklist_markdown(checklist: Checklist, lines: Sequence[Line]) -> str:
    """A table with the places; the CSV holds the texts too."""
    counts = {status: sum(line.status == status for line in lines) for status in (FILLED, PARTLY, OPEN)}
    rows = [
        f"| {line.item.id} | {line.item.topic}: {line.item.asks} | {line.status} | {line.where} | {line.missing} |"
        for line in lines
    ]
    return "\n".join(
        [
            f"# {checklist.name}",
            "",
            f"{checklist.citation}",
            "",
            f"{checklist.numbering} Items are in our own short words: fill in the official form for a submission, with "
            "pages of the manuscript. Filled means that the kit holds the facts, not that the manuscript reports them.",
            "",
            f"{counts[FILLED]} filled, {counts[PARTLY]} partly, {counts[OPEN]} need input.",
            "",
            "| Item | Asks for | Status | Where in the kit | Needs input |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )
