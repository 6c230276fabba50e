"""Where a trained detector looks: one map per image with a box, and what random weights make of the same network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import torch
from ultralytics.nn.tasks import DetectionModel

from cohorts.regions import WHOLE_IMAGE
from evaluation.robustness.heat import MAPS, packed, rank_correlation
from trainables.data import JobData
from trainables.detection.card import DetectorCard
from trainables.detection.network import read_model
from trainables.detection.recipe import seed_of
from trainables.detection.saliency import evidence
from trainables.task import Job, Run

TARGET = "logit of the most confident box"


def explain(job: Job, data: JobData, run: Run) -> None:
    """Write `saliency`, one row (region -1) per image on which the detector drew a box of the target class.

    The result counts the others as `without_box`: there is no score to explain. With the recipe's `sanity` each map is
    compared with that of the same architecture with random weights.
    """
    torch.set_num_threads(run.threads)
    model, card = read_model(run.need(job["needs"]["fit"]), run.device)
    other = randomized(card, job, run.device) if job["recipe"]["saliency"]["sanity"] else None
    rows = list(_rows(model, other, card.image_size, data, run.device))
    run.write_table("saliency", pl.DataFrame(rows, schema=MAPS))
    run.set_result({"maps": len(rows), "without_box": len(data.images) - len(rows)})


def randomized(card: DetectorCard, job: Job, device: str) -> DetectionModel:
    """The card's detector in evaluation mode as it was before any training, batch norm's statistics included.

    Its weights follow from the job's seed and fold, and are not those that a scratch cell began with.
    """
    torch.manual_seed(seed_of(job["seed"], job["fold"], "saliency"))
    model = DetectionModel(dict(card.architecture), ch=3, nc=len(card.names), verbose=False)
    model.end2end = False
    return model.to(device).eval()


def _rows(
    model: DetectionModel, other: DetectionModel | None, image_size: int, data: JobData, device: str
) -> Iterator[dict[str, Any]]:
    found = evidence(model, other, image_size, data, device)
    for row, one in zip(data.images.iter_rows(named=True), found, strict=True):
        if one.heat is not None:
            who = {name: row[name] for name in ("center", "patient", "image", "role")}
            square = dict(zip(("x0", "y0", "x1", "y1"), one.square, strict=True))
            same = None if one.of_other is None else rank_correlation(one.heat, one.of_other)
            yield {**who, "region": WHOLE_IMAGE, **square, "target": TARGET, "randomized": same, **packed(one.heat)}
