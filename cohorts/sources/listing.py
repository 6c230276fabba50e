"""What a source returns: the files of a folder with their labels and boxes, checked but not decoded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

ROWS = {
    "file": pl.String(),
    "patient_id": pl.String(),
    "label": pl.String(),
    "view": pl.String(),
    "age": pl.Float64(),
    "sex": pl.String(),
}
BOXES = {
    "file": pl.String(),
    "x": pl.Float64(),
    "y": pl.Float64(),
    "width": pl.Float64(),
    "height": pl.Float64(),
    "row": pl.Int64(),
}
SUFFIXES = {".dcm", ".png", ".jpg", ".jpeg"}


@dataclass(frozen=True)
class Listing:
    """Files of one center or corpus.

    `rows`: one per image file (file, patient_id, label, view, age, sex), `file` relative to `folder` with slashes.
    `boxes`: file, x, y, width, height in pixels of the file, and `row`, the line of boxes.csv.
    """

    folder: Path
    rows: pl.DataFrame
    boxes: pl.DataFrame


def image_files(folder: Path) -> list[str]:
    """Relative paths of all image files, sorted; hidden files and folders and the DICOMDIR are left out."""
    found = (path for path in folder.rglob("*") if path.is_file())
    names = (path.relative_to(folder) for path in found)
    return sorted(name.as_posix() for name in names if not _is_hidden(name) and _is_image(folder / name))


def _is_hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)


def _is_image(path: Path) -> bool:
    # A file called by its UID, such as 1.2.840.10008, has a number where others have an extension.
    extensionless = not path.suffix or re.fullmatch(r"\.\d+", path.suffix) is not None
    if not extensionless:
        return path.suffix.lower() in SUFFIXES
    if path.name.upper() == "DICOMDIR":
        return False
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
