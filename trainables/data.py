"""The data a job is given: explicit paths, joined into tables; never a label it may not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from cohorts.pixels import PixelStore


@dataclass(frozen=True)
class JobData:
    """Images of one job, with roles and, where the job may see them, labels and boxes.

    `images`: one row per image with at least image, patient, center, height, width (stored pixels) and
    `role` (train | validation | reserve | external | pretraining). For a fit, a tuning trial or a pretraining also
    `label` (1 positive, 0 negative; for corpora the class index); absent for predict jobs.
    `boxes`: image, box, x0, y0, x1, y1 in stored pixels, half open; None where the job gets none. For detection fits
    also `target` (class index of the box).
    """

    images: pl.DataFrame
    boxes: pl.DataFrame | None
    stores: dict[str, PixelStore]

    def pixels(self, center: str, image: str) -> np.ndarray[Any, Any]:
        """The stored image, uint16, shape (height, width), read-only."""
        return self.stores[center].read(image)
