"""What differs between a report as it was found and as it is computed again: tables value by value, pages by part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from math import isclose

import polars as pl

RELATIVE, ABSOLUTE = 1e-9, 1e-12
"""Numbers are written in full; another machine may round the last digits of a sum differently, not more."""
LONGEST = 80
"""Characters of a text that a difference quotes."""

_STARTS = re.compile(r'(?=<(?:header|section) id="|</main>)')
_ID = re.compile(r'<(?:header|section) id="([^"]+)"')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_MARKUP = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it is computed again."""

    place: str
    """A file, with the row and the column in a table, or the section in a page."""
    found: str
    computed: str

    @property
    def file(self) -> str:
        """The place without row, column and section."""
        return self.place.partition(",")[0]

    def __str__(self) -> str:
        """One sentence."""
        if not self.found or not self.computed:
            return f"{self.place}: {self.found or self.computed}."
        return f"{self.place}: found {self.found}, computed again it is {self.computed}."


def of_tables(place: str, found: pl.DataFrame, computed: pl.DataFrame) -> list[Difference]:
    """Values that differ, and rows and columns that one of the two lacks.

    A table read from CSV may hold text where the computed one has numbers. Rows are told apart by their first columns,
    or by their place (the header is row 1) where none of them are unique.
    """
    columns = [name for name in computed.columns if name in found.columns]
    lacking = [name for name in computed.columns if name not in found.columns]
    surplus = [name for name in found.columns if name not in computed.columns]
    said = [Difference(f"{place}, column {name}", "it is missing", "") for name in lacking]
    said += [Difference(f"{place}, column {name}", "the report writes no such column", "") for name in surplus]
    if not columns:
        return said
    one, other = _named(found, computed, columns)
    said += [Difference(f"{place}, row {row}", "it is missing", "") for row in _only(other, one)]
    said += [Difference(f"{place}, row {row}", "computed again there is no such row", "") for row in _only(one, other)]
    both = one.join(other, on="row", how="inner", suffix=" again", maintain_order="right")
    if one.join(other, on="row", how="semi", maintain_order="left")["row"].to_list() != both["row"].to_list():
        said.append(Difference(place, "its rows stand in another order", ""))  # the page names rows by their line
    return said + [change for name in columns for change in _values(place, both, name, computed.schema[name])]


def of_pages(place: str, found: str, computed: str) -> list[Difference]:
    """Sections that differ, each with the first text in it that does."""
    one, other = _parts(found), _parts(computed)
    said = [
        Difference(f"{place}, {name}", *_first_change(one[name], other[name]))
        if name in one and name in other
        else Difference(f"{place}, {name}", "it is missing" if name in other else "the report has no such part", "")
        for name in dict.fromkeys([*other, *one])
        if not _same(one.get(name), other.get(name))
    ]
    moved = set(one) == set(other) and list(one) != list(other)
    return said + [Difference(place, "its sections stand in another order", "")] * moved


def parts_of(page: str) -> list[str]:
    """The parts of a page that are compared, such as `section calibration`."""
    return list(_parts(page))


def _named(found: pl.DataFrame, computed: pl.DataFrame, columns: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both with a column `row` that says which row it is, the same on both sides."""
    words = _telling([name for name in columns if not computed.schema[name].is_float()], found, computed)
    if words:
        texts = [pl.col(name).cast(pl.String).fill_null("").replace("", "–") for name in words]
        names = pl.concat_str(texts, separator=" · ")
        return found.with_columns(row=names), computed.with_columns(row=names)
    places = (pl.int_range(2, pl.len() + 2).cast(pl.String)).alias("row")
    return found.with_columns(places), computed.with_columns(places)


def _telling(words: list[str], *frames: pl.DataFrame) -> list[str]:
    """The first columns that tell all rows apart, without those that add nothing; none if all together do not."""

    def are_apart(names: list[str]) -> bool:
        return bool(names) and not any(frame.select(names).is_duplicated().any() for frame in frames)

    ends = (words[:end] for end in range(1, len(words) + 1))
    chosen = next((names for names in ends if are_apart(names)), [])
    for name in reversed(chosen):
        others = [other for other in chosen if other != name]
        chosen = others if are_apart(others) else chosen
    return chosen


def _only(one: pl.DataFrame, other: pl.DataFrame) -> list[str]:
    return one.join(other, on="row", how="anti", maintain_order="left")["row"].to_list()


def _values(place: str, both: pl.DataFrame, name: str, kind: pl.DataType) -> Iterator[Difference]:
    again = f"{name} again"
    is_equal = _near(name, again) if kind.is_float() else _alike(name, again)
    for row in both.filter(~is_equal).select("row", name, again).iter_rows():
        yield Difference(f"{place}, row {row[0]}, column {name}", _quoted(row[1]), _quoted(row[2]))


def _near(name: str, again: str) -> pl.Expr:
    one, other = (pl.col(column).cast(pl.Float64, strict=False) for column in (name, again))
    is_near = (one - other).abs() <= RELATIVE * pl.max_horizontal(one.abs(), other.abs()) + ABSOLUTE
    # A text that is no number becomes null here; it must not pass for an empty value.
    both_empty = pl.col(name).is_null() & pl.col(again).is_null()
    both_nan = one.is_nan() & other.is_nan()
    return (both_empty | (one == other) | both_nan | (is_near & one.is_finite() & other.is_finite())).fill_null(False)


def _alike(name: str, again: str) -> pl.Expr:
    """Empty is empty: programs that save a CSV again write no quotes around nothing."""
    return pl.col(name).cast(pl.String).fill_null("") == pl.col(again).cast(pl.String).fill_null("")


def _quoted(value: object) -> str:
    if value is None:
        return "nothing"
    text = f"{value!r}" if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _parts(page: str) -> dict[str, str]:
    """The page in order: what stands before the first section, each section, what follows the last."""
    pieces = _STARTS.split(page)
    named = {"head": pieces[0]}
    for piece in pieces[1:]:
        found = _ID.match(piece)
        name = f"section {found.group(1)}" if found else "scripts"
        named[name] = named.get(name, "") + piece
    return named


def _same(found: str | None, computed: str | None) -> bool:
    """Whether both are there and say the same; pages hold some numbers in full, for sorting and in figures."""
    if found is None or computed is None or found == computed:
        return found == computed
    if _NUMBER.split(found) != _NUMBER.split(computed):
        return False
    pairs = zip(_NUMBER.findall(found), _NUMBER.findall(computed), strict=True)
    return all(
        one == other or isclose(float(one), float(other), rel_tol=RELATIVE, abs_tol=ABSOLUTE) for one, other in pairs
    )


def _first_change(found: str, computed: str) -> tuple[str, str]:
    """The first texts that differ, or that only the markup does."""
    for one, other in zip_longest(_texts(found), _texts(computed), fillvalue=""):
        if one != other:
            signs = enumerate(zip(one, other, strict=False))
            same = next((at for at, (first, second) in signs if first != second), min(len(one), len(other)))
            start = max(0, same - LONGEST // 4)  # a figure is one long text
            return _quoted(one[start:]), _quoted(other[start:])
    return "other markup around the same texts", ""


def _texts(part: str) -> list[str]:
    return [text for piece in _MARKUP.split(part) if (text := " ".join(piece.split()))]
