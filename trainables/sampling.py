"""Regions of radiographs as network inputs: one affine grid_sample on the training device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt
import polars as pl
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name

from cohorts.regions import Floats, Matrices, compose, reduction, squares_of

Read = Callable[[str, str], npt.NDArray[Any]]
"""(center, image) -> stored pixels, uint16, (height, width)."""

ZERO = 1 << 15
"""torch gathers int16 on every device but not uint16: gray values are kept minus this."""


@dataclass(frozen=True)
class RegionStack:
    """The surroundings of many regions, resident on one device as one tensor.

    `pixels`: int16 (regions, height, width), stored gray value minus ZERO, each cut out of its image, averaged where
    the network's pixels are coarse, and padded with its last row and column. `to_canvas`: float64 (regions, 2, 3),
    stored pixels -> [-1, 1] of the padded cut.
    """

    pixels: torch.Tensor
    to_canvas: Matrices

    @classmethod
    def load(cls, regions: pl.DataFrame, read: Read, *, size: int, reach: float = 1.0, device: str = "cpu") -> Self:
        """Cut all regions of a table for inputs of `size` pixels.

        `reach` is how far sampling may go, in half sides of the region from its center: 1 for the region itself.
        """
        names = regions.select("center", "image").iter_rows()
        cuts = [_cut(read(*name), square, size, reach) for name, square in zip(names, squares_of(regions), strict=True)]
        height, width = (max(cut.pixels.shape[axis] for cut in cuts) for axis in (0, 1))
        stacked = np.stack([_padded(cut.pixels, height, width) for cut in cuts])
        # Toggling the highest bit subtracts ZERO.
        signed = torch.from_numpy((stacked ^ np.uint16(ZERO)).view(np.int16)).to(device)
        return cls(signed, compose(_onto_canvas(height, width), np.stack([cut.from_stored for cut in cuts])))

    def __len__(self) -> int:
        return len(self.pixels)

    def grids(self, to_stored: Matrices) -> torch.Tensor:
        """What `sample` needs of matrices from network to stored pixels, one per region: float32 (regions, 2, 3)."""
        return torch.from_numpy(compose(self.to_canvas, to_stored).astype(np.float32)).to(self.pixels.device)

    def sample(self, rows: torch.Tensor, grids: torch.Tensor, size: int) -> torch.Tensor:
        """Inputs (rows, 1, size, size) in [0, 1], bilinear; outside the image its border goes on."""
        cuts = self.pixels[rows].unsqueeze(1).to(torch.float32)
        points = F.affine_grid(grids, [len(rows), 1, size, size], align_corners=False)
        values = F.grid_sample(cuts, points, mode="bilinear", padding_mode="border", align_corners=False)
        return values.add_(ZERO).div_(2 * ZERO - 1)


@dataclass(frozen=True)
class Normalization:
    """How gray values in [0, 1] are brought to the scale a network was made for.

    Without mean and std each input is standardized by its own; with them every input is shifted and scaled alike.
    """

    mean: float | None = None
    std: float | None = None

    @classmethod
    def of(cls, given: dict[str, Any] | None) -> Self:
        """From {"mean": ..., "std": ...} of a source; the channels of a color source are averaged, as gray has one."""
        if not given or given["mean"] is None:
            return cls()
        return cls(float(np.mean(given["mean"])), float(np.mean(given["std"])))

    def facts(self) -> dict[str, Any]:
        """For the certificate."""
        return {"kind": "per image"} if self.mean is None else {"kind": "fixed", "mean": self.mean, "std": self.std}

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Normalized inputs of the same shape."""
        if self.mean is not None and self.std is not None:
            return (inputs - self.mean) / self.std
        std, mean = torch.std_mean(inputs, dim=(1, 2, 3), keepdim=True)
        return (inputs - mean) / std.clamp_min(1e-4)  # an image of one gray value becomes zero


@dataclass(frozen=True)
class _Cut:
    pixels: npt.NDArray[np.uint16]
    from_stored: Matrices


def _cut(image: npt.NDArray[Any], square: Floats, size: int, reach: float) -> _Cut:
    """The part of an image that sampling may touch, averaged by the region's power of two."""
    factor = int(reduction(square[2] - square[0], size))
    height, width = image.shape
    x_from, x_to = _window(square[0], square[2], reach, factor, width)
    y_from, y_to = _window(square[1], square[3], reach, factor, height)
    pixels = image[y_from:y_to, x_from:x_to]
    if factor > 1:
        shape = max(1, round((x_to - x_from) / factor)), max(1, round((y_to - y_from) / factor))
        pixels = cv2.resize(pixels, shape, interpolation=cv2.INTER_AREA)
    y_scale, x_scale = pixels.shape[0] / (y_to - y_from), pixels.shape[1] / (x_to - x_from)
    onto = np.array([[x_scale, 0.0, -x_from * x_scale], [0.0, y_scale, -y_from * y_scale]])
    return _Cut(pixels, onto)


def _window(low: float, high: float, reach: float, factor: int, length: int) -> tuple[int, int]:
    """Whole pixels around what is sampled and its neighbors, starting where a cell of the average starts."""
    center, half = (low + high) / 2, (high - low) / 2 * reach
    first = int(np.floor((center - half) / factor) - 1) * factor
    last = int(np.ceil((center + half) / factor) + 1) * factor
    start = min(max(first, 0), length - 1)
    return start, max(min(last, length), start + 1)


def _padded(pixels: npt.NDArray[np.uint16], height: int, width: int) -> npt.NDArray[np.uint16]:
    below, right = height - pixels.shape[0], width - pixels.shape[1]
    return np.pad(pixels, ((0, below), (0, right)), mode="edge")


def _onto_canvas(height: int, width: int) -> Matrices:
    return np.array([[2 / width, 0.0, -1.0], [0.0, 2 / height, -1.0]])
