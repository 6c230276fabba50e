"""Boxes in stored pixels: how much two overlap, and which detection finds which lesion."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import ArrayLike

from evaluation.arrays import Bools, Floats, Integers


@dataclass(frozen=True, eq=False)
class Matches:
    """Which lesion each detection found, and with which score each lesion was found."""

    lesion: Integers
    """Per detection: the place of its lesion, -1 for a false positive."""
    lesion_score: Floats
    """Per lesion: the score of the detection that found it, -infinity where none did."""

    @property
    def false_positive(self) -> Bools:
        """Per detection: whether it found no lesion, or only one that a higher score had found before."""
        return self.lesion < 0


def iou(first: ArrayLike, second: ArrayLike) -> Floats:
    """Intersection over union of each box of `first` (n, 4) with each of `second` (m, 4), as (n, m).

    Boxes are half open, x0 <= x < x1 and y0 <= y < y1, so that touching boxes do not overlap. Raises ValueError for
    coordinates that are not finite, for another shape and for boxes without area.
    """
    return _overlap(checked_boxes(first, "first")[:, None], checked_boxes(second, "second")[None])


def match(boxes: ArrayLike, scores: ArrayLike, lesions: ArrayLike, minimum_iou: float = 0.5) -> Matches:
    """Match the detections of one image (n, 4) with its lesions (m, 4); see `match_images`."""
    drawn, marked = checked_boxes(boxes, "detections"), checked_boxes(lesions, "lesions")
    return match_images(np.zeros(len(drawn)), drawn, scores, np.zeros(len(marked)), marked, minimum_iou)


def match_images(
    images: ArrayLike,
    boxes: ArrayLike,
    scores: ArrayLike,
    lesion_images: ArrayLike,
    lesions: ArrayLike,
    minimum_iou: float = 0.5,
) -> Matches:
    """Match the detections of many images with the lesions of the same image, greedily by falling score.

    `images` (n,) and `lesion_images` (m,) are any numbers that name an image. As in COCO (Lin et al. 2014) a detection
    takes, of the lesions that no higher score has taken, the one it overlaps most, if their intersection over union is
    at least `minimum_iou`; a further detection of a taken lesion is a false positive. Equal scores and equal overlaps
    are decided by the coordinates (smallest x0, y0, x1, y1 first), so the order of rows never matters. Raises
    ValueError for faulty boxes, scores that are not finite, unequal lengths and a minimum outside (0, 1].
    """
    drawn, marked = checked_boxes(boxes, "detections"), checked_boxes(lesions, "lesions")
    where, values = _checked_scores(images, scores, len(drawn))
    lesion_where = _as_long(lesion_images, len(marked), "lesion_images")
    if not 0 < minimum_iou <= 1:
        raise ValueError(f"minimum_iou must be above 0 and at most 1, got {minimum_iou}")
    found = np.full(len(drawn), -1)
    lesion_score = np.full(len(marked), -inf)
    for detection, lesion in _rounds(*_candidates(where, drawn, values, lesion_where, marked, minimum_iou)):
        found[detection] = lesion
        lesion_score[lesion] = values[detection]
    return Matches(found, lesion_score)


def checked_boxes(boxes: ArrayLike, name: str) -> Floats:
    """Boxes as float64 (n, 4), or a ValueError that names the first faulty one."""
    array = np.asarray(boxes, dtype=np.float64)
    array = array.reshape(0, 4) if array.size == 0 else array
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"{name} must be boxes x0, y0, x1, y1 of shape (n, 4), got {array.shape}")
    sound = np.isfinite(array).all(axis=1) & (array[:, 2] > array[:, 0]) & (array[:, 3] > array[:, 1])
    if not sound.all():
        faulty = int(np.flatnonzero(~sound)[0])
        raise ValueError(
            f"{name}: box {faulty} is {array[faulty].tolist()}; coordinates must be finite with x0 < x1 and y0 < y1"
        )
    return array


def _checked_scores(images: ArrayLike, scores: ArrayLike, count: int) -> tuple[Floats, Floats]:
    values = _as_long(scores, count, "scores")
    if not np.isfinite(values).all():
        wrong = values[~np.isfinite(values)]
        raise ValueError(f"{wrong.size} of {count} scores are not finite, the first is {wrong[0]}")
    return _as_long(images, count, "images"), values


def _as_long(values: ArrayLike, count: int, name: str) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (count,):
        raise ValueError(f"{name} must be a vector with one entry per box ({count}), got shape {array.shape}")
    return array


def _candidates(
    images: Floats, boxes: Floats, scores: Floats, lesion_images: Floats, lesions: Floats, minimum_iou: float
) -> tuple[Floats, Integers, Integers]:
    """Image, detection and lesion of every sufficient overlap, in the order in which they are considered."""
    by_image = np.lexsort((*lesions.T[::-1], lesion_images))
    first = np.searchsorted(lesion_images[by_image], images, side="left")
    count = np.searchsorted(lesion_images[by_image], images, side="right") - first
    detection = np.repeat(np.arange(images.size), count)
    within = np.arange(detection.size) - np.repeat(np.cumsum(count) - count, count)
    lesion = by_image[first[detection] + within]
    overlap = _overlap(boxes[detection], lesions[lesion])
    enough = overlap >= minimum_iou
    detection, lesion, overlap, within = detection[enough], lesion[enough], overlap[enough], within[enough]
    order = np.lexsort((within, -overlap, *boxes[detection].T[::-1], -scores[detection], images[detection]))
    return images[detection][order], detection[order], lesion[order]


def _rounds(images: Floats, detection: Integers, lesion: Integers) -> list[tuple[Integers, Integers]]:
    """One match per image and round: the first candidate left; as many rounds as an image has lesions, at most."""
    matched = []
    while images.size:
        first = np.concatenate(([True], images[1:] != images[:-1]))
        matched.append((detection[first], lesion[first]))
        free = ~(np.isin(detection, detection[first]) | np.isin(lesion, lesion[first]))
        images, detection, lesion = images[free], detection[free], lesion[free]
    return matched


def _overlap(first: Floats, second: Floats) -> Floats:
    """Intersection over union along the last axis."""
    low, high = np.maximum(first[..., :2], second[..., :2]), np.minimum(first[..., 2:], second[..., 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    areas = [np.prod(box[..., 2:] - box[..., :2], axis=-1) for box in (first, second)]
    return np.asarray(shared / (areas[0] + areas[1] - shared), dtype=np.float64)
