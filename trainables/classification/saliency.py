"""Where in a radiograph a classifier finds the evidence for a positive label: Grad-CAM (Selvaraju et al., 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from captum.attr import LayerGradCam

from cohorts.regions import Floats, crop, invert, region_table, squares_of, transform
from trainables.classification.examples import Examples
from trainables.classification.model import ModelCard, read_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trainables.data import JobData

Map = npt.NDArray[np.float32]
"""Evidence per pixel, 0 or more, on no scale that two models share."""

POSITIVE = 0
"""Index of the one logit that a classifier of a study has."""
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
        laid = [in_stored_pixels(self.maps[row], squares_of(self.regions)[row], height, width) for row in rows]
        return np.asarray(np.max([np.zeros((height, width), np.float32), *laid], axis=0), np.float32)


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
    """The module that ends last of those whose output (1, channels, rows, columns) has more than one place.

    Found by a forward pass over the features, so it works for any convolutional network of timm. Raises NoMapError
    where features are tokens or have channels last, as in transformers.
    """
    ended: list[torch.nn.Module] = []

    def note(module: torch.nn.Module, _: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 4 and output.shape[-2] * output.shape[-1] > 1:
            ended.append(module)

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
    if not ended:
        raise NoMapError(f"at this input size no layer of {type(model).__name__} has more than one place")
    return ended[-1]


def in_stored_pixels(evidence_map: Map, square: Floats, height: int, width: int) -> Map:
    """A map over a region's square (x0, y0, x1, y1), laid on the stored image (height, width) by the crop's inverse.

    Bilinear between the centers of the map's cells; what the network did not see is 0.
    """
    y, x = np.mgrid[0:height, 0:width] + 0.5
    points = np.stack([x.ravel(), y.ravel()], axis=-1)
    network = transform(invert(crop(square)), points).reshape(height, width, 2)
    rows, columns = evidence_map.shape
    # Network coordinates run over the outer edges; OpenCV counts from the center of the first cell.
    at_x = ((network[..., 0] + 1) / 2 * columns - 0.5).astype(np.float32)
    at_y = ((network[..., 1] + 1) / 2 * rows - 0.5).astype(np.float32)
    laid = cv2.remap(np.ascontiguousarray(evidence_map), at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    seen = (np.abs(network) <= 1).all(axis=-1)
    return np.asarray(np.where(seen, laid, 0.0), np.float32)


def _format(model: torch.nn.Module) -> object:
    """How timm says that features are laid out; most convolutional networks say nothing."""
    return getattr(model, "output_fmt", "")
