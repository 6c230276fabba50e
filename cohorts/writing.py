"""The tables of an ingested center: images, labels, boxes, quarantine, files, and center.json with their counts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from cohorts.decoding import Refused
from cohorts.marking import Corners, in_stored_pixels
from cohorts.recipe import Recipe
from cohorts.sources.listing import Listing
from cohorts.tables import BOXES, FILES, IMAGES, LABELS, QUARANTINE, fingerprints
from search_spaces.errors import StudyError

Row = dict[str, Any]
Frames = dict[str, pl.DataFrame]


def write_tables(
    recipe: Recipe, listing: Listing, files: pl.DataFrame, found: Sequence[Row | Refused], folder: Path
) -> None:
    """Write all tables; `files` and `found` are in the order of the listing. A box off its image raises StudyError."""
    rows = _rows(recipe, listing, found)
    by_file = {row["file"]: row for row in rows}
    images = pl.DataFrame(rows, schema=IMAGES).sort("image")
    frames = {
        "images": images,
        "labels": pl.DataFrame(rows, schema=LABELS).sort("image"),
        "boxes": _boxes(listing, by_file),
        "quarantine": _quarantine(listing, found),
        "files": _files(files, found, by_file),
    }
    for name, frame in frames.items():
        frame.write_parquet(folder / f"{name}.parquet")
    prints = fingerprints(images, frames["labels"], frames["boxes"], recipe.pixel_settings)
    settings = recipe.settings(listing)
    facts = {"name": recipe.name, "fingerprints": prints, "settings": settings, "counts": _counts(listing, frames)}
    (folder / "center.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")


def _rows(recipe: Recipe, listing: Listing, found: Sequence[Row | Refused]) -> list[Row]:
    """Facts of the readable images with image and patient ids; labels.csv goes before the header."""
    rows = []
    for listed, facts in zip(listing.rows.iter_rows(named=True), found, strict=True):
        if isinstance(facts, dict):
            told = {key: listed[key] if listed[key] is not None else facts[key] for key in ("view", "age", "sex")}
            patient = recipe.patient(listed["patient_id"])
            rows.append({**facts, **listed, **told, "patient": patient, "center": recipe.name})
    times: Counter[str] = Counter()
    # Identical files are numbered by what is said of them, so that ids do not depend on file names.
    for row in sorted(rows, key=lambda row: (row["patient_id"], row["label"], row["file"])):
        image = f"{recipe.name}-{row['sha256'][:12]}"
        times[image] += 1
        row["image"] = image if times[image] == 1 else f"{image}-{times[image]}"
    return rows


def _boxes(listing: Listing, rows: dict[str, Row]) -> pl.DataFrame:
    """Boxes in stored pixels, half open, numbered from the top left; those of unreadable images are left out."""
    found: dict[str, list[Corners]] = {}
    for box in listing.boxes.iter_rows(named=True):
        if box["file"] in rows:
            row = rows[box["file"]]
            found.setdefault(row["image"], []).append(_stored(listing.folder / "boxes.csv", box, row))
    table = [(image, number, *box) for image in sorted(found) for number, box in enumerate(sorted(found[image]))]
    return pl.DataFrame(table, schema=BOXES, orient="row")


def _stored(path: Path, box: Row, row: Row) -> Corners:
    width, height = row["source_width"], row["source_height"]
    left, top, right, bottom = box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]
    stored = in_stored_pixels((left, top, right, bottom), (width, height), (row["width"], row["height"]))
    if stored is None:
        raise StudyError(
            f"{path}, line {box['row']}: the box x {left:g}..{right:g}, y {top:g}..{bottom:g} leaves its "
            f"image {box['file']!r}, allowed is x 0..{width}, y 0..{height} (pixels of the file); correct the box."
        )
    return stored


def _quarantine(listing: Listing, found: Sequence[Row | Refused]) -> pl.DataFrame:
    files = listing.rows["file"]
    refused = [(file, fact.reason) for file, fact in zip(files, found, strict=True) if isinstance(fact, Refused)]
    return pl.DataFrame(refused, schema=QUARANTINE, orient="row")


def _files(files: pl.DataFrame, found: Sequence[Row | Refused], rows: dict[str, Row]) -> pl.DataFrame:
    """The header's own view, age and sex stay here, for an ingestion with another labels.csv."""
    table = []
    for (path, size, mtime), fact in zip(files.iter_rows(), found, strict=True):
        if isinstance(fact, Refused):
            table.append((path, size, mtime, fact.sha256, None, None, None, None))
        else:
            image = rows[path]["image"]
            table.append((path, size, mtime, fact["sha256"], image, fact["view"], fact["age"], fact["sex"]))
    return pl.DataFrame(table, schema=FILES, orient="row")


def _counts(listing: Listing, frames: Frames) -> dict[str, Any]:
    categories = frames["quarantine"]["reason"].str.split(":").list.first()
    return {
        "files": listing.rows.height,
        "images": frames["images"].height,
        "patients": frames["images"]["patient"].n_unique(),
        "labels": dict(sorted(Counter(frames["labels"]["label"]).items())),
        "boxes": frames["boxes"].height,
        "quarantined": frames["quarantine"].height,
        "quarantined_by_reason": dict(sorted(Counter(categories).items())),
        "labels_without_image": listing.rows.height - frames["images"].height,
        "boxes_without_image": listing.boxes.height - frames["boxes"].height,
    }
