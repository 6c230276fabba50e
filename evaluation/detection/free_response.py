"""Scored marks on images with and without lesions, and the areas under the AFROC and the weighted AFROC curve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, nan
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from evaluation.arrays import Bools, Floats, Integers
from evaluation.detection.boxes import match_images
from evaluation.discrimination import areas as discrimination
from evaluation.discrimination.areas import Area
from evaluation.discrimination.clustered import Clusters
from evaluation.discrimination.delong import Placements

AFROC, WEIGHTED = "AFROC", "wAFROC"
NO_LESIONS, NO_LESION_FREE = "no lesions", "no lesion-free images"


@dataclass(frozen=True, eq=False)
class Marks:
    """What one detector marked on images 0 … count - 1: every lesion with its score, and every false positive."""

    count: int
    lesion_images: Integers
    lesion_scores: Floats
    """Per lesion; -infinity where nothing marked it."""
    false_images: Integers
    false_scores: Floats

    @classmethod
    def of(
        cls,
        count: int,
        lesion_images: ArrayLike,
        lesion_scores: ArrayLike,
        false_images: ArrayLike,
        false_scores: ArrayLike,
    ) -> Self:
        """Marks that are known; raises ValueError for NaN, unequal lengths and an image outside 0 … count - 1."""
        lesions = _checked(count, lesion_images, lesion_scores, "lesion")
        alarms = _checked(count, false_images, false_scores, "false")
        if (alarms[1] == -inf).any():
            raise ValueError("false_scores hold -infinity, which stands for a lesion that nothing marked")
        return cls(count, *lesions, *alarms)

    @classmethod
    def found(
        cls,
        count: int,
        images: ArrayLike,
        boxes: ArrayLike,
        scores: ArrayLike,
        lesion_images: ArrayLike,
        lesions: ArrayLike,
        minimum_iou: float = 0.5,
    ) -> Self:
        """Marks of the boxes that a detector drew, matched as in `boxes.match_images`."""
        matches = match_images(images, boxes, scores, lesion_images, lesions, minimum_iou)
        wrong = matches.false_positive
        return cls.of(count, lesion_images, matches.lesion_score, np.asarray(images)[wrong], np.asarray(scores)[wrong])

    def on(self, used: Bools) -> Self:
        """The marks of some of the images, which are numbered anew in their order."""
        place = np.cumsum(used) - 1
        kept, alarms = used[self.lesion_images], used[self.false_images]
        return type(self)(
            int(np.count_nonzero(used)),
            place[self.lesion_images[kept]],
            self.lesion_scores[kept],
            place[self.false_images[alarms]],
            self.false_scores[alarms],
        )

    @property
    def has_lesion(self) -> Bools:
        """Per image: whether it has a lesion."""
        return np.bincount(self.lesion_images, minlength=self.count) > 0

    @property
    def highest_false(self) -> Floats:
        """Per image: the highest score of its false positives, -infinity where it has none."""
        highest = np.full(self.count, -inf)
        np.maximum.at(highest, self.false_images, self.false_scores)
        return highest


def afroc(marks: Marks, patients: ArrayLike | None = None) -> Area:
    """Area under the AFROC curve: how often a lesion scores above the highest mark of a lesion-free image.

    Every lesion counts alike; an unmarked lesion or image scores -infinity and ties count one half (Chakraborty &
    Berbaum 2004). Standard error from the components of the cases (`afroc_placements`), clustered if a patient has
    several images (`patients`: ids per image). Without lesions or lesion-free images NaN and a flag.
    """
    missing = _missing(marks, AFROC)
    return missing or _area(afroc_placements(marks), AFROC, _clusters(marks, patients))


def wafroc(marks: Marks, patients: ArrayLike | None = None, weights: ArrayLike | None = None) -> Area:
    """Area under the weighted AFROC curve, in which every image with lesions counts alike.

    The lesions of an image share its weight equally, or by `weights` (one per lesion, summing to 1 in each image;
    Chakraborty & Zhai 2016). Otherwise as `afroc`. Raises ValueError for negative weights or another sum.
    """
    shares = _shares(marks, weights)
    missing = _missing(marks, WEIGHTED)
    return missing or _area(_placements(marks, shares), WEIGHTED, _clusters(marks, patients))


def afroc_placements(marks: Marks) -> Placements:
    """Components of the AFROC area per image with lesions and per lesion-free image, in the order of the images.

    The area is a ratio over images with lesions (its lesions placed right, by its lesions), so theirs are linearized:
    area + K (sum of placements - n area) / L for an image with n of the L lesions on K images. Fit for
    `discrimination.difference`. Raises ValueError where either kind of image is absent.
    """
    lesions = marks.lesion_images.size
    diseased = np.count_nonzero(marks.has_lesion)
    return _placements(marks, np.full(lesions, diseased / max(1, lesions)))


def wafroc_placements(marks: Marks, weights: ArrayLike | None = None) -> Placements:
    """Components of the weighted AFROC area, a two-sample U-statistic over (image with lesions, lesion-free image)."""
    return _placements(marks, _shares(marks, weights))


def _placements(marks: Marks, weights: Floats) -> Placements:
    missing = _missing(marks, "")
    if missing:
        raise ValueError(f"images with and without lesions are needed, got {missing.flag}")
    diseased = marks.has_lesion
    highest = marks.highest_false[~diseased]
    placed = weights * _share_below(highest, np.ones(highest.size), marks.lesion_scores)
    sums = np.bincount(marks.lesion_images, placed, marks.count)[diseased]
    totals = np.bincount(marks.lesion_images, weights, marks.count)[diseased]
    area = float(sums.mean())
    negative = 1 - _share_below(marks.lesion_scores, weights, highest)
    return Placements(area, sums - area * (totals - 1), negative)


def _share_below(values: Floats, weights: Floats, of: Floats) -> Floats:
    """The weighted share of `values` below each of `of`, ties counted one half."""
    order = np.argsort(values)
    total = np.concatenate(([0.0], np.cumsum(weights[order])))
    below, reached = (total[np.searchsorted(values[order], of, side=side)] for side in ("left", "right"))
    return np.asarray((below + reached) / (2 * total[-1]), dtype=np.float64)


def _area(placed: Placements, name: str, clusters: Clusters | None) -> Area:
    found = discrimination.area(placed, clusters)
    return replace(found, method=f"{name}, {found.method}")


def _clusters(marks: Marks, patients: ArrayLike | None) -> Clusters | None:
    return None if patients is None else Clusters.of(marks.has_lesion, patients)


def _missing(marks: Marks, name: str) -> Area | None:
    """What is returned where the area is undefined, else None."""
    if not marks.lesion_images.size:
        return Area(nan, nan, nan, nan, name, NO_LESIONS)
    return Area(nan, nan, nan, nan, name, NO_LESION_FREE) if marks.has_lesion.all() else None


def _shares(marks: Marks, weights: ArrayLike | None) -> Floats:
    lesions = np.bincount(marks.lesion_images, minlength=marks.count)
    if weights is None:
        return 1 / lesions[marks.lesion_images]
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != marks.lesion_images.shape or not (shares >= 0).all():
        raise ValueError(f"weights must be {marks.lesion_images.size} numbers of at least 0, one per lesion")
    sums = np.bincount(marks.lesion_images, shares, marks.count)[lesions > 0]
    if not np.allclose(sums, 1):
        raise ValueError(f"weights must sum to 1 in each image with lesions, got {sums[~np.isclose(sums, 1)][0]}")
    return shares


def _checked(count: int, images: ArrayLike, scores: ArrayLike, name: str) -> tuple[Integers, Floats]:
    where, values = np.asarray(images, dtype=np.int64), np.asarray(scores, dtype=np.float64)
    if where.shape != values.shape or where.ndim != 1:
        raise ValueError(f"{name}_images and {name}_scores must be equally long, got {where.shape} and {values.shape}")
    if np.isnan(values).any() or (values == inf).any():
        raise ValueError(f"{name}_scores must be finite numbers, got {values[np.isnan(values) | (values == inf)][0]}")
    if where.size and not (where.min() >= 0 and where.max() < count):
        raise ValueError(f"{name}_images must lie in 0 … {count - 1}, got {where.min()} … {where.max()}")
    return where, values
