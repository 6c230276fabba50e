"""Facts about a training, read back from the objects that do it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from trainables.weights import fingerprint

if TYPE_CHECKING:
    from trainables.detection.trainer import FilmTrainer

_NO_AUGMENTATION = ("Albumentations", "Format")


def start_facts(trainer: FilmTrainer) -> dict[str, Any]:
    """Weights, parameters, optimizer and augmentation as they stand before the first step."""
    parameters = list(trainer.model.parameters())
    weights = next(group for group in trainer.optimizer.param_groups if group["param_group"] == "weight")
    return {
        "fingerprint_before": fingerprint(trainer.model.state_dict()),
        "parameters_trainable": sum(each.numel() for each in parameters if each.requires_grad),
        "parameters_frozen": sum(each.numel() for each in parameters if not each.requires_grad),
        "optimizer": type(trainer.optimizer).__name__,
        "learning_rate": float(weights["initial_lr"]),
        "weight_decay": float(weights["weight_decay"]),
        "batch_size": trainer.train_loader.batch_size,
        "steps_per_epoch": len(trainer.train_loader),
        "images": {part: len(films) for part, films in trainer.films.items()},
        "image_size": int(trainer.args.imgsz),
        "autocast": "bfloat16" if trainer.amp else "float32",
        "augmentation": _augmentation(trainer.train_loader.dataset.transforms),
    }


def _augmentation(transforms: Any) -> dict[str, dict[str, float | str]]:
    """The plain settings of every transform that changes images, by class name; probability 0 is left out."""
    acting = [step for step in _steps(transforms) if getattr(step, "p", 1) > 0]
    return {
        type(step).__name__: {name: value for name, value in vars(step).items() if isinstance(value, int | float | str)}
        for step in acting
        if type(step).__name__ not in _NO_AUGMENTATION
    }


def _steps(transform: Any) -> Iterator[Any]:
    inner = getattr(transform, "transforms", None)
    if isinstance(inner, list):
        for step in inner:
            yield from _steps(step)
    else:
        yield transform
