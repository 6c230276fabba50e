"""Regions of radiographs as network inputs: one affine grid_sample on the training device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


LARGEST_SHARE = 0.25
"""Of a GPU's free memory that pixels may take; the rest is for weights, activations and jobs that share the GPU."""


@dataclass(frozen=True)
class RegionStack:
    """The surroundings of many regions as one tensor, on the training device or, where they do not fit, beside it.

    `pixels`: int16 (regions, height, width), stored gray value minus ZERO, each cut out of its image, averaged where
    the network's pixels are coarse, and padded with its last row and column. `to_canvas`: float64 (regions, 2, 3),
    stored pixels -> [-1, 1] of the padded cut. `device` is where inputs are computed.
    """

    pixels: torch.Tensor
    to_canvas: Matrices
    device: torch.device

    @classmethod
    def load(cls, regions: pl.DataFrame, read: Read, *, size: int, reach: float = 1.0, device: str = "cpu") -> Self:
        """Cut all regions of a table for inputs of `size` pixels.

        `reach` is how far sampling may go, in half sides of the region from its center: 1 for the region itself.
        """
        names = regions.select("center", "image").iter_rows()
        cuts = [_cut(read(*name), square, size, reach) for name, square in zip(names, squares_of(regions), strict=True)]
        height, width = (max(cut.pixels.shape[axis] for cut in cuts) for axis in (0, 1))
        stacked = np.stack([_padded(cut.pixels, height, width) for cut in cuts])
        stacked ^= np.uint16(ZERO)  # toggling the highest bit subtracts ZERO
        to_canvas = compose(_onto_canvas(height, width), np.stack([cut.from_stored for cut in cuts]))
        return cls(_placed(torch.from_numpy(stacked.view(np.int16)), torch.device(device)), to_canvas, _indexed(device))

    def __len__(self) -> int:
        return len(self.pixels)

    def facts(self) -> dict[str, Any]:
        """Where the pixels are, for the certificate and the log."""
        resident = self.pixels.device == self.device
        megabytes = round(self.pixels.numel() * self.pixels.element_size() / 2**20, 1)
        return {"where": str(self.device) if resident else "host memory, batch by batch", "megabytes": megabytes}

    def grids(self, to_stored: Matrices) -> torch.Tensor:
        """What `sample` needs of matrices from network to stored pixels, one per region: float32 (regions, 2, 3)."""
        return torch.from_numpy(compose(self.to_canvas, to_stored).astype(np.float32)).to(self.device)

    def sample(self, rows: torch.Tensor, grids: torch.Tensor, size: int) -> torch.Tensor:
        """Inputs (rows, 1, size, size) in [0, 1], bilinear; outside the image its border goes on.

        `rows` lie where `pixels` are, `grids` on `device`.
        """
        cuts = self._gathered(rows).unsqueeze(1).to(torch.float32)
        points = F.affine_grid(grids, [len(rows), 1, size, size], align_corners=False)
        values = F.grid_sample(cuts, points, mode="bilinear", padding_mode="border", align_corners=False)
        return values.add_(ZERO).div_(2 * ZERO - 1)

    def _gathered(self, rows: torch.Tensor) -> torch.Tensor:
        if self.pixels.device == self.device:
            return self.pixels[rows]
        # Gathered straight into pinned memory, the copy runs beside what the GPU still computes.
        batch = torch.empty((len(rows), *self.pixels.shape[1:]), dtype=self.pixels.dtype, pin_memory=True)
        torch.index_select(self.pixels, 0, rows, out=batch)
        return batch.to(self.device, non_blocking=True)


def fits(needed: int, free: int) -> bool:
    """Whether so many bytes of pixels may stay on a device with so many free ones."""
    return needed <= LARGEST_SHARE * free


@dataclass(frozen=True)
class Normalization:
    """How gray values in [0, 1] are brought to the scale a network was made for.

    Without mean and std each input is standardized by its own; with one of each every input is shifted and scaled
    alike; with three a gray input becomes three channels, as a color network's photographs had.
    """

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any] | None, channels: int = 1) -> Self:
        """From {"mean": ..., "std": ...} of a source; for one channel those of a color source are averaged."""
        if not given or given["mean"] is None or given["mean"] == ():
            return cls()
        mean, std = (tuple(float(value) for value in np.atleast_1d(given[name])) for name in ("mean", "std"))
        return cls((float(np.mean(mean)),), (float(np.mean(std)),)) if channels == 1 else cls(mean, std)

    def facts(self) -> dict[str, Any]:
        """For the certificate."""
        fixed = {"kind": "fixed", "mean": list(self.mean), "std": list(self.std)}
        return fixed if self.mean else {"kind": "per image"}

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Normalized inputs: (n, 1, height, width) -> (n, channels of mean and std or 1, height, width)."""
        if self.mean:
            scaled = [(inputs - mean) / std for mean, std in zip(self.mean, self.std, strict=True)]
            return torch.cat(scaled, dim=1)
        std, mean = torch.std_mean(inputs, dim=(1, 2, 3), keepdim=True)
        return (inputs - mean) / std.clamp_min(1e-4)  # an image of one gray value becomes zero


def _placed(pixels: torch.Tensor, device: torch.device) -> torch.Tensor:
    """On the device if they fit there, else in host memory."""
    if device.type == "cuda" and not fits(pixels.numel() * pixels.element_size(), torch.cuda.mem_get_info(device)[0]):
        return pixels
    return pixels.to(device)


def _indexed(device: str) -> torch.device:
    """As tensors say it: `cuda` is the current one's number."""
    return torch.empty(0, device=device).device


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
