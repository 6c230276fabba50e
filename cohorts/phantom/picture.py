"""A finished picture of a corpus: pixels, class and boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cohorts.phantom.lesions import Box


@dataclass(frozen=True)
class Picture:
    """`pixels`: uint8, shape (height, width)."""

    pixels: npt.NDArray[np.uint8]
    label: str
    boxes: list[Box]
