"""Where a fitted replicate looks: one map per region, and what random weights make of the same network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import polars as pl

from evaluation.robustness.heat import MAPS, packed, rank_correlation
from trainables.classification.model import ModelCard, build, read_model
from trainables.classification.saliency import NoMapError, evidence
from trainables.classification.seeds import be_deterministic, seed_torch
from trainables.data import JobData

if TYPE_CHECKING:
    import torch

    from trainables.task import Job, Run

AT_ONCE = 256
"""Images whose pixels are in memory together."""
TARGET = "positive logit"

_OF_REGION = ("center", "patient", "image", "region", "role", "x0", "y0", "x1", "y1")


def explain(job: Job, data: JobData, run: Run) -> None:
    """Write `saliency`, one row per region; empty, with `no_map` in the result, for networks that have no Grad-CAM.

    With the recipe's `sanity` each map is compared with that of the same architecture with random weights.
    """
    be_deterministic(run.threads)
    model, card = read_model(run.need(job["needs"]["fit"]), run.device)
    other = randomized(card, job, run.device) if job["recipe"]["saliency"]["sanity"] else None
    rows: list[dict[str, Any]] = []
    try:
        for images in data.images.iter_slices(AT_ONCE):
            rows += _rows(model, other, card, _some(data, images), run.device)
    except NoMapError as error:
        rows = []
        run.set_result({"no_map": str(error)})
    run.write_table("saliency", pl.DataFrame(rows, schema=MAPS))
    run.set_result({"maps": len(rows)})


def randomized(card: ModelCard, job: Job, device: str) -> torch.nn.Module:
    """The card's network in evaluation mode as it was before any training, batch norm's statistics included.

    Its weights follow from the job's seed and fold, and are not those that a scratch cell began with.
    """
    seed_torch(job["seed"], job["fold"], "saliency")
    return build(card).to(device).eval()


def _some(data: JobData, images: pl.DataFrame) -> JobData:
    boxes = None if data.boxes is None else data.boxes.join(images.select("image"), on="image", how="semi")
    return JobData(images, boxes, data.stores)


def _rows(
    model: torch.nn.Module, other: torch.nn.Module | None, card: ModelCard, data: JobData, device: str
) -> Iterator[dict[str, Any]]:
    found = evidence(model, card, data, device)
    random = found.maps if other is None else evidence(other, card, data, device).maps
    for row, heat, heat_of_random in zip(found.regions.iter_rows(named=True), found.maps, random, strict=True):
        same = None if other is None else rank_correlation(heat, heat_of_random)
        yield {name: row[name] for name in _OF_REGION} | {"target": TARGET, "randomized": same} | packed(heat)
