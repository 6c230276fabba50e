"""Pictures of what a bundle saw: the radiograph with its evidence, the boxes it was given and those it drew."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import polars as pl

from trainables.bundles.bundle import Bundle
from trainables.bundles.reading import CENTER, Radiographs
from trainables.bundles.scoring import Scores

Picture = npt.NDArray[np.uint8]
"""(height, width, 3), blue, green, red, as OpenCV writes them."""

LEAST_SIDE = 512
"""Smaller radiographs are shown with each pixel as a square, so that lines stay thin beside them."""
OPACITY = 0.55
"""Of the heat map where the evidence is strongest; it fades out with the evidence."""
GIVEN, FOUND = (80, 220, 80), (60, 60, 255)
"""Green: boxes that were given; red: boxes that a detector drew."""


@dataclass(frozen=True)
class Overlays:
    """Heat maps by file, at stored size; `reason` says why there are none where a classifier has none."""

    maps: Mapping[str, npt.NDArray[np.float32]]
    reason: str = ""

    @classmethod
    def of(cls, bundle: Bundle, radiographs: Radiographs, device: str) -> Overlays:
        """The evidence of a classifier's replicates; nothing for detectors and radiomics, whose boxes say where."""
        if bundle.task != "classification" or not radiographs.data.images.height:
            return cls({})
        from trainables.classification.saliency import NoMapError, mean_maps

        try:
            return cls(mean_maps([each.folder for each in bundle.replicates], radiographs.data, device))
        except NoMapError as error:
            return cls({}, str(error))

    def draw(self, bundle: Bundle, radiographs: Radiographs, scores: Scores) -> Iterator[tuple[str, Picture]]:
        """File and picture, for every radiograph that has a score."""
        scored = set(scores.images["file"])
        drawn = shown_boxes(bundle, scores.boxes)
        for row in radiographs.data.images.iter_rows(named=True):
            name = row["image"]
            if name in scored:
                picture, factor = _gray(radiographs.data.pixels(CENTER, name))
                if name in self.maps:
                    picture = heated(picture, self.maps[name])
                given = radiographs.data.boxes
                assert given is not None
                _outline(picture, given.filter(pl.col("image") == name), (factor, factor), GIVEN)
                ratio = factor * row["width"] / row["source_width"], factor * row["height"] / row["source_height"]
                _outline(picture, drawn.filter(pl.col("file") == name), ratio, FOUND)
                yield name, picture


def shown_boxes(bundle: Bundle, boxes: pl.DataFrame) -> pl.DataFrame:
    """Boxes of the target class that call an image positive by the loosest rule of the replicate that drew them."""
    loosest = {
        each.name: min((limit.by_replicate.get(each.name, math.inf) for limit in bundle.limits), default=math.inf)
        for each in bundle.replicates
    }
    of_target = boxes.filter(pl.col("class") == 0)
    limits = of_target["replicate"].replace_strict(loosest, default=math.inf, return_dtype=pl.Float64)
    return of_target.filter(of_target["score"] >= limits)


def heated(picture: Picture, evidence: npt.NDArray[np.float32]) -> Picture:
    """A heat map over a picture; each map is scaled by its own highest value, as maps have no common scale."""
    highest = float(evidence.max())
    share = evidence / highest if highest > 0 else np.zeros_like(evidence)
    share = cv2.resize(share, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR)
    colors = cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    opacity = (OPACITY * share)[..., np.newaxis]
    return np.asarray((picture * (1 - opacity) + colors * opacity).round(), np.uint8)


def _gray(pixels: npt.NDArray[Any]) -> tuple[Picture, int]:
    """A stored image as a picture, and how many times larger it is."""
    factor = max(1, LEAST_SIDE // max(pixels.shape))
    gray = (pixels // 257).astype(np.uint8).repeat(factor, axis=0).repeat(factor, axis=1)
    return np.ascontiguousarray(np.stack([gray] * 3, axis=-1)), factor


def _outline(picture: Picture, boxes: pl.DataFrame, ratio: tuple[float, float], color: tuple[int, int, int]) -> None:
    for x0, y0, x1, y1 in boxes.select("x0", "y0", "x1", "y1").iter_rows():
        first = round(x0 * ratio[0]), round(y0 * ratio[1])
        last = round(x1 * ratio[0]) - 1, round(y1 * ratio[1]) - 1
        cv2.rectangle(picture, first, last, color, 1)
