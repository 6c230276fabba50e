"""Whether heat maps point at the lesion: the pointing game, energy in the box and overlap with it."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.arrays import Bools, Floats
from evaluation.decisions.proportions import Proportion, clopper_pearson
from evaluation.normal import clipped_interval

SHARES = (0.15, 0.25, 0.5)
"""Shares of the maximum at which a map is cut."""
CLOPPER_PEARSON, NORMAL, CLUSTERED = "Clopper-Pearson", "normal", "normal, clustered by patient"
ZERO_MAP, ZERO_VARIANCE, ONE_PATIENT = "zero map", "zero variance", "one patient"
_ROUNDING = 1e-14


@dataclass(frozen=True)
class Saliency:
    """One heat map against the boxes of its image; `chance` is the share of the image that the boxes cover.

    `hit`: the maximum lies in a box, for tied maxima all of them. `energy`: share of the map's sum in the boxes.
    `iou_15`, `iou_25`, `iou_50`: intersection over union of the boxes with the pixels that reach that percentage of
    the maximum; `iou_same_area`: with as many of the highest pixels as the boxes have.
    """

    hit: bool
    chance: float
    energy: float
    iou_15: float
    iou_25: float
    iou_50: float
    iou_same_area: float
    flag: str = ""


@dataclass(frozen=True)
class Summary:
    """Pointing accuracy and mean energy of some images, with 95 % intervals and the mean level of chance."""

    decisions: str
    images: int
    patients: int
    pointing: Proportion
    chance: float
    energy: Proportion
    pointing_method: str
    energy_method: str
    flag: str = ""


def saliency(heat_map: ArrayLike, boxes: ArrayLike, within: ArrayLike | None = None) -> Saliency:
    """A heat map (h, w) of numbers >= 0 against boxes (k, 4) of x0, y0, x1, y1 in its pixels, half open.

    Pointing game of Zhang et al. (2018), with the convention that a map which is zero everywhere hits nothing;
    energy of Wang et al. (2020), NaN for such a map. Cut pixels are above zero, so that a map is never cut to the
    whole image. `within` (h, w): the pixels among which the maximum is looked for, all if left out or if none is true;
    a map that was interpolated from a coarse grid only repeats its outer cells beyond their middles. Raises ValueError
    for negative or NaN heat, and for boxes that hold no pixel of the map.
    """
    heat = _checked_map(heat_map)
    inside = _union(heat.shape, np.asarray(boxes, dtype=np.float64))
    area, top = int(np.count_nonzero(inside)), float(heat.max())
    cuts = [share * top for share in SHARES] + [float(np.partition(heat, -area, axis=None)[-area])]
    iou_15, iou_25, iou_50, iou_same_area = (_overlap((heat >= cut) & (heat > 0), inside) for cut in cuts)
    return Saliency(
        hit=_hit(heat, inside, within),
        chance=area / heat.size,
        # Divided by the maximum first: the sum of a map near the largest float would overflow.
        energy=float((heat[inside] / top).sum() / (heat / top).sum()) if top else nan,
        iou_15=iou_15,
        iou_25=iou_25,
        iou_50=iou_50,
        iou_same_area=iou_same_area,
        flag="" if top else ZERO_MAP,
    )


def summarize(
    hits: ArrayLike,
    energies: ArrayLike,
    chances: ArrayLike,
    patients: ArrayLike | None = None,
    correct: ArrayLike | None = None,
) -> list[Summary]:
    """Summaries of "all" images and, with `correct` (whether the decision was right), of "right" and "wrong" ones.

    One entry per image. Pointing accuracy has Clopper & Pearson's interval, or if a patient has several images the
    normal one of the clustered mean, as mean energy has; images whose energy is NaN (zero maps) are left out of the
    energy and counted in the flag. Raises ValueError for unequal lengths, no image, or hits that are not 0 or 1.
    """
    hit, energy, chance = _checked_images(hits, energies, chances)
    size = hit.size
    who = np.arange(size) if patients is None else np.unique(np.asarray(patients), return_inverse=True)[1]
    right = np.ones(size, bool) if correct is None else np.asarray(correct).astype(bool)
    if who.shape != (size,) or right.shape != (size,):
        raise ValueError(f"{size} images need as many patients and decisions, got {who.size} and {right.size}")
    parts = {"all": np.ones(size, bool)} | ({} if correct is None else {"right": right, "wrong": ~right})
    return [_summary(name, hit[used], energy[used], chance[used], who[used]) for name, used in parts.items()]


def _checked_map(heat_map: ArrayLike) -> Floats:
    heat = np.asarray(heat_map, dtype=np.float64)
    if heat.ndim != 2 or not heat.size:
        raise ValueError(f"a heat map must be h x w pixels, got shape {heat.shape}")
    if not np.isfinite(heat).all() or heat.min() < 0:
        worst = heat[~np.isfinite(heat)][0] if not np.isfinite(heat).all() else heat.min()
        raise ValueError(f"heat must be finite and at least 0, found {worst}; rectify the map first")
    return heat


def _union(shape: tuple[int, ...], boxes: Floats) -> Bools:
    """Which pixels lie in any box; a pixel x is in a box if x0 <= x < x1."""
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not len(boxes) or not np.isfinite(boxes).all():
        raise ValueError(f"boxes must be at least one row of finite x0, y0, x1, y1, got shape {boxes.shape}")
    inside: Bools = np.zeros(shape, bool)
    if (boxes[:, :2] >= boxes[:, 2:]).any():
        raise ValueError(f"boxes must have x0 < x1 and y0 < y1, got {boxes.tolist()}")
    corners = np.clip(np.ceil(boxes), 0, None).astype(np.int64)
    for x0, y0, x1, y1 in corners:
        inside[y0:y1, x0:x1] = True
    if not inside.any():
        raise ValueError(f"no pixel of the {shape[0]} x {shape[1]} map lies in the boxes {boxes.tolist()}")
    return inside


def _hit(heat: Floats, inside: Bools, within: ArrayLike | None) -> bool:
    searched = np.ones(heat.shape, bool) if within is None else np.asarray(within, bool)
    if searched.shape != heat.shape:
        raise ValueError(f"`within` must have the map's shape {heat.shape}, got {searched.shape}")
    searched = searched if searched.any() else np.ones(heat.shape, bool)
    highest = heat[searched].max()
    return bool(highest > 0 and inside[searched & (heat == highest)].all())


def _overlap(region: Bools, inside: Bools) -> float:
    return np.count_nonzero(region & inside) / np.count_nonzero(region | inside)


def _checked_images(hits: ArrayLike, energies: ArrayLike, chances: ArrayLike) -> tuple[Floats, Floats, Floats]:
    hit, energy, chance = (np.asarray(values, dtype=np.float64) for values in (hits, energies, chances))
    if hit.ndim != 1 or not hit.size or hit.shape != energy.shape or hit.shape != chance.shape:
        raise ValueError(f"each image needs hit, energy and chance, got {hit.shape}, {energy.shape}, {chance.shape}")
    for name, values in (("hits", hit[(hit != 0) & (hit != 1)]), ("chances", chance[~((chance > 0) & (chance <= 1))])):
        if values.size:
            raise ValueError(f"{name} must be {'0 or 1' if name == 'hits' else 'in (0, 1]'}, found {values[0]}")
    outside = energy[(energy < 0) | (energy > 1)]
    if outside.size:
        raise ValueError(f"energies must lie in [0, 1] or be NaN, found {outside[0]}")
    return hit, energy, chance


def _summary(decisions: str, hits: Floats, energies: Floats, chances: Floats, patients: NDArray[np.int64]) -> Summary:
    known = ~np.isnan(energies)
    count = np.unique(patients).size
    repeat = count < hits.size
    pointing, pointing_flag = _mean(hits, patients) if repeat else (clopper_pearson(int(hits.sum()), hits.size), "")
    energy, energy_flag = _mean(energies[known], patients[known])
    return Summary(
        decisions,
        hits.size,
        count,
        pointing,
        float(chances.mean()) if hits.size else nan,
        energy,
        CLUSTERED if repeat else CLOPPER_PEARSON,
        CLUSTERED if repeat else NORMAL,
        _flag(hits.size, pointing_flag, energy_flag, int(np.count_nonzero(~known))),
    )


def _mean(values: Floats, patients: NDArray[np.int64]) -> tuple[Proportion, str]:
    """Mean over images; its variance adds up the squared sums of deviations of each patient, times K / (K - 1)."""
    if not values.size:
        return Proportion(nan, nan, nan), ""
    mean, count = float(values.mean()), np.unique(patients).size
    if count < 2:
        return Proportion(mean, nan, nan), ONE_PATIENT
    sums = np.bincount(patients, values - mean) / values.size
    se = sqrt(float(sums @ sums) * count / (count - 1))
    return Proportion(mean, *clipped_interval(mean, se)), "" if se > _ROUNDING else ZERO_VARIANCE


def _flag(images: int, pointing: str, energy: str, zero_maps: int) -> str:
    if not images:
        return "no images"
    flags = [f"pointing: {pointing}" if pointing else "", f"energy: {energy}" if energy else ""]
    return "; ".join(filter(None, [*flags, f"zero maps: {zero_maps}" if zero_maps else ""]))
