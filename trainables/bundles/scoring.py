"""Scores of a bundle: each replicate's own predict job, aggregated and decided as the comparison does it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from evaluation.comparison.aggregation import image_scores, replicate_scores
from evaluation.tables import DETECTIONS, PREDICTIONS
from search_spaces.errors import StudyError
from trainables import TASKS
from trainables.bundles.bundle import Bundle, Limit, Replicate
from trainables.bundles.reading import CENTER, Radiographs
from trainables.data import JobData

if TYPE_CHECKING:
    from trainables.task import Job

FIT, FEATURES = "fit", "features"

REGIONS = {
    "file": pl.String(),
    "region": pl.Int64(),
    **dict.fromkeys(("x0", "y0", "x1", "y1", "score", "logit"), pl.Float64()),
}
FOUND = {
    "file": pl.String(),
    "replicate": pl.String(),
    "class": pl.Int64(),
    **dict.fromkeys(("x0", "y0", "x1", "y1", "score"), pl.Float64()),
}


@dataclass(frozen=True)
class Scores:
    """What a bundle says of some radiographs; boxes are in pixels of the files, half open.

    `images`: file, score, logit (null for detectors), then one boolean column per rule, such as `youden`, null where
    no threshold could be chosen. `regions` (REGIONS): one row per given box, for cells that score boxes. `boxes`
    (FOUND): what each replicate of a detector drew; they are never merged, class 0 is the target. `failed`: file ->
    reason, for files without a score.
    """

    images: pl.DataFrame
    regions: pl.DataFrame
    boxes: pl.DataFrame
    failed: Mapping[str, str]


def score(bundle: Bundle, radiographs: Radiographs, *, device: str = "cpu", threads: int = 1) -> Scores:
    """Predict with every replicate and aggregate; images keep the order of their names."""
    data, failed = radiographs.data, dict(radiographs.failed)
    predictions, detections = pl.DataFrame(schema=PREDICTIONS), pl.DataFrame(schema=DETECTIONS)
    if data.images.height:
        with tempfile.TemporaryDirectory() as scratch:
            predictions, detections, reasons = _predictions(bundle, data, _Place(Path(scratch), device, threads))
        failed |= reasons
    every = _by_replicate(bundle, predictions)
    return Scores(
        images=_images(bundle, every),
        regions=_regions(bundle, predictions, data) if bundle.needs_boxes else pl.DataFrame(schema=REGIONS),
        boxes=_boxes(bundle, detections, data.images),
        failed=failed,
    )


@dataclass(frozen=True)
class _Place:
    """Where the jobs of one call run."""

    scratch: Path
    device: str
    threads: int


@dataclass
class _Job:
    """Implements trainables.task.Run for a job whose tables are wanted, not kept."""

    folder: Path
    device: str
    threads: int
    needs: Mapping[str, Path] = field(default_factory=dict)
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)

    def report(self, epoch: int, metrics: dict[str, float]) -> None:
        """Nothing waits for news."""

    def save_checkpoint(self, epoch: int, write: Callable[[Path], None]) -> None:
        """The job is not resumed."""

    def newest_checkpoint(self) -> Path | None:
        """The job begins anew."""
        return None

    def certify(self, facts: dict[str, Any]) -> None:
        """The certificate is the fit's."""

    def write_table(self, name: str, table: pl.DataFrame) -> None:
        """Keep it, and leave features where predict jobs read them."""
        self.tables[name] = table
        if name == FEATURES:
            table.write_parquet(self.folder / f"{name}.parquet")

    def set_result(self, values: dict[str, Any]) -> None:
        """The tables say it all."""

    def need(self, key: str) -> Path:
        """The folder of a replicate or of features."""
        return self.needs[key]

    def shared(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Nobody else asks."""
        return make()


def _predictions(bundle: Bundle, data: JobData, place: _Place) -> tuple[pl.DataFrame, pl.DataFrame, Mapping[str, str]]:
    """The tables of all replicates, and images that none can score."""
    task, needs, reasons = TASKS[bundle.task](), {}, {}
    data = JobData(data.images, data.boxes if bundle.needs_boxes else None, data.stores)
    if bundle.task == "radiomics":
        reasons = _measure(bundle, data, place)
        needs[FEATURES] = place.scratch
        data = JobData(data.images.filter(~pl.col("image").is_in(list(reasons))), data.boxes, data.stores)
    found, drawn = [pl.DataFrame(schema=PREDICTIONS)], [pl.DataFrame(schema=DETECTIONS)]
    for replicate in bundle.replicates if data.images.height else ():
        run = _Job(place.scratch, place.device, place.threads, {**needs, FIT: replicate.folder})
        task.predict(_job(bundle, replicate), data, run)
        found.append(_identified(bundle, replicate, run.tables["predictions"]).select(list(PREDICTIONS)))
        if "detections" in run.tables:
            drawn.append(_identified(bundle, replicate, run.tables["detections"]).select(list(DETECTIONS)))
    tables = pl.concat(found, how="vertical_relaxed"), pl.concat(drawn, how="vertical_relaxed")
    return *tables, reasons


def _measure(bundle: Bundle, data: JobData, place: _Place) -> dict[str, str]:
    """Radiomics features of all boxes, once for all replicates; image -> reason where not one could be measured."""
    run = _Job(place.scratch, place.device, place.threads)
    try:
        TASKS[bundle.task]().features(_job(bundle, None), data, run)
    except StudyError as error:
        return dict.fromkeys(data.images["image"], str(error))
    measured = set(run.tables[FEATURES]["image"]) if run.tables[FEATURES].height else set()
    table = run.tables["failed_regions"]
    told = dict(zip(table["image"], table["reason"], strict=True))
    return {
        name: f"not one of its boxes could be measured ({told.get(name, 'unknown reason')})"
        for name in data.images["image"]
        if name not in measured
    }


def _job(bundle: Bundle, replicate: Replicate | None) -> Job:
    """A predict or features job as a plan would hand it over."""
    axes = {"backbone": bundle.backbone, "pretraining": bundle.pretraining, "init": bundle.init}
    return {
        "key": bundle.cell if replicate is None else replicate.key,
        "kind": FEATURES if replicate is None else "predict",
        "task": bundle.task,
        "arm": {**bundle.arm, "parts": 1} if bundle.task == "radiomics" else dict(bundle.arm),
        "cell": {"id": bundle.cell, **axes},
        "fold": 0 if replicate is None else replicate.fold,
        "seed": 0 if replicate is None else replicate.seed,
        "center": CENTER,
        "needs": {"features": [FEATURES], "pretrain": None, "fit": FIT},
        "recipe": {"part": [0, 1], "variants": ["original"]},
        "hyperparameters": {},
    }


def _identified(bundle: Bundle, replicate: Replicate, table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(
        key=pl.lit(replicate.name),
        fit_key=pl.lit(replicate.key),
        cell=pl.lit(bundle.cell),
        fold=pl.lit(replicate.fold, dtype=pl.Int64),
        seed=pl.lit(replicate.seed, dtype=pl.Int64),
    )


def _by_replicate(bundle: Bundle, predictions: pl.DataFrame) -> pl.DataFrame:
    """One row per replicate and image, by the comparison's own code; it asks for labels, which nobody knows here."""
    unknown = predictions.select("image").unique().with_columns(label=pl.lit(0, pl.Int64), center=pl.lit(CENTER))
    cells = pl.DataFrame({"cell": [bundle.cell], "arm": [bundle.arm["name"]]})
    labels = unknown.with_columns(arm=pl.lit(bundle.arm["name"]))
    return replicate_scores(predictions, labels, cells, open_external=True)


def _images(bundle: Bundle, every: pl.DataFrame) -> pl.DataFrame:
    together = image_scores(every).select("image", "score", "logit").sort("image")
    ordered = together["logit" if bundle.scale == "logit" else "score"].to_numpy()
    decisions = [
        pl.Series(limit.rule, _decided(bundle, limit, ordered, every), dtype=pl.Boolean) for limit in bundle.limits
    ]
    logit = pl.col("logit").fill_nan(None)
    return together.select(pl.col("image").alias("file"), "score", logit).with_columns(decisions)


def _decided(bundle: Bundle, limit: Limit, ordered: np.ndarray[Any, Any], every: pl.DataFrame) -> list[bool]:
    """Positive is a value at or above the threshold; without one for all, more than half of the models must say so."""
    if limit.value is not None:
        return [bool(value >= limit.value) for value in ordered]
    names = {(each.fold, each.seed): each.name for each in bundle.replicates}
    votes: dict[str, list[bool]] = {}
    for row in every.sort("image").iter_rows(named=True):
        threshold = limit.by_replicate.get(names[row["fold"], row["seed"]])
        value = row["score"] if bundle.scale == "score" else row["logit"]
        cast = votes.setdefault(row["image"], [])
        if threshold is not None:
            cast.append(value >= threshold)
    return [2 * sum(cast) > len(cast) for cast in votes.values()]


def _regions(bundle: Bundle, predictions: pl.DataFrame, data: JobData) -> pl.DataFrame:
    """Aggregates of single boxes, beside their corners."""
    assert data.boxes is not None
    logit, score = pl.col("logit").mean(), pl.col("score").mean()
    aggregated = predictions.group_by("image", "region").agg(
        logit.alias("logit"), pl.coalesce(1.0 / (1.0 + (-logit).exp()), score).alias("score")
    )
    corners = _in_file_pixels(data.boxes.rename({"box": "region"}), data.images)
    joined = corners.join(aggregated, on=["image", "region"]).sort("image", "region")
    return joined.rename({"image": "file"}).select([pl.col(name).cast(kind) for name, kind in REGIONS.items()])


def _boxes(bundle: Bundle, detections: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    drawn = detections.rename({"key": "replicate"}).with_row_index("order")
    placed = _in_file_pixels(drawn, images).sort("order").rename({"image": "file"})
    return placed.select([pl.col(name).cast(kind) for name, kind in FOUND.items()])


def _in_file_pixels(boxes: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    sizes = images.select("image", "height", "width", "source_height", "source_width")
    across, down = pl.col("source_width") / pl.col("width"), pl.col("source_height") / pl.col("height")
    return boxes.join(sizes, on="image").with_columns(
        *(pl.col(name) * across for name in ("x0", "x1")), *(pl.col(name) * down for name in ("y0", "y1"))
    )


def in_chunks(count: int, at_once: int) -> Iterator[slice]:
    """Slices of so many files at most, so that any number of radiographs fits into memory."""
    yield from (slice(start, start + at_once) for start in range(0, count, at_once))


def fastest_device() -> str:
    """`cuda:0` where torch sees a GPU, else `cpu`."""
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"
