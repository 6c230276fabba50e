"""A recipe in Ultralytics' words; every default of theirs that matters is stated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainables.detection.phases import Phase
from trainables.detection.recipe import Recipe

WARMUP = 0.1
"""Share of a phase during which the learning rate rises from zero."""
LAST_RATE = 0.01
"""Of the first learning rate, at the end of a schedule that falls."""


def arguments(recipe: Recipe, phase: Phase, batch: int, folder: Path, device: str, amp: str | bool) -> dict[str, Any]:
    """All arguments of one phase; `batch` images go through the network at a time."""
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
        "epochs": phase.epochs,
        "batch": batch,
        # Otherwise gradients of 64 images are gathered before a step, and a small cohort hardly makes any. Where they
        # must be gathered, the trainer does it: Ultralytics' way leaves a remainder to the next epoch.
        "nbs": batch,
        # "auto" would ignore the study's learning rate. SGD needs about twice the epochs on a few dozen films.
        "optimizer": "AdamW",
        "lr0": recipe.learning_rate,
        "momentum": 0.9,
        "weight_decay": recipe.weight_decay,
        **_schedule(recipe.schedule),
        "warmup_epochs": WARMUP * phase.epochs,
        "warmup_bias_lr": 0.0,
        # Its early stopping knows neither image scores nor phases.
        "patience": 0,
        "freeze": phase.frozen,
        "plots": False,
        "val": True,
        "verbose": False,
        **augmentation(recipe.augmentation),
        "mosaic": recipe.mosaic,
        # Ultralytics would switch mosaics off when a resumed run passes a certain epoch; ours stay as they are.
        "close_mosaic": 0,
    }


def _schedule(name: str) -> dict[str, Any]:
    return {"cos_lr": name == "cosine", "lrf": 1.0 if name == "constant" else LAST_RATE}


def augmentation(strength: float) -> dict[str, Any]:
    """From nothing at 0 to twice the usual movements at 1; films shrink to a half at most at 0.5, to a quarter at 1.

    Radiographs have no hue and no saturation; a limb may be left or right, but not upside down.
    """
    return {
        "hsv_h": 0.0,
        "hsv_s": 0.0,
        "hsv_v": 0.8 * strength,
        "degrees": 20.0 * strength,
        "translate": 0.2 * strength,
        # Twice 0.5 would allow films of no size at all.
        "scale": 1 - 0.25**strength,
        "fliplr": min(0.5, strength),
        "flipud": 0.0,
        "shear": 0.0,
        "perspective": 0.0,
        "mixup": 0.0,
        "cutmix": 0.0,
        "copy_paste": 0.0,
        "multi_scale": 0.0,
        # Empty: otherwise Ultralytics blurs some films wherever albumentations happens to be installed.
        "augmentations": [],
    }
