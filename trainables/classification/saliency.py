"""Where in a radiograph a classifier finds the evidence for a positive label: Grad-CAM (Selvaraju et al., 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
from captum.attr import LayerGradCam

from cohorts.laying import Map, laid
from cohorts.regions import region_table, squares_of
from trainables.classification.examples import Examples
from trainables.classification.model import ModelCard, read_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trainables.data import JobData

POSITIVE = 0
"""Index of the one logit that a classifier of a study has."""
LEAST_PLACES = 4
"""Rows and columns that a map should have."""
AT_ONCE = 16
"""Inputs whose activations and gradients are kept together."""


class NoMapError(ValueError):
    """A network without a layer whose places are places of the image, with the reason."""


@dataclass(frozen=True)
class Evidence:
    """Maps over the network's inputs, one per region: `maps` (regions, rows, columns), `regions` their table."""

    regions: pl.DataFrame
    maps: Map

    def on(self, image: str, height: int, width: int) -> Map:
        """The map over one stored image (height, width): 0 outside its regions, the highest where several overlap."""
        rows = np.flatnonzero((self.regions["image"] == image).to_numpy())
        squares = squares_of(self.regions)
        return laid([(self.maps[row], squares[row]) for row in rows], height, width)


def mean_maps(folders: Sequence[Path], data: JobData, device: str) -> Mapping[str, Map]:
    """Image -> mean over published classifiers of their maps on the stored image; NoMapError with transformers."""
    total = {
        name: np.zeros((height, width), np.float32)
        for name, height, width in data.images.select("image", "height", "width").iter_rows()
    }
    for folder in folders:
        model, card = read_model(folder, device)
        found = evidence(model, card, data, device)
        for name, summed in total.items():
            summed += found.on(name, *summed.shape) / len(folders)
    return total


def evidence(model: torch.nn.Module, card: ModelCard, data: JobData, device: str) -> Evidence:
    """The positive part of the Grad-CAM of the positive logit for all regions of the data's images."""
    regions = region_table(data.images, data.boxes, region=card.region, margin=card.margin)
    inputs = Examples.load(card, regions, data, device).in_order()
    method = None
    found = []
    for part in (each for batch in inputs for each in batch.split(AT_ONCE)):
        method = method or LayerGradCam(model, last_spatial_layer(model, part[:1]))
        maps = method.attribute(part, target=POSITIVE, relu_attributions=True)
        found.append(maps[:, 0].detach().float().cpu().numpy())
    return Evidence(regions, np.concatenate(found) if found else np.zeros((0, 1, 1), np.float32))


def last_spatial_layer(model: torch.nn.Module, example: torch.Tensor) -> torch.nn.Module:
    """The module that ends last of those whose output (1, channels, rows, columns) has LEAST_PLACES on each side.

    Small inputs leave fewer in the last stage, which cannot tell the middle of an image from its margin; then it is
    the last stage that has so many, and if none has, whatever has more than one place. Found by a forward pass over
    the features, so it works for any convolutional network of timm. Raises NoMapError where features are tokens or
    have channels last, as in transformers.
    """
    ended: list[tuple[torch.nn.Module, int, int]] = []

    def note(module: torch.nn.Module, _: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 4:
            ended.append((module, min(output.shape[-2:]), output.shape[-2] * output.shape[-1]))

    hooks = [module.register_forward_hook(note) for module in model.modules() if module is not model]
    try:
        with torch.no_grad():
            features = getattr(model, "forward_features", model)(example)
    finally:
        for hook in hooks:
            hook.remove()
    if not isinstance(features, torch.Tensor) or features.ndim != 4 or str(_format(model)) == "NHWC":
        raise NoMapError(
            f"the features of {type(model).__name__} are tokens or have channels last, as in transformers, and not one "
            "map per channel, so there is no Grad-CAM"
        )
    several = [(module, side) for module, side, places in ended if places > 1]
    if not several:
        raise NoMapError(f"at this input size no layer of {type(model).__name__} has more than one place")
    fine = [module for module, side in several if side >= LEAST_PLACES]
    if not fine or fine[-1] is ended[-1][0]:
        return several[-1][0]
    stages = _stages(model)
    return next((module for module in reversed(fine) if module in stages), fine[-1])


def _stages(model: torch.nn.Module) -> set[torch.nn.Module]:
    """What timm names as the stages of an architecture: through their outputs all of a network's evidence passes."""
    named = [str(stage["module"]) for stage in getattr(model, "feature_info", ()) if isinstance(stage, dict)]
    known = dict(model.named_modules())
    return {known[name] for name in named if name in known}


def _format(model: torch.nn.Module) -> object:
    """How timm says that features are laid out; most convolutional networks say nothing."""
    return getattr(model, "output_fmt", "")
