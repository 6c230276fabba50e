"""Ingested centers: one folder of tables and pixels, made once from a hospital's files."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import polars as pl

from cohorts.pixels import PixelStore
from cohorts.recipe import Recipe
from cohorts.sources import SOURCES
from cohorts.sources.limit import limit_classes
from cohorts.sources.listing import Listing

Json = dict[str, Any]


@dataclass(frozen=True)
class Center:
    """An ingested center or corpus; tables are read when first asked for.

    `labels` and `boxes` are files of their own, so that a job can be given the images alone.
    """

    folder: Path

    @property
    def name(self) -> str:
        """The name under which it was ingested; image ids begin with it."""
        return str(self._facts["name"])

    @property
    def fingerprints(self) -> dict[str, str]:
        """sha256 of the content of `images`, `labels` and `boxes`."""
        return dict(self._facts["fingerprints"])

    @property
    def settings(self) -> Json:
        """What it was ingested with."""
        return dict(self._facts["settings"])

    @property
    def counts(self) -> Json:
        """Files, images, patients, images per label, boxes, quarantined files per reason, labels without image."""
        return dict(self._facts["counts"])

    @cached_property
    def images(self) -> pl.DataFrame:
        """One row per readable image; columns in cohorts/tables.py."""
        return pl.read_parquet(self.folder / "images.parquet")

    @cached_property
    def labels(self) -> pl.DataFrame:
        """image, label."""
        return pl.read_parquet(self.folder / "labels.parquet")

    @cached_property
    def boxes(self) -> pl.DataFrame:
        """image, box, x0, y0, x1, y1 in stored pixels, half open."""
        return pl.read_parquet(self.folder / "boxes.parquet")

    @cached_property
    def quarantine(self) -> pl.DataFrame:
        """file, reason; file names stay in the center."""
        return pl.read_parquet(self.folder / "quarantine.parquet")

    @cached_property
    def pixels(self) -> PixelStore:
        """The stored images."""
        return PixelStore(self.folder)

    @cached_property
    def _facts(self) -> Json:
        facts: Json = json.loads((self.folder / "center.json").read_text(encoding="utf-8"))
        return facts


def ingest_center(
    name: str,
    source_folder: Path,
    out: Path,
    *,
    size: int,
    salt: bytes,
    patient_ids: Literal["per_center", "shared"] = "per_center",
    workers: int | None = None,
) -> Center:
    """Read a center's folder into `out`; an ingestion of the same files and settings is used again.

    `size`: longest stored side in pixels. `salt`: key of the patient hashes, one per study; with `patient_ids` shared,
    equal ids of different centers get equal hashes. Raises StudyError for what the user must mend; unreadable
    images are quarantined.
    """
    listing = SOURCES["labels"](Path(source_folder))
    return _ingest(Recipe(name, size, salt, patient_ids == "shared", {"layout": "labels"}), listing, Path(out), workers)


def ingest_corpus(
    name: str,
    source_folder: Path,
    out: Path,
    *,
    size: int,
    layout: Literal["labels", "class_folders"],
    limit: int | None,
    seed: int,
    salt: bytes,
    workers: int | None = None,
) -> Center:
    """Read pretraining images; with a `limit`, the same number of each class, drawn by `seed` from the sorted names."""
    listing = limit_classes(SOURCES[layout](Path(source_folder)), limit, seed)
    recipe = Recipe(name, size, salt, False, {"layout": layout, "limit": limit, "seed": seed})
    return _ingest(recipe, listing, Path(out), workers)


def _ingest(recipe: Recipe, listing: Listing, out: Path, workers: int | None) -> Center:
    from cohorts.building import build, unchanged  # decoders, which a reader of tables does not need

    out.parent.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        if not unchanged(recipe, listing, out):
            building = out.parent / f".{out.name}.building"
            shutil.rmtree(building, ignore_errors=True)
            building.mkdir()
            _replace(out, building, lambda: build(recipe, listing, building, out, workers or os.cpu_count() or 1))
    return Center(out)


def _replace(out: Path, building: Path, fill: Callable[[], None]) -> None:
    """Nothing half-written appears at `out`: the folder is filled beside it and renamed."""
    try:
        fill()
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    replaced = out.parent / f".{out.name}.replaced"
    shutil.rmtree(replaced, ignore_errors=True)
    if out.exists():
        out.rename(replaced)
    building.rename(out)
    shutil.rmtree(replaced, ignore_errors=True)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Two commands that ingest the same center wait for each other; the lock goes with the process."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        # A decoding process imports the caller's script; ingesting there again would wait for this very lock.
        raise RuntimeError("a script that ingests centers must do so under `if __name__ == '__main__':`")
    with (out.parent / f".{out.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
