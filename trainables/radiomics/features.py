"""The features job: the boxes of one part of a center become rows of the table `features`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from search_spaces.errors import StudyError
from trainables.radiomics.extraction import BINS, FAMILIES, UnmeasurableRegionError, crop, measure
from trainables.views import is_perturbed, views

if TYPE_CHECKING:
    from trainables.data import JobData
    from trainables.task import Job, Run

KEYS = {
    "center": pl.String(),
    "patient": pl.String(),
    "image": pl.String(),
    "region": pl.Int64(),
    "variant": pl.String(),
}
"""Columns of `features` that say which region; all others are features."""

REGIONS_PER_CHECKPOINT = 100

_FAILED = {
    "center": pl.String(),
    "image": pl.String(),
    "region": pl.Int64(),
    "variant": pl.String(),
    "reason": pl.String(),
}


def extract(job: Job, data: JobData, run: Run) -> None:
    """Measure the boxes of the job's part of a center; writes `features` and `failed_regions`, never reads a label.

    Each box is measured once per variant of the job. A part may be empty, or hold no region that can be measured:
    whether its center has any at all is known where the parts are read, see read_features.
    """
    regions = _dealt(list(_regions(job, data)), *job["recipe"]["part"])
    measured = _Measured.resume(run.newest_checkpoint())
    while measured.count < len(regions):
        chunk = regions[measured.count : measured.count + REGIONS_PER_CHECKPOINT]
        for region in chunk:
            measured.add(region, data, margin=job["arm"]["margin"])
        epoch = -(-measured.count // REGIONS_PER_CHECKPOINT)
        run.save_checkpoint(epoch, measured.write)
        run.report(epoch, {"regions": float(measured.count)})
    _publish(measured, run)


def read_features(folders: Sequence[Path], centers: Iterable[str]) -> pl.DataFrame:
    """The `features` tables of published features jobs as one, in an order that no number of parts changes.

    Raises StudyError for one of `centers` of which no region could be measured.
    """
    tables = [pl.read_parquet(folder / "features.parquet") for folder in folders]
    # An empty part knows no feature names; of all others the columns must be the same.
    measured = [table for table in tables if table.height]
    found = {name for table in measured for name in table["center"].unique()}
    for center in sorted(set(centers) - found):
        raise StudyError(_nothing_measured(center, folders))
    return pl.concat(measured or tables).sort("center", "image", "region", "variant")


def feature_names(table: pl.DataFrame) -> list[str]:
    """The feature columns of a `features` table, in its order."""
    return [name for name in table.columns if name not in KEYS]


@dataclass
class _Measured:
    """What a features job has so far: feature rows, and the regions that gave none."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def resume(cls, checkpoint: Path | None) -> _Measured:
        if checkpoint is None:
            return cls()
        return cls(*(pl.read_parquet(checkpoint / f"{part}.parquet").to_dicts() for part in ("rows", "failed")))

    @property
    def count(self) -> int:
        return len(self.rows) + len(self.failed)

    def add(self, region: dict[str, Any], data: JobData, *, margin: float) -> None:
        box = (region["x0"], region["y0"], region["x1"], region["y1"])
        try:
            features = measure(crop(data.pixels(region["center"], region["image"]), box, margin))
        except UnmeasurableRegionError as error:
            where = {"center": region["center"], "image": region["image"], "region": region["box"]}
            self.failed.append({**where, "variant": region["variant"], "reason": str(error)})
            return
        who = {"center": region["center"], "patient": region["patient"], "image": region["image"]}
        self.rows.append({**who, "region": region["box"], "variant": region["variant"], **features})

    def write(self, folder: Path) -> None:
        pl.DataFrame(self.rows).write_parquet(folder / "rows.parquet")
        pl.DataFrame(self.failed, schema=_FAILED).write_parquet(folder / "failed.parquet")


def _regions(job: Job, data: JobData) -> Iterator[dict[str, Any]]:
    """The boxes of the data's images in a fixed order, so that a later attempt goes on where the first one ended."""
    if is_perturbed(job) and data.images.is_empty():
        return  # nobody of the reserve has a box: nothing to perturb is no error
    centers = ", ".join(sorted(data.images["center"].unique()))
    if data.boxes is None or data.boxes.is_empty():
        raise StudyError(
            f"Center {centers}: no boxes, and radiomics measures boxes only; add boxes.csv or leave the arm out."
        )
    images = data.images.select("image", "patient", "center")
    for variant, seen in views(job, data):
        assert seen.boxes is not None
        joined = seen.boxes.join(images, on="image").sort("image", "box")
        yield from joined.with_columns(variant=pl.lit(variant)).iter_rows(named=True)


def _dealt(regions: list[dict[str, Any]], part: int, parts: int) -> list[dict[str, Any]]:
    """Every n-th region: parts of like size and cost, since neighbors in the order are of one image or alike."""
    return regions[part::parts]


def _publish(measured: _Measured, run: Run) -> None:
    empty = pl.DataFrame(schema=KEYS)
    table = pl.DataFrame(measured.rows).cast({"region": pl.Int64}) if measured.rows else empty
    run.write_table("features", table)
    run.write_table("failed_regions", pl.DataFrame(measured.failed, schema=_FAILED))
    run.certify(
        {"mirp": version("mirp"), "families": list(FAMILIES), "bins": BINS, "features": len(feature_names(table))}
    )
    run.set_result({"regions": len(measured.rows), "failed_regions": len(measured.failed)})


def _nothing_measured(center: str, folders: Sequence[Path]) -> str:
    tables = [pl.read_parquet(folder / "failed_regions.parquet") for folder in folders]
    failed = pl.concat(tables, how="diagonal")  # those of earlier releases do not say of which variant
    failed = failed.filter(pl.col("center") == center).sort("image", "region")
    example = failed["reason"][0] if failed.height else "no box belongs to one of its images"
    return (
        f"Center {center}: none of {failed.height} regions could be measured, the first because: {example}; "
        "check its boxes.csv."
    )
