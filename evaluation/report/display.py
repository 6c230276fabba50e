"""What a table of the report is: plain text with its tooltips, tags and footnotes, ready for the template."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from evaluation.report.numbers import MISSING


@dataclass(frozen=True)
class Entry:
    """One table cell."""

    text: str
    details: tuple[str, ...] = ()
    """Quieter lines below."""
    tags: tuple[str, ...] = ()
    title: str = ""
    """Tooltip."""
    mark: str = ""
    """Letter of a footnote."""
    tone: str = ""
    """higher | lower | self | caution: the shade of a cell, whose text says the same; quiet on a heading: the row."""
    sort: float | str | None = field(default=None, compare=False)
    """By what a reader's sorting goes; without it, the page reads the number or the words of the text."""

    @property
    def key(self) -> str:
        """`sort` as the page keeps it; empty for what is missing."""
        if isinstance(self.sort, float):
            return "" if math.isnan(self.sort) else f"{self.sort:.6g}"
        return "" if self.sort is None else str(self.sort)


@dataclass(frozen=True)
class Column:
    """One table column."""

    text: str
    numeric: bool = False
    details: tuple[str, ...] = ()
    title: str = ""
    spoken: str = ""
    """What a screen reader says instead of `text`."""


Facts = dict[str, Any]
"""A row of a frame, by the names of its columns."""
Row = tuple[Entry, ...]
"""The first entry is the row's heading."""


@dataclass(frozen=True)
class Group:
    """Rows, under a heading of their own if there is one."""

    heading: Entry | None
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """One table of the report; `csv` names the file in tables/ that holds its numbers in full."""

    id: str
    caption: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    csv: str
    notes: tuple[tuple[str, str], ...] = ()
    """Footnotes: letter and text."""
    explanation: str = ""
    label: str = ""
    """What a screen reader calls the table, where the caption counts on the heading above it."""
    empty: str = "Nothing to show."

    @property
    def is_empty(self) -> bool:
        """Whether no group holds a row."""
        return not any(group.rows for group in self.groups)

    @property
    def height(self) -> int:
        """Rows of all groups."""
        return sum(len(group.rows) for group in self.groups)

    @property
    def can_be_sorted(self) -> bool:
        """Whether a group has rows to put in order; groups stay as they are."""
        return any(len(group.rows) > 1 for group in self.groups)


@dataclass
class Footnotes:
    """Letters for remarks, one letter per different remark, in order of appearance."""

    texts: list[str] = field(default_factory=list)

    def mark(self, text: str | None) -> str:
        """The letter of a remark; none for an empty one."""
        if not text:
            return ""
        if text not in self.texts:
            self.texts.append(text)
        return _letter(self.texts.index(text))

    def listed(self) -> tuple[tuple[str, str], ...]:
        """Letter and remark, as they stand below the table."""
        return tuple((_letter(number), text) for number, text in enumerate(self.texts))


def _letter(number: int) -> str:
    return chr(ord("a") + number % 26) * (number // 26 + 1)


def text(value: Any) -> str:
    """Any value as text; an en dash for null and the empty text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return MISSING if value is None or value == "" else str(value)


@dataclass(frozen=True)
class Field:
    """A column of a frame that is printed as it is."""

    name: str
    heading: str
    show: Callable[[Any], str | Entry] = text
    numeric: bool = False


def columns_of(fields: Sequence[Field]) -> tuple[Column, ...]:
    """Table columns of the fields."""
    return tuple(Column(field.heading, field.numeric) for field in fields)


def rows_of(frame: pl.DataFrame, fields: Sequence[Field]) -> tuple[Row, ...]:
    """One table row per row of the frame."""
    return tuple(tuple(_entry(field.show(row[field.name])) for field in fields) for row in frame.iter_rows(named=True))


@dataclass(frozen=True)
class Part:
    """A column of a table, and what stands in it for a row of a frame."""

    column: Column
    show: Callable[[Facts], str | Entry]

    @classmethod
    def number(cls, heading: str, show: Callable[[Facts], str | Entry], *details: str, title: str = "") -> Part:
        """A column of numbers."""
        return cls(Column(heading, True, details, title), show)


def headings_of(parts: Sequence[Part]) -> tuple[Column, ...]:
    """Table columns of the parts."""
    return tuple(part.column for part in parts)


def filled(rows: pl.DataFrame | Iterable[Facts], parts: Sequence[Part]) -> tuple[Row, ...]:
    """One table row per row of the frame."""
    facts = rows.iter_rows(named=True) if isinstance(rows, pl.DataFrame) else rows
    return tuple(tuple(_entry(part.show(row)) for part in parts) for row in facts)


def lines(*texts: str) -> tuple[str, ...]:
    """The quieter lines of an entry: those that say something."""
    return tuple(line for line in texts if line not in ("", MISSING))


def lined(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame of a CSV with the number of each row's line in it, for `where`."""
    return frame.with_row_index("line", offset=2)


def where(csv: str, row: Facts) -> str:
    """Where the numbers of a row stand in full."""
    return f"line {row['line']} of {csv}"


def has(frame: pl.DataFrame, name: str) -> bool:
    """Whether a column of numbers holds any."""
    return bool(frame[name].is_not_nan().any())


def _entry(shown: str | Entry) -> Entry:
    return shown if isinstance(shown, Entry) else Entry(shown)


def ordered(values: Iterable[str], first: Sequence[str]) -> list[str]:
    """Distinct values, those named in `first` in that order, then the rest as they come."""
    distinct = dict.fromkeys(values)
    return [value for value in first if value in distinct] + [value for value in distinct if value not in first]
