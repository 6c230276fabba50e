"""The map of a cell on one radiograph, and in words where it is highest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from cohorts.laying import Map, in_stored_pixels
from evaluation.robustness.heat import unpacked

Boxes = npt.NDArray[np.float64]
NOTHING = "there is no evidence anywhere in the map"

_SQUARE = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True)
class HeatMap:
    """Mean over the replicates, the highest where regions overlap; `peak` (x, y) in its pixels, None if it is zero."""

    heat: Map
    peak: tuple[float, float] | None

    @classmethod
    def of(cls, maps: pl.DataFrame, height: int, width: int, ratio: float) -> Self:
        """Of the rows of table `saliency` of one image, on a picture whose sides are `ratio` of the stored image's."""
        regions = [_region(part, height, width, ratio) for part in maps.sort("region").partition_by("region")]
        heat = np.max([np.zeros((height, width), np.float32), *(laid for laid, _ in regions)], axis=0)
        highest = max(regions, key=lambda region: region[0].max())
        return cls(np.asarray(heat, np.float32), _peak(*highest) if heat.max() > 0 else None)

    def in_words(self, boxes: Boxes) -> str:
        """Where the peak lies relative to boxes (n, 4) in the same pixels."""
        if self.peak is None:
            return NOTHING
        if not len(boxes):
            return "no box is marked"
        x, y = self.peak
        across = np.maximum(np.maximum(boxes[:, 0] - x, x - boxes[:, 2]), 0)
        down = np.maximum(np.maximum(boxes[:, 1] - y, y - boxes[:, 3]), 0)
        nearest = boxes[np.argmin(np.hypot(across, down))]
        if not np.hypot(across, down).min():
            return "the map is highest inside the box"
        sides = (
            "above" if y < nearest[1] else "below" if y >= nearest[3] else "",
            "left of" if x < nearest[0] else "right of" if x >= nearest[2] else "",
        )
        return f"the map is highest outside the box, {' and '.join(filter(None, sides))} it"


def _region(maps: pl.DataFrame, height: int, width: int, ratio: float) -> tuple[Map, Boxes]:
    """The mean of one region's maps on the picture, and the rectangle that they cover there."""
    rectangle = np.array(maps.select(_SQUARE).row(0)) * ratio
    total = np.zeros((height, width), np.float32)
    for (rows, columns), part in maps.partition_by("rows", "columns", as_dict=True).items():
        summed = unpacked(part["heat"].to_list(), part["highest"].to_numpy(), int(rows), int(columns)).sum(axis=0)
        total += in_stored_pixels(summed.astype(np.float32), rectangle, height, width) / len(maps)
    return total, rectangle


def _peak(heat: Map, rectangle: Boxes) -> tuple[float, float]:
    """Of the highest pixels the one nearest to the middle of what the network saw.

    Beyond the middles of its outer cells a map goes on as it is: a whole margin is then equally high.
    """
    y, x = np.nonzero(heat == heat.max())
    middle_x, middle_y = (rectangle[0] + rectangle[2]) / 2, (rectangle[1] + rectangle[3]) / 2
    nearest = int(np.argmin(np.hypot(x + 0.5 - middle_x, y + 0.5 - middle_y)))
    return float(x[nearest]) + 0.5, float(y[nearest]) + 0.5
