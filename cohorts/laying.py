"""Maps of what a network saw, laid back on the stored image."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from cohorts.regions import Floats, crop, invert, transform

Map = npt.NDArray[np.float32]
"""Evidence per pixel, 0 or more, on no scale that two models share."""


def laid(maps: Iterable[tuple[Map, Floats]], height: int, width: int) -> Map:
    """One map (height, width) of the maps over some rectangles: 0 outside of them, the highest where they overlap."""
    each = [in_stored_pixels(heat, rectangle, height, width) for heat, rectangle in maps]
    return np.asarray(np.max([np.zeros((height, width), np.float32), *each], axis=0), np.float32)


def in_stored_pixels(heat: Map, rectangle: Floats, height: int, width: int) -> Map:
    """A map over a rectangle (x0, y0, x1, y1), laid on the stored image (height, width) by the inverse of its crop.

    Bilinear between the centers of the map's cells; what the network did not see is 0.
    """
    y, x = np.mgrid[0:height, 0:width] + 0.5
    points = np.stack([x.ravel(), y.ravel()], axis=-1)
    network = transform(invert(crop(rectangle)), points).reshape(height, width, 2)
    rows, columns = heat.shape
    # Network coordinates run over the outer edges; OpenCV counts from the center of the first cell.
    at_x = ((network[..., 0] + 1) / 2 * columns - 0.5).astype(np.float32)
    at_y = ((network[..., 1] + 1) / 2 * rows - 0.5).astype(np.float32)
    values = np.ascontiguousarray(heat, np.float32)
    over = cv2.remap(values, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    seen = (np.abs(network) <= 1).all(axis=-1)
    return np.asarray(np.where(seen, over, 0.0), np.float32)
