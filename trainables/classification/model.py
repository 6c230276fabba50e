"""The network itself: built by name, taken apart into backbone and head, written and read without pickle."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

import timm
import torch

from trainables.sampling import Normalization
from trainables.weights import Tensors, read_weights, write_weights

WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"
CHANNELS = 1
"""Radiographs are gray, so every network reads one channel, whatever its weights were made from."""


@dataclass(frozen=True)
class ModelCard:
    """All that is needed to build a network and to give it the inputs it was trained on."""

    backbone: str
    image_size: int
    outputs: int
    """1: a logit for malignancy; n: one logit per class of a corpus; 0: the bare backbone."""
    normalization: Normalization
    region: Literal["box", "image"]
    margin: float
    in_chans: int = CHANNELS

    def write(self, folder: Path) -> None:
        """Leave model.json."""
        (folder / DESCRIPTION).write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The card of a published model."""
        values: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        return cls(**{**values, "normalization": Normalization(**values["normalization"])})


def build(card: ModelCard) -> torch.nn.Module:
    """The card's network with random weights drawn from torch's current random state."""
    model: torch.nn.Module = timm.create_model(
        card.backbone, pretrained=False, num_classes=card.outputs, in_chans=card.in_chans
    )
    return model


def first_conv(model: torch.nn.Module) -> str:
    """Name of the layer that reads the image."""
    return str(_published(model)["first_conv"])


def backbone_names(model: torch.nn.Module) -> list[str]:
    """Names of all tensors, batch-norm statistics too, that are not the classifier's."""
    classifier = str(_published(model)["classifier"])
    return [name for name in model.state_dict() if not name.startswith(f"{classifier}.")]


def backbone_tensors(model: torch.nn.Module) -> Tensors:
    """The live tensors of the backbone."""
    state = model.state_dict()
    return {name: state[name] for name in backbone_names(model)}


def freeze_backbone(model: torch.nn.Module) -> None:
    """Leave only the classifier trainable; nothing before it is then recorded for the backward pass."""
    names = set(backbone_names(model))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in names)


def start_training(model: torch.nn.Module, *, frozen: bool) -> None:
    """Training mode; a frozen backbone stays in evaluation mode, because batch norm would go on learning."""
    if frozen:
        model.eval()
        model.get_submodule(str(_published(model)["classifier"])).train()
    else:
        model.train()


def write_model(folder: Path, card: ModelCard, tensors: Tensors) -> None:
    """Leave model.safetensors and model.json."""
    write_weights(folder / WEIGHTS, tensors)
    card.write(folder)


def read_model(folder: Path, device: str) -> tuple[torch.nn.Module, ModelCard]:
    """A published network in evaluation mode on a device, and its card."""
    card = ModelCard.read(folder)
    model = build(card)
    model.load_state_dict(read_weights(folder / WEIGHTS), strict=True)
    return model.to(device).eval(), card


def _published(model: torch.nn.Module) -> dict[str, Any]:
    """What timm knows about the architecture: the names of its first and its last layer, among others."""
    known: Any = model.pretrained_cfg
    return dict(known)
