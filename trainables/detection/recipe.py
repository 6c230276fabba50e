"""How a detector is trained: the few choices a study makes, and all the others, written out for Ultralytics."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.task import Job

MAX_SEED = 2**31 - 1
WARMUP = 0.1
"""Share of all epochs during which the learning rate rises from zero."""


@dataclass(frozen=True)
class Recipe:
    """One training, complete."""

    backbone: str
    image_size: int
    epochs: int
    seed: int
    classes: tuple[str, ...]
    batch_size: int
    learning_rate: float
    weight_decay: float
    mosaic: float
    """Share of training images that are put together from four."""
    frozen: bool = False


def backbone(job: Job) -> str:
    """The job's architecture; jobs that several cells share carry it themselves."""
    return str((job.get("cell") or job)["backbone"])


def seed_of(*parts: object) -> int:
    """A seed from whatever shall set it, the same on every machine."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") % MAX_SEED


def fitting_batch(images: int) -> int:
    """16, or less where that leaves under eight steps per epoch: few steps teach batch norm little."""
    return max(4, min(16, images // 8))


def arguments(recipe: Recipe, folder: Path, device: str, backbone_layers: int, amp: str | bool) -> dict[str, Any]:
    """The recipe in Ultralytics' words; every default of theirs that matters is stated."""
    return {
        "mode": "train",
        "task": "detect",
        "model": f"{recipe.backbone}.yaml",
        "pretrained": False,
        "data": "pixel store",
        "save_dir": str(folder),
        "device": device.removeprefix("cuda:"),
        "workers": 0,
        "amp": amp,
        "seed": recipe.seed,
        "deterministic": True,
        "imgsz": recipe.image_size,
        "epochs": recipe.epochs,
        "batch": recipe.batch_size,
        # Without this, gradients of 64 images are gathered before a step, and a small cohort hardly makes any.
        "nbs": recipe.batch_size,
        # "auto" would ignore the study's learning rate. SGD needs about twice the epochs on a few dozen films.
        "optimizer": "AdamW",
        "lr0": recipe.learning_rate,
        "lrf": 0.01,
        "momentum": 0.9,
        "weight_decay": recipe.weight_decay,
        "warmup_epochs": WARMUP * recipe.epochs,
        "warmup_bias_lr": 0.0,
        "patience": 0,
        "freeze": backbone_layers if recipe.frozen else None,
        "plots": False,
        "val": True,
        "verbose": False,
        **_augmentation(recipe),
    }


def _augmentation(recipe: Recipe) -> dict[str, Any]:
    """Radiographs have no hue and no saturation; a limb may be left or right, but not upside down."""
    return {
        "hsv_h": 0.0,
        "hsv_s": 0.0,
        "hsv_v": 0.4,
        "degrees": 10.0,
        "translate": 0.1,
        "scale": 0.5,
        "fliplr": 0.5,
        "flipud": 0.0,
        "mosaic": recipe.mosaic,
        "mixup": 0.0,
        "cutmix": 0.0,
        "copy_paste": 0.0,
        # Ultralytics would switch mosaics off when a resumed run passes a certain epoch; ours stay as they are.
        "close_mosaic": 0,
    }
