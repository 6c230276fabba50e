"""Radiomic features of one region: mirp, an implementation checked against the IBSI reference values."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]
Box = tuple[float, float, float, float]

MIN_SIDE = 3
"""Pixels. Below, no pixel has a full neighborhood and every texture matrix describes the border."""

BINS = 32
FAMILIES = ("statistics", "intensity_histogram", "glcm", "glrlm", "glszm", "ngtdm", "ngldm")
SETTINGS: dict[str, Any] = {
    "by_slice": True,
    "base_feature_families": list(FAMILIES),
    "base_discretisation_method": "fixed_bin_number",
    "base_discretisation_n_bins": BINS,
}
"""mirp's settings. Morphological and local families are left out: a box has no contour, and their cost is quadratic."""

_PREFIXES = ("stat_", "ih_", "cm_", "rlm_", "szm_", "ngt_", "ngl_")
_MEAN, _DEVIATION, _LIMIT = 300.0, 100.0, 3.0


class UnmeasurableRegionError(ValueError):
    """A region without features, with the reason; it is counted and the rest goes on."""


def crop(pixels: Pixels, box: Box, margin: float) -> Pixels:
    """The part of an image (height, width) inside a box of stored pixels, half open, widened by a share on every side.

    Touched pixels count whole; what lies outside the image is cut off. Raises UnmeasurableRegionError below 3 pixels.
    """
    height, width = pixels.shape
    x0, y0, x1, y1 = box
    aside, above = margin * (x1 - x0), margin * (y1 - y0)
    left, right = max(math.floor(x0 - aside), 0), min(math.ceil(x1 + aside), width)
    top, bottom = max(math.floor(y0 - above), 0), min(math.ceil(y1 + above), height)
    if min(right - left, bottom - top) < MIN_SIDE:
        size = f"{max(right - left, 0)} x {max(bottom - top, 0)}"
        raise UnmeasurableRegionError(f"{size} pixels inside the image, at least {MIN_SIDE} x {MIN_SIDE} are needed")
    return pixels[top:bottom, left:right]


def standardize(region: Pixels) -> NDArray[np.float64]:
    """Gray levels as standard scores of the region, cut at 3 deviations, with mean 300 and deviation 100.

    Stored levels depend on exposure, detector and window: without this the statistics family would tell the center,
    not the lesion (texture with a fixed number of bins ignores a linear change anyway). The cut keeps a marker or a
    dead pixel from claiming most of the bins (Collewet et al., 2004); the shift keeps ratios such as the coefficient
    of variation defined.
    """
    levels = region.astype(np.float64)
    deviation = levels.std()
    if deviation == 0:
        raise UnmeasurableRegionError("all pixels are equal")
    scores = np.clip((levels - levels.mean()) / deviation, -_LIMIT, _LIMIT)
    return np.asarray(scores * _DEVIATION + _MEAN, dtype=np.float64)


def measure(region: Pixels) -> dict[str, float]:
    """All features of one region (height, width), by mirp's names and in its order.

    Distances are pixels of the stored image, not millimeters: many films carry no spacing, or only that of the detector
    plane, and resampling some of them would itself mark their center. Raises UnmeasurableRegionError.
    """
    import mirp

    levels = standardize(region)
    try:
        with _quiet_root_logger():
            (table,) = mirp.extract_features(image=levels, mask=np.ones(levels.shape, dtype=bool), **SETTINGS)
    except Exception as error:  # a library fed with arbitrary pixels: one odd region must not end the other thousands
        raise UnmeasurableRegionError(f"mirp refuses it ({type(error).__name__}: {error})") from error
    values = {name: float(table[name].iloc[0]) for name in table.columns if name.startswith(_PREFIXES)}
    undefined = [name for name, value in values.items() if not math.isfinite(value)]
    if undefined:
        raise UnmeasurableRegionError(f"feature {undefined[0]} is not finite")
    return values


@contextmanager
def _quiet_root_logger() -> Iterator[None]:
    """Keep mirp from installing a handler on the root logger and from writing a line per region."""
    root = logging.getLogger()
    level, handler = root.level, logging.NullHandler()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
