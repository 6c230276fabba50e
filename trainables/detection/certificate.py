"""Facts about a training, read back from the objects that do it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from ultralytics.nn.tasks import DetectionModel

from trainables.detection.stages import backbone_layers, in_layers
from trainables.weights.loading import Tensors, fingerprint

if TYPE_CHECKING:
    from trainables.detection.trainer import FilmTrainer

_NO_AUGMENTATION = ("Albumentations", "Format")
"""The first is there, but empty; the second only makes tensors."""


@dataclass(frozen=True)
class Parts:
    """A detector in the three parts that the certificate speaks of."""

    backbone: Tensors
    frozen: Tensors
    """Never trained: weights and batch norm's statistics."""
    trained: Tensors
    """Weights only: batch norm's statistics move even where nothing is learned."""

    @classmethod
    def of(cls, model: DetectionModel, tensors: Tensors, frozen: int) -> Self:
        """The parts of some of a model's tensors, of which the first so many layers are never trained."""
        weights, backbone = dict(model.named_parameters()), backbone_layers(model)
        return cls(
            backbone={name: tensor for name, tensor in tensors.items() if in_layers(name, backbone)},
            frozen={name: tensor for name, tensor in tensors.items() if in_layers(name, frozen)},
            trained={name: tensors[name] for name in weights if not in_layers(name, frozen)},
        )

    def frozen_print(self) -> str:
        """Fingerprint of the frozen part, empty where there is none."""
        return fingerprint(self.frozen) if self.frozen else ""


def facts_before(model: DetectionModel, frozen: int) -> dict[str, Any]:
    """Fingerprints of a detector before step 0."""
    parts = Parts.of(model, model.state_dict(), frozen)
    return {
        "fingerprint_before": fingerprint(parts.backbone),
        "fingerprint_frozen_before": parts.frozen_print(),
        "fingerprint_trained_before": fingerprint(parts.trained),
    }


def facts_after(model: DetectionModel, published: Tensors, frozen: int) -> dict[str, Any]:
    """Fingerprints of what is published, an average of the weights, and of the frozen part of the live detector."""
    live, averaged = Parts.of(model, model.state_dict(), frozen), Parts.of(model, published, frozen)
    return {
        "fingerprint_after": fingerprint(averaged.backbone),
        "fingerprint_frozen_after": live.frozen_print(),
        "fingerprint_frozen_average": averaged.frozen_print(),
        "fingerprint_trained_after": fingerprint(averaged.trained),
    }


def backbone_print(model: DetectionModel) -> str:
    """Fingerprint of the live backbone, batch norm's statistics included."""
    return fingerprint(Parts.of(model, model.state_dict(), 0).backbone)


def live_facts(trainer: FilmTrainer) -> dict[str, Any]:
    """Parameters, optimizer, data and augmentation of a trainer that is set up."""
    parameters = list(trainer.model.parameters())
    groups = [group for group in trainer.optimizer.param_groups if any(each.requires_grad for each in group["params"])]
    return {
        "parameters_trainable": sum(each.numel() for each in parameters if each.requires_grad),
        "parameters_frozen": sum(each.numel() for each in parameters if not each.requires_grad),
        "optimizer": type(trainer.optimizer).__name__,
        "learning_rate": max(float(group["initial_lr"]) for group in groups),
        "learning_rate_lowest": min(float(group["initial_lr"]) for group in groups),
        "weight_decay": max(float(group["weight_decay"]) for group in groups),
        "batch_size": trainer.train_loader.batch_size * trainer.parts,
        "parts": trainer.parts,
        "steps_per_epoch": trainer.steps_per_epoch,
        "images": {"train": len(trainer.films.train), "val": len(trainer.films.validation)},
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
