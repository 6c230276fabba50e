"""Heat maps as tables keep them: small grids of evidence over what a network saw of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from evaluation.arrays import Floats
from evaluation.tables import SALIENCY

MAPS = {name: SALIENCY[name] for name in SALIENCY if name not in {"key", "fit_key", "cell", "fold", "seed"}}
"""Columns of table `saliency` without the job's identity, which is added when it is published."""

_STORED = np.dtype("<f2")
_FINENESS = 64
"""Places on a side of the grid on which two maps are compared."""


def packed(heat: npt.ArrayLike) -> dict[str, Any]:
    """The columns rows, columns, highest and heat of table `saliency`, of a map (rows, columns) of numbers >= 0.

    Float16 would round small evidence to nothing, so the map is kept as shares of its highest value. Raises
    ValueError for a map with negative or infinite evidence.
    """
    grid = np.asarray(heat, np.float64)
    if grid.ndim != 2 or not grid.size or not np.isfinite(grid).all() or grid.min() < 0:
        raise ValueError(f"A heat map must be rows x columns of finite numbers of at least 0, got shape {grid.shape}.")
    highest = float(grid.max())
    shares = (grid / highest if highest else grid).astype(_STORED)
    return {"rows": grid.shape[0], "columns": grid.shape[1], "highest": highest, "heat": shares.tobytes()}


def unpacked(heats: Sequence[bytes], highest: npt.ArrayLike, rows: int, columns: int) -> Floats:
    """Maps of one shape again, to three digits: (maps, rows, columns)."""
    shares = np.frombuffer(b"".join(heats), _STORED).reshape(len(heats), rows, columns)
    return shares * np.asarray(highest, np.float64)[:, np.newaxis, np.newaxis]


def finer(heats: Floats, places_y: Floats, places_x: Floats) -> Floats:
    """Maps (n, rows, columns) at places of the window, as shares of its height and width from 0 to 1, bilinear.

    A cell's value stands in its middle; beyond the outer cells' middles the edge goes on. Shapes: places_y (n, h) or
    (h,), places_x (n, w) or (w,); the result is (n, h, w).
    """
    return _across(np.swapaxes(_across(np.swapaxes(heats, 1, 2), places_y), 1, 2), places_x)


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> float | None:
    """Spearman's rank correlation of two maps over the same window, brought to one fine grid; ties share their ranks.

    The measure of the model-randomization test of Adebayo et al. (2018). None where a map is the same everywhere, or
    overflows, as that of random weights may.
    """
    maps = [np.asarray(heat, np.float64) for heat in (first, second)]
    if any(not np.isfinite(heat).all() or heat.min() == heat.max() for heat in maps):
        return None
    places = (np.arange(_FINENESS) + 0.5) / _FINENESS
    both = [finer(heat[np.newaxis], places, places).ravel() for heat in maps]
    one, other = (ranks - ranks.mean() for ranks in map(rankdata, both))
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


def _across(heats: Floats, places: Floats) -> Floats:
    """Linear interpolation along the last axis (n, lines, cells) at places (n, p) or (p,)."""
    count, _, cells = heats.shape
    at = np.clip(np.broadcast_to(places, (count, np.shape(places)[-1])) * cells - 0.5, 0, cells - 1)
    left = np.minimum(at.astype(np.int64), max(cells - 2, 0))
    right, share = np.minimum(left + 1, cells - 1), at - left
    lower, upper = (np.take_along_axis(heats, index[:, np.newaxis, :], axis=2) for index in (left, right))
    mixed: Floats = lower + (upper - lower) * share[:, np.newaxis, :]
    return mixed
