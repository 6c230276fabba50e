"""How a detector is trained: the choices that a study makes."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from search_spaces.hyperparameters import settings
from search_spaces.initialization import SCRATCH
from trainables.detection.scores import Score, score_named
from trainables.task import Job

MAX_SEED = 2**31 - 1
BATCH = 16
"""Images per step where an arm has no say: in pretraining, which several arms may share."""
LEAST_BATCH = 4
STEPS = 8
"""Steps per epoch below which batches are made smaller: few steps teach batch norm little."""
GRID = 32
"""Input pixels per cell of a detector's coarsest grid; an input's side is a multiple of it."""


@dataclass(frozen=True)
class Recipe:
    """One training, complete."""

    init: str
    backbone: str
    image_size: int
    epochs: int
    """Over which the schedule runs."""
    until: int
    """Epoch at which this attempt ends; less than `epochs` at a rung of tuning."""
    patience: int | None
    """Epochs without a better one after which training ends."""
    seed: int
    classes: tuple[str, ...]
    batch_size: int
    score: Score
    learning_rate: float
    weight_decay: float
    layer_decay: float
    schedule: str
    augmentation: float
    """Strength, 0 to 1."""
    mosaic: float
    """Share of training images that are put together from four."""


def recipe_of(job: Job, images: int, classes: tuple[str, ...]) -> Recipe:
    """The recipe of a job that trains on so many images; StudyError for hyperparameters outside the space."""
    chosen = settings("detection", job["hyperparameters"])
    scale = float(chosen.pop("image_scale"))
    is_pretraining = job["kind"] == "pretrain"
    arm = {} if is_pretraining else job["arm"]
    return Recipe(
        init=SCRATCH if is_pretraining else job["cell"]["init"],
        backbone=backbone(job),
        image_size=_pretraining_size(job) if is_pretraining else scaled(arm["image_size"], scale),
        epochs=job["epochs"],
        until=job["until"] if "until" in job else job["epochs"],
        patience=arm["fit"]["patience"] if job["kind"] == "fit" else None,
        seed=seed_of(job["seed"], job["fold"]),
        classes=classes,
        batch_size=fitting_batch(images, arm.get("batch_size", BATCH)),
        score=score_named(arm.get("score", "max")),
        **chosen,
    )


def backbone(job: Job) -> str:
    """The job's architecture; jobs that several cells share carry it themselves."""
    return str((job.get("cell") or job)["backbone"])


def seed_of(*parts: object) -> int:
    """A seed from whatever shall set it, the same on every machine."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") % MAX_SEED


def fitting_batch(images: int, most: int = BATCH) -> int:
    """The batch size asked for, or less where that leaves under eight steps per epoch."""
    return min(most, max(LEAST_BATCH, images // STEPS))


def scaled(side: int, scale: float) -> int:
    """A share of an input's side, as the nearest multiple of 32."""
    return max(1, round(side * scale / GRID)) * GRID


def _pretraining_size(job: Job) -> int:
    """The next input size that the detector's coarsest grid divides."""
    side: int = job["corpus"]["pretrain"]["image_size"]
    return math.ceil(side / GRID) * GRID
