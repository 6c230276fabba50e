"""How a table fits a page: size of letters, portrait or landscape, and where it is cut into parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evaluation.report.paper.sheets import Sheet

PORTRAIT_MM, LANDSCAPE_MM = 160.0, 235.0
LETTER_MM = {"footnotesize": 1.45, "scriptsize": 1.25}
"""Mean width of a letter, a little generous."""
BETWEEN_MM = 2.2
WIDEST_HEADING_MM, WIDEST_TEXT_MM = 48.0, 55.0
"""Above it a column of words is broken into lines."""


@dataclass(frozen=True)
class Columns:
    """Columns of one part of a table; `spec` is tabular's."""

    places: tuple[int, ...]
    spec: str
    size: str
    landscape: bool
    width_mm: float
    caption: str = ""
    suffix: str = ""

    @property
    def is_further(self) -> bool:
        """Whether another part of the same table comes before."""
        return self.suffix not in ("", "-1")


def columns_for(sheet: Sheet) -> list[Columns]:
    """The largest letters and the upright page if they fit; parts with the same first column if nothing does."""
    everything = tuple(range(len(sheet.headings)))
    for landscape, room in ((False, PORTRAIT_MM), (True, LANDSCAPE_MM)):
        for size in LETTER_MM:
            if _total(sheet, everything, size) <= room:
                return [_made(sheet, everything, size, landscape=landscape)]
    parts = list(_packed(sheet))
    return [
        _made(sheet, part, "scriptsize", landscape=True, part=f"{number} of {len(parts)}")
        for number, part in enumerate(parts, 1)
    ]


def _packed(sheet: Sheet) -> Iterator[tuple[int, ...]]:
    part: tuple[int, ...] = (0,)
    for place in range(1, len(sheet.headings)):
        if len(part) > 1 and _total(sheet, (*part, place), "scriptsize") > LANDSCAPE_MM:
            yield part
            part = (0,)
        part = (*part, place)
    yield part


def _total(sheet: Sheet, places: tuple[int, ...], size: str) -> float:
    return sum(_width(sheet, place, size) + BETWEEN_MM for place in places)


def _width(sheet: Sheet, place: int, size: str) -> float:
    longest = _longest(sheet, place) * LETTER_MM[size]
    if sheet.numeric[place]:
        return longest
    return min(longest, WIDEST_TEXT_MM if place else WIDEST_HEADING_MM)


def _longest(sheet: Sheet, place: int) -> int:
    cells = [sheet.headings[place], *(row.cells[place] for row in sheet.rows if not row.is_group)]
    return max(len(line) for cell in cells for line in cell)


def _made(sheet: Sheet, places: tuple[int, ...], size: str, *, landscape: bool, part: str = "") -> Columns:
    return Columns(
        places,
        "@{}" + "".join(_spec(sheet, place, size) for place in places) + "@{}",
        size,
        landscape,
        _total(sheet, places, size) - BETWEEN_MM,
        f" (part {part})" if part else "",
        f"-{part.split()[0]}" if part else "",
    )


def _spec(sheet: Sheet, place: int, size: str) -> str:
    if sheet.numeric[place]:
        return "r"
    widest = WIDEST_TEXT_MM if place else WIDEST_HEADING_MM
    broken = _longest(sheet, place) * LETTER_MM[size] > widest
    return f">{{\\raggedright\\arraybackslash}}p{{{widest:.0f}mm}}" if broken else "l"
