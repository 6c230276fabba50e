"""Smaller images: area averages, and the hash of a thumbnail that survives resizing and recompression."""

from __future__ import annotations

import cv2
import numpy as np

from cohorts.radiograph import Pixels


def shrink(values: Pixels, size: int) -> Pixels:
    """Area-average until the longest side is at most `size`; never enlarges."""
    height, width = values.shape
    longest = max(height, width)
    if longest <= size:
        return values
    shape = max(1, round(width * size / longest)), max(1, round(height * size / longest))
    small: Pixels = cv2.resize(values, shape, interpolation=cv2.INTER_AREA)
    return small


def difference_hash(values: Pixels) -> str:
    """64 bits as 16 hex digits: is each cell of the 8 x 9 thumbnail darker than its right neighbor?"""
    thumbnail = cv2.resize(values, (9, 8), interpolation=cv2.INTER_AREA)
    return np.packbits(thumbnail[:, 1:] > thumbnail[:, :-1]).tobytes().hex()
