"""The network itself: built by name, taken apart into backbone and head, written and read without pickle."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

import timm
import torch

from search_spaces.errors import StudyError
from trainables.sampling import Normalization
from trainables.weights.loading import Tensors, read_weights, write_weights

WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"
CHANNELS = 1
"""Radiographs are gray, so a network reads one channel unless the study says three, whatever its weights were."""


@dataclass(frozen=True)
class ModelCard:
    """All that is needed to build a network and to give it the inputs it was trained on."""

    backbone: str
    image_size: int
    """Pixels on a side; 0: the backbone's own."""
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
        fixed = {name: tuple(numbers) for name, numbers in values["normalization"].items()}
        return cls(**{**values, "normalization": Normalization(**fixed)})

    def inputs(self, gray: torch.Tensor) -> torch.Tensor:
        """What the network reads, of gray values in [0, 1]: (n, 1, size, size) -> (n, in_chans, size, size)."""
        return self.normalization(gray).expand(-1, self.in_chans, -1, -1)


def build(card: ModelCard) -> torch.nn.Module:
    """The card's network with random weights drawn from torch's current random state.

    Transformers with a fixed grid of positions are built for the card's size; StudyError where timm cannot.
    """
    own = own_size(card.backbone)
    other = {"img_size": card.image_size} if own and card.image_size not in {0, own} else {}
    try:
        model: torch.nn.Module = timm.create_model(
            card.backbone, pretrained=False, num_classes=card.outputs, in_chans=card.in_chans, **other
        )
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        if not other:
            raise
        reason = " ".join(str(error).split())[:160]
        raise StudyError(
            f"image_size: {card.backbone} cannot be built for {card.image_size} pixels ({reason}); "
            f"its own size is {own}."
        ) from None
    return model


def own_size(backbone: str) -> int | None:
    """Pixels on a side of an architecture that is built for one size, None for those that read any."""
    known = timm.get_pretrained_cfg(backbone)
    return int(known.input_size[-1]) if known is not None and known.fixed_input_size else None


def first_conv(model: torch.nn.Module) -> str:
    """Name of the layer that reads the image; of several the first."""
    return _names(model, "first_conv")[0]


def backbone_names(model: torch.nn.Module) -> list[str]:
    """Names of all tensors, batch-norm statistics too, that are not the classifier's."""
    heads = tuple(f"{name}." for name in _names(model, "classifier"))
    return [name for name in model.state_dict() if not name.startswith(heads)]


def backbone_tensors(model: torch.nn.Module) -> Tensors:
    """The live tensors of the backbone."""
    state = model.state_dict()
    return {name: state[name] for name in backbone_names(model)}


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


def _names(model: torch.nn.Module, layer: str) -> tuple[str, ...]:
    """What timm calls the first layer or the classifier of an architecture; distilled ones have two heads.

    StudyError for the few of which timm does not say it.
    """
    known: Any = model.pretrained_cfg
    names = dict(known)[layer]
    if not names:
        raise StudyError(
            f"Backbone {known['architecture']!r}: timm does not say which of its layers is the {layer}, so it can "
            "neither be loaded nor frozen; name another backbone."
        )
    return (names,) if isinstance(names, str) else tuple(names)
