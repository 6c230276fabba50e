"""Fills the folder of an ingested center: decodes what is new, copies what is known, writes the tables last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cohorts.decoding import Known, Outcome, Refused, decode_files
from cohorts.pixels import PixelStore, PixelWriter
from cohorts.recipe import Recipe
from cohorts.sources.listing import Listing
from cohorts.tables import FILES
from cohorts.writing import write_tables
from search_spaces.errors import StudyError

Row = dict[str, Any]


def unchanged(recipe: Recipe, listing: Listing, out: Path) -> bool:
    """Whether `out` holds this ingestion: same settings, and all files of the same size and time of change."""
    facts = read_facts(out)
    if facts is None or facts["name"] != recipe.name or facts["settings"] != recipe.settings(listing):
        return False
    before = pl.read_parquet(out / "files.parquet", columns=["path", "size", "mtime_ns"])
    return sorted(before.rows()) == sorted(_stat(listing))


def build(recipe: Recipe, listing: Listing, building: Path, previous: Path, workers: int) -> None:
    """Write a complete ingestion into the empty folder `building`; pixels of equal files are copied from `previous`."""
    listing = Listing(listing.folder, listing.rows.sort("file"), listing.boxes)
    files = pl.DataFrame(
        _stat(listing), schema={name: FILES[name] for name in ("path", "size", "mtime_ns")}, orient="row"
    )
    old = _Previous.of(previous, recipe)
    with PixelWriter(building) as writer:
        found = [
            _store(outcome, old, writer) for outcome in _outcomes(recipe, listing, old.trusted(files), old, workers)
        ]
    readable = [row for row in found if isinstance(row, dict)]
    if not readable:
        raise _nothing_readable(listing, [row for row in found if isinstance(row, Refused)])
    write_tables(recipe, listing, files, found, building)


def _outcomes(
    recipe: Recipe, listing: Listing, trusted: dict[str, str], old: _Previous, workers: int
) -> Iterator[Outcome]:
    """One per file, in order; files in `trusted` are not even opened."""
    names = listing.rows["file"].to_list()
    paths = [listing.folder / name for name in names if name not in trusted]
    fresh = decode_files(paths, recipe.size, frozenset(old.rows), workers)
    for name in names:
        yield Known(trusted[name]) if name in trusted else next(fresh)


def _stat(listing: Listing) -> list[tuple[str, int, int]]:
    stats = ((file, (listing.folder / file).stat()) for file in listing.rows["file"])
    return [(file, stat.st_size, stat.st_mtime_ns) for file, stat in stats]


def _store(outcome: Outcome, old: _Previous, writer: PixelWriter) -> Row | Refused:
    """Append the pixels and return the facts of the image."""
    if isinstance(outcome, Refused):
        return outcome
    if isinstance(outcome, Known):
        row = old.rows[outcome.sha256]
        return {**row, "offset": writer.append(old.pixels.read(row["image"]))}
    radiograph = outcome.radiograph
    height, width = radiograph.values.shape
    scale = max(height, width) / max(outcome.source_height, outcome.source_width)
    facts = {key: value for key, value in vars(outcome).items() if key != "radiograph"}
    facts |= {key: value for key, value in vars(radiograph).items() if key != "values"}
    spacing = None if radiograph.spacing_mm is None else radiograph.spacing_mm / scale
    place = {"offset": writer.append(radiograph.values), "height": height, "width": width, "scale": scale}
    return {**facts, **place, "spacing_mm": spacing}


@dataclass(frozen=True)
class _Previous:
    """An earlier ingestion with the same pixel settings: rows by sha256 of the file, and where the pixels lie."""

    rows: dict[str, Row]
    files: pl.DataFrame
    pixels: PixelStore

    @classmethod
    def of(cls, folder: Path, recipe: Recipe) -> _Previous:
        facts = read_facts(folder)
        settings = facts["settings"] if facts else {}
        if any(settings.get(key) != value for key, value in recipe.pixel_settings.items()):
            return cls({}, pl.DataFrame(schema=FILES), PixelStore(folder))
        files = pl.read_parquet(folder / "files.parquet").filter(pl.col("image").is_not_null())
        images = pl.read_parquet(folder / "images.parquet").drop("view", "age", "sex")
        rows = files.join(images, on="image").unique("sha256", keep="first", maintain_order=True)
        return cls({row["sha256"]: row for row in rows.iter_rows(named=True)}, files, PixelStore(folder))

    def trusted(self, files: pl.DataFrame) -> dict[str, str]:
        """sha256 of the files whose size and time of change are as before."""
        same = files.join(self.files, on=["path", "size", "mtime_ns"])
        return dict(same.select("path", "sha256").rows())


def read_facts(folder: Path) -> Row | None:
    """center.json, or None where there is no ingestion."""
    path = folder / "center.json"
    facts: Row | None = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    return facts


def _nothing_readable(listing: Listing, refused: list[Refused]) -> StudyError:
    count, first = len(refused), listing.rows["file"][0]
    return StudyError(
        f"{listing.folder}: none of its {count} images can be read, the first is {first!r} ({refused[0].reason}); "
        "replace the files by readable DICOM, PNG or JPEG images."
    )
