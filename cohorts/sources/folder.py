"""A center's folder: labels.csv, boxes.csv where lesions are marked, and DICOM, PNG or JPEG files."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import polars as pl

from cohorts.sources.listing import BOXES, ROWS, Listing, image_files
from search_spaces.errors import StudyError, nearest


def read_folder(folder: Path) -> Listing:
    """Read and check labels.csv and boxes.csv against the files of the folder; raises StudyError."""
    if not folder.is_dir():
        raise StudyError(
            f"{folder}: there is no such folder; a center is a folder with labels.csv and its radiographs."
        )
    rows = _read_labels(folder)
    boxes = _labeled_boxes(folder, set(rows["file"]))
    _every_image_is_labeled(folder, set(rows["file"]))
    return Listing(folder, rows, boxes)


@dataclass(frozen=True)
class _Row:
    """One line of a CSV file; its methods return checked cells or raise a sentence that names the line."""

    path: Path
    line: int
    cells: dict[str, str]

    def text(self, column: str) -> str:
        value = self.cells[column]
        if not value:
            raise self.error(column, "is empty, every row needs one; fill it in or remove the row")
        return value

    def optional(self, column: str) -> str | None:
        return self.cells.get(column) or None

    def number(self, column: str, allowed: str, minimum: float = -math.inf) -> float:
        try:
            value = float(self.text(column))
        except ValueError as error:
            if isinstance(error, StudyError):
                raise
            value = math.nan
        if not math.isfinite(value) or value < minimum:
            raise self.error(column, f"is {self.cells[column]!r}, allowed is {allowed}; correct it")
        return value

    def file(self) -> str:
        value = self.text("file")
        name = PurePosixPath(value)
        if name.is_absolute() or ".." in name.parts:
            raise self.error(
                "file", f"is {value!r}, allowed are paths inside the folder of the center; correct the path"
            )
        return name.as_posix()

    def error(self, column: str, problem: str) -> StudyError:
        return StudyError(f"{self.path}, line {self.line}: `{column}` {problem}.")


def _read_labels(folder: Path) -> pl.DataFrame:
    path = folder / "labels.csv"
    if not path.is_file():
        raise StudyError(
            f"{path}: there is no such file; a center needs a labels.csv with the columns file, patient_id and label."
        )
    lines: dict[str, int] = {}
    table: list[tuple[str, str, str, str | None, float | None, str | None]] = []
    for row in _rows(path, ("file", "patient_id", "label")):
        file = row.file()
        if file in lines:
            raise row.error("file", f"is {file!r} as in line {lines[file]}, each file has one row; remove one of them")
        if not (folder / file).is_file():
            raise row.error("file", f"is {file!r}, but there is no such file; add the image or remove the row")
        lines[file] = row.line
        age = row.number("age", "a number of years", 0) if row.optional("age") else None
        table.append((file, row.text("patient_id"), row.text("label"), row.optional("view"), age, row.optional("sex")))
    if not table:
        raise StudyError(f"{path}: has no rows; add one row per image with file, patient_id and label.")
    return pl.DataFrame(table, schema=ROWS, orient="row")


def read_boxes(path: Path) -> pl.DataFrame:
    """A boxes.csv: file, x, y, width, height in pixels of the file, and `row`, its line; raises StudyError."""
    table = [_box(row) for row in _rows(path, ("file", "x", "y", "width", "height"))]
    return pl.DataFrame(table, schema=BOXES, orient="row")


def _labeled_boxes(folder: Path, labeled: set[str]) -> pl.DataFrame:
    path = folder / "boxes.csv"
    table = []
    if path.is_file():
        for row in _rows(path, ("file", "x", "y", "width", "height")):
            file = row.file()
            if file not in labeled:
                problem = f"is {file!r}, which has no row in labels.csv; add that row or remove the box"
                raise row.error("file", problem)
            table.append(_box(row))
    return pl.DataFrame(table, schema=BOXES, orient="row")


def _box(row: _Row) -> tuple[str, float, float, float, float, int]:
    left, top = row.number("x", "a number of pixels"), row.number("y", "a number of pixels")
    return row.file(), left, top, _length(row, "width"), _length(row, "height"), row.line


def _length(row: _Row, column: str) -> float:
    value = row.number(column, "a number of pixels above 0")
    if value <= 0:
        raise row.error(column, f"is {row.cells[column]!r}, allowed is a number of pixels above 0; correct it")
    return value


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[_Row]:
    """Lines of a UTF-8 CSV file with or without byte order mark, cells stripped, empty lines left out."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_header(path, header, needed)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield _row(path, reader.line_num, header, cells)
    except UnicodeDecodeError:
        raise StudyError(f"{path}: is not UTF-8 text; save it again as CSV with UTF-8 encoding.") from None
    except csv.Error as error:
        raise StudyError(f"{path}: cannot be read as CSV ({error}); check the quotation marks.") from None


def _row(path: Path, line: int, header: list[str], cells: list[str]) -> _Row:
    if len(cells) != len(header):
        raise StudyError(
            f"{path}, line {line}: has {len(cells)} cells, the header has {len(header)}; quote cells that hold commas."
        )
    return _Row(path, line, dict(zip(header, (cell.strip() for cell in cells), strict=True)))


def _check_header(path: Path, header: list[str], needed: tuple[str, ...]) -> None:
    missing = [name for name in needed if name not in header]
    if missing:
        found = ", ".join(header) or "nothing"
        hint = " Cells are separated by commas." if any(";" in name for name in header) else nearest(missing[0], header)
        raise StudyError(
            f"{path}: has no column `{missing[0]}`; it has {found}, needed are {', '.join(needed)}; "
            f"add the column.{hint}"
        )
    twice = [name for name in header if name and header.count(name) > 1]
    if twice:
        raise StudyError(f"{path}: has two columns `{twice[0]}`; rename or remove one of them.")


def _every_image_is_labeled(folder: Path, labeled: set[str]) -> None:
    unlabeled = [file for file in image_files(folder) if file not in labeled]
    if unlabeled:
        more = f" ({len(unlabeled) - 1} more images have none.)" if len(unlabeled) > 1 else ""
        raise StudyError(
            f"{folder / 'labels.csv'}: has no row for the image {unlabeled[0]!r}; "
            f"add its row or move the image away.{more}"
        )
