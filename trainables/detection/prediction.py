"""Boxes and image scores of a trained detector for any films."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import torch
from ultralytics.cfg import get_cfg
from ultralytics.nn.tasks import DetectionModel

from trainables.data import JobData
from trainables.detection.dataset import FilmDataset, films
from trainables.detection.network import read_model
from trainables.detection.scores import image_score
from trainables.detection.validation import suppress
from trainables.task import Job, Run

Items = list[dict[str, Any]]

BATCH = 16
ORIGINAL = "original"

_PREDICTIONS = {
    "center": pl.String,
    "patient": pl.String,
    "image": pl.String,
    "region": pl.Int64,
    "role": pl.String,
    "variant": pl.String,
    "score": pl.Float64,
    "logit": pl.Float64,
}
_DETECTIONS = {
    "center": pl.String,
    "patient": pl.String,
    "image": pl.String,
    "role": pl.String,
    "variant": pl.String,
    **dict.fromkeys(("x0", "y0", "x1", "y1", "score"), pl.Float64),
    "class": pl.Int64,
}


def predict(job: Job, data: JobData, run: Run) -> None:
    """Write `predictions` (one score per image, region -1) and `detections` (boxes in stored pixels) of all images.

    The score is made of the boxes as the model's card says, 0 where no box of the target class reaches the floor; a
    detector has no logit.
    """
    torch.set_num_threads(run.threads)
    model, card = read_model(run.need(job["needs"]["fit"]), run.device)
    predictions: list[dict[str, Any]] = []
    detections: list[dict[str, Any]] = []
    everything = _detect(model, card.image_size, data, run.device)
    for row, found in zip(data.images.iter_rows(named=True), everything, strict=True):
        who = {name: row[name] for name in ("center", "patient", "image", "role")} | {"variant": ORIGINAL}
        score = image_score(found[:, 4], found[:, 5], card.score)
        predictions.append({**who, "region": -1, "score": score, "logit": None})
        detections.extend({**who, **box} for box in _boxes(found, row["height"], row["width"]))
    run.write_table("predictions", pl.DataFrame(predictions, schema=_PREDICTIONS))
    run.write_table("detections", pl.DataFrame(detections, schema=_DETECTIONS))
    run.set_result({"images": len(predictions), "boxes": len(detections)})


def inputs(model: DetectionModel, image_size: int, data: JobData, device: str) -> Iterator[tuple[Items, torch.Tensor]]:
    """Images in the table's order, some at a time: Ultralytics' items, and what the network reads of them."""
    settings = get_cfg(overrides={"imgsz": image_size})
    names = {"names": dict(model.names), "channels": 3}
    dataset = FilmDataset(films(data), data.pixels, data=names, imgsz=image_size, augment=False, hyp=settings)
    for start in range(0, len(dataset), BATCH):
        items = [dataset[index] for index in range(start, min(start + BATCH, len(dataset)))]
        yield items, torch.stack([item["img"] for item in items]).to(device).float() / 255


@torch.inference_mode()
def _detect(model: DetectionModel, image_size: int, data: JobData, device: str) -> Iterator[torch.Tensor]:
    """Per image, in the table's order: rows of x0, y0, x1, y1 in stored pixels, confidence, class."""
    for items, batch in inputs(model, image_size, data, device):
        for item, found in zip(items, suppress(model(batch)), strict=True):
            yield _in_stored_pixels(found.cpu(), item)


def _in_stored_pixels(found: torch.Tensor, item: dict[str, Any]) -> torch.Tensor:
    """Undo the letterbox: padding first, then the resize."""
    (ratio_y, ratio_x), (pad_x, pad_y) = item["ratio_pad"]
    height, width = item["ori_shape"]
    boxes = (found[:, :4] - torch.tensor([pad_x, pad_y] * 2)) / torch.tensor([ratio_x, ratio_y] * 2)
    inside = boxes.clamp(min=0).minimum(torch.tensor([width, height] * 2, dtype=boxes.dtype))
    return torch.cat([inside, found[:, 4:6]], dim=1)


def _boxes(found: torch.Tensor, height: int, width: int) -> Iterator[dict[str, float | int]]:
    for x0, y0, x1, y1, score, label in found.tolist():
        if x1 > x0 and y1 > y0:
            yield {"x0": x0, "y0": y0, "x1": x1, "y1": y1, "score": score, "class": int(label)}
