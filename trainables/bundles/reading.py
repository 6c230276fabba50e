"""Files to be scored -> decoded radiographs, on the very way on which the study took its centers in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from cohorts.decoding import Refused, Stored, decode_files
from cohorts.marking import Corners, in_stored_pixels
from cohorts.pixels import PixelStore
from trainables.data import JobData

if TYPE_CHECKING:
    from cohorts.radiograph import Pixels

CENTER = "given"
"""Stands where a study has the name of a center."""

IMAGES = {
    **dict.fromkeys(("image", "patient", "center", "role"), pl.String()),
    **dict.fromkeys(("height", "width", "source_height", "source_width"), pl.Int64()),
}
BOXES = {"image": pl.String(), "box": pl.Int64(), **dict.fromkeys(("x0", "y0", "x1", "y1"), pl.Float64())}


@dataclass(frozen=True)
class File:
    """One radiograph to be scored."""

    name: str
    """As the user gave it; results carry it."""
    path: Path
    boxes: tuple[Corners, ...] = ()
    """In pixels of the file, half open."""


@dataclass(frozen=True)
class Radiographs:
    """What could be read, as a job's data, and why the rest could not.

    `data.images` has a row per readable file, whose `image` is its name, with `source_height` and `source_width`;
    `data.boxes` are in stored pixels, numbered from the top left. `failed`: name -> reason.
    """

    data: JobData
    failed: Mapping[str, str]

    @classmethod
    def read(cls, files: Sequence[File], size: int, *, needs_boxes: bool, workers: int = 1) -> Radiographs:
        """Decode files whose names differ; `size` is the bundle's. With `needs_boxes` a file without box fails."""
        failed = {file.name: reason for file in files if (reason := _unfit(file, needs_boxes))}
        wanted = [file for file in files if file.name not in failed]
        pixels: dict[str, Pixels] = {}
        rows: list[dict[str, Any]] = []
        boxes: list[dict[str, Any]] = []
        outcomes = decode_files([file.path for file in wanted], size, frozenset(), workers)
        for file, outcome in zip(wanted, outcomes, strict=True):
            try:
                row, stored = _placed(file, outcome)
                boxes += _boxes(file, row)
            except _UnusableError as error:
                failed[file.name] = str(error)
                continue
            rows.append(row)
            pixels[file.name] = stored.radiograph.values
        images = pl.DataFrame(rows, schema=IMAGES).sort("image")
        marked = pl.DataFrame(boxes, schema=BOXES).sort("image", "box")
        return cls(JobData(images, marked, {CENTER: _InMemory(pixels)}), failed)


class _UnusableError(ValueError):
    """Why one file has no score."""


class _InMemory(PixelStore):
    """Decoded images of this process: nothing of a patient is written to a disk."""

    def __init__(self, pixels: dict[str, Pixels]) -> None:
        super().__init__(Path())
        self._pixels = pixels

    def read(self, image: str) -> Pixels:
        """The stored image."""
        return self._pixels[image]


def _unfit(file: File, needs_boxes: bool) -> str:
    """What can be told without opening the file; empty if nothing speaks against it."""
    if not file.path.is_file():
        return "there is no such file"
    return "no box is given for it, and this cell scores boxes" if needs_boxes and not file.boxes else ""


def _placed(file: File, outcome: Any) -> tuple[dict[str, Any], Stored]:
    if isinstance(outcome, Refused):
        raise _UnusableError(outcome.reason)
    assert isinstance(outcome, Stored), "no file is known before"
    height, width = outcome.radiograph.values.shape
    source = {"source_height": outcome.source_height, "source_width": outcome.source_width}
    who = {"image": file.name, "patient": file.name, "center": CENTER, "role": "external"}
    return {**who, "height": height, "width": width, **source}, outcome


def _boxes(file: File, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of BOXES, numbered as the study numbers them."""
    of_file, stored = (row["source_width"], row["source_height"]), (row["width"], row["height"])
    found = []
    for box in file.boxes:
        corners = in_stored_pixels(box, of_file, stored) if box[0] < box[2] and box[1] < box[3] else None
        if corners is None:
            x0, y0, x1, y1 = box
            raise _UnusableError(
                f"the box x {x0:g}..{x1:g}, y {y0:g}..{y1:g} is empty or leaves the image, "
                f"allowed is x 0..{of_file[0]}, y 0..{of_file[1]} (pixels of the file)"
            )
        found.append(corners)
    names = ("x0", "y0", "x1", "y1")
    return [
        {"image": file.name, "box": number, **dict(zip(names, corners, strict=True))}
        for number, corners in enumerate(sorted(found))
    ]
