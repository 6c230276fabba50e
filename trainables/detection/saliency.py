"""Where in a radiograph a detector finds the evidence for its most confident box: Grad-CAM of that box's logit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from captum.attr import LayerGradCam
from ultralytics.nn.tasks import DetectionModel

from cohorts.laying import Map
from trainables.data import JobData
from trainables.detection.dataset import TARGET
from trainables.detection.prediction import inputs
from trainables.detection.validation import FLOOR

Square = tuple[float, float, float, float]


@dataclass(frozen=True)
class Evidence:
    """Of one image: the map, the same of a second network, and what they cover in stored pixels (x0, y0, x1, y1).

    `heat` is None where no place of the head reaches the confidence floor: without a box there is nothing to explain.
    """

    heat: Map | None
    of_other: Map | None
    square: Square


class TargetLogits(torch.nn.Module):
    """A detector as a function with one number per image: the target class's logit at a given place of the head."""

    def __init__(self, model: DetectionModel) -> None:
        super().__init__()
        self.model = model

    def everywhere(self, batch: torch.Tensor) -> tuple[torch.Tensor, tuple[int, ...]]:
        """Logits (images, places), level after level, and how many places each level of the head has."""
        raw = self.model(batch)[1]
        raw = raw.get("one2many", raw)  # of detectors with two heads, the one whose boxes are scored
        return raw["scores"][:, TARGET], tuple(each.shape[-2] * each.shape[-1] for each in raw["feats"])

    def forward(self, batch: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Logits (images,) at one place each."""
        return self.everywhere(batch)[0].gather(1, places[:, None])[:, 0]


def evidence(
    model: DetectionModel, other: DetectionModel | None, image_size: int, data: JobData, device: str
) -> Iterator[Evidence]:
    """Maps of all images in the table's order.

    The target is the logit behind the image's score: the highest of the target class over all places. The layer is the
    feature map that the head reads at that place's level, because there places of the map are places of the image and
    the head computes the logit from no other. `other` is asked about the same place, not about its own favorite.
    """
    networks = [TargetLogits(each) for each in (model, other) if each is not None]
    for items, batch in inputs(model, image_size, data, device):
        with torch.no_grad():  # not inference_mode: Ultralytics keeps its anchors for the passes with gradients
            logits, sizes = networks[0].everywhere(batch)
        confident, places = logits.max(dim=1)
        levels = torch.bucketize(places, torch.tensor(sizes, device=device).cumsum(0), right=True)
        seen = confident.sigmoid() > FLOOR
        found: dict[int, tuple[Map, ...]] = {}
        for level in levels[seen].unique().tolist():
            rows = torch.nonzero(seen & (levels == level))[:, 0]
            maps = [_maps(network, level, batch[rows], places[rows]) for network in networks]
            found |= dict(zip(rows.tolist(), zip(*maps, strict=True), strict=True))
        for row, item in enumerate(items):
            heat, *of_other = found.get(row, (None,))
            yield Evidence(heat, of_other[0] if of_other else None, covered(item, image_size))


def covered(item: dict[str, Any], image_size: int) -> Square:
    """What the network's square input covers of the stored image: the letterbox undone, padding first."""
    (ratio_y, ratio_x), (pad_x, pad_y) = item["ratio_pad"]
    x0, y0 = -pad_x / ratio_x, -pad_y / ratio_y
    return x0, y0, x0 + image_size / ratio_x, y0 + image_size / ratio_y


def _maps(network: TargetLogits, level: int, batch: torch.Tensor, places: torch.Tensor) -> list[Map]:
    layers = network.model.model
    layer = layers[layers[-1].f[level]]
    maps = LayerGradCam(network, layer).attribute(batch, additional_forward_args=places, relu_attributions=True)
    # Weights are mean gradients over a level's places: their number makes levels comparable.
    scaled = maps[:, 0].detach().float() * maps.shape[-2] * maps.shape[-1]
    return [np.asarray(each, np.float32) for each in scaled.cpu().numpy()]
