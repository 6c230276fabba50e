"""A table of the report as plain rows of text: what its CSV, Markdown and LaTeX forms are made of."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.report.display import Column, Entry, Table

Lines = tuple[str, ...]
"""What stands in a cell: its text, and quieter lines below."""


@dataclass(frozen=True)
class SheetRow:
    """A row; a heading of its group spans all columns and has one cell."""

    cells: tuple[Lines, ...]
    is_group: bool = False


@dataclass(frozen=True)
class Sheet:
    """Texts of a table, the same as in the report; `number` is as the paper counts: 1, 2 …, S1, S2 …"""

    number: str
    stem: str
    caption: str
    headings: tuple[Lines, ...]
    numeric: tuple[bool, ...]
    rows: tuple[SheetRow, ...]
    marks: tuple[tuple[str, str], ...]
    """Footnotes: letter and text."""
    notes: Lines
    csv: str


def sheet_of(table: Table, number: str) -> Sheet:
    """The texts of a display table, tooltips of headings as notes."""
    return Sheet(
        number=number,
        stem=f"table-{number.lower()}-{table.id}",
        caption=table.label or table.caption,
        headings=tuple((column.text, *column.details) for column in table.columns),
        numeric=tuple(column.numeric for column in table.columns),
        rows=tuple(_rows(table)),
        marks=table.notes,
        notes=tuple(filter(None, (_counts(table), table.explanation, _abbreviations(table.columns)))),
        csv=table.csv,
    )


def _rows(table: Table) -> list[SheetRow]:
    found = []
    for group in table.groups:
        if group.heading is not None and group.rows:
            found.append(SheetRow((_lines(group.heading),), is_group=True))
        found += [SheetRow(tuple(_lines(entry) for entry in row)) for row in group.rows]
    return found


def _lines(entry: Entry) -> Lines:
    mark = f" [{entry.mark}]" if entry.mark else ""
    tags = f" ({', '.join(entry.tags)})" if entry.tags else ""
    return (f"{entry.text}{tags}{mark}", *entry.details)


def _counts(table: Table) -> str:
    """What the report's caption adds to the label, such as class counts."""
    return f"{table.caption}." if table.label and table.label != table.caption else ""


def _abbreviations(columns: tuple[Column, ...]) -> str:
    told = [f"{column.text}: {column.title}" for column in columns if column.title]
    return f"{'; '.join(told)}." if told else ""
