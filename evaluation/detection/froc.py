"""The free-response (FROC) curve, and its sensitivity at fixed numbers of false positives per image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from evaluation.arrays import Floats, Integers
from evaluation.detection.free_response import NO_LESION_FREE, NO_LESIONS, Marks
from evaluation.resampling import Counts, Resamples, summarize

Denominator = Literal["all images", "lesion-free images"]
"""The images whose false positives are counted, per image of that kind."""
FALSE_POSITIVES_PER_IMAGE = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)
"""Those of LUNA16 (Setio et al. 2017), whose mean sensitivity is called competition performance metric."""
ALL: Denominator = "all images"


@dataclass(frozen=True, eq=False)
class Curve:
    """Points of an FROC curve by falling threshold, from (0, 0) at infinity; a mark counts if score >= threshold.

    Points that find no further lesion are left out, save the last, at which all marks count. NaN where undefined.
    """

    threshold: Floats
    false_positives: Floats
    """Mean number per image."""
    sensitivity: Floats
    """Share of the lesions that are found."""
    method: str
    flag: str = ""


@dataclass(frozen=True)
class Sensitivity:
    """Lesion sensitivity with its 95 % interval at a mean number of false positives per image (NaN: mean over all)."""

    false_positives: float
    sensitivity: float
    low: float
    high: float
    method: str
    flag: str = ""


@dataclass(frozen=True)
class Sensitivities:
    """Lesion sensitivities at fixed numbers of false positives per image, and their mean."""

    single: tuple[Sensitivity, ...]
    mean: Sensitivity


def curve(marks: Marks, denominator: Denominator = ALL) -> Curve:
    """FROC curve: lesion sensitivity against false positives per image over falling thresholds (Bunch et al. 1978).

    `denominator`: false positives of all images per image, or those of lesion-free images per lesion-free image.
    """
    ladder = _Ladder.of(marks, denominator)
    false_positives, sensitivity = ladder.points(_once(marks))
    return Curve(
        np.concatenate(([inf], ladder.threshold)),
        false_positives[:, 0],
        sensitivity[:, 0],
        _method(denominator),
        ladder.flag,
    )


def sensitivity_at(
    marks: Marks, false_positives: ArrayLike = FALSE_POSITIVES_PER_IMAGE, denominator: Denominator = ALL
) -> Floats:
    """Lesion sensitivity at each mean number of false positives per image, NaN where undefined.

    It is that of the last point of the curve with no more false positives per image, a threshold that exists; nothing
    is interpolated, so it is never above the value that LUNA16's interpolating script gives. Raises ValueError for a
    number that is negative or NaN and for an unknown denominator.
    """
    return _Ladder.of(marks, denominator).at(_once(marks), _checked(false_positives))[:, 0]


def sensitivities(
    marks: Marks,
    resamples: Resamples,
    false_positives: Sequence[float] = FALSE_POSITIVES_PER_IMAGE,
    denominator: Denominator = ALL,
) -> Sensitivities:
    """The sensitivities of `sensitivity_at` and their mean with percentile intervals over resampled patients.

    `resamples`: draws of the images 0 … count - 1, of `Resamples.of(marks.has_lesion, patients)`. A draw counts the
    marks of an image as often as it was drawn; draws without any lesion, or any image that counts, are left out.
    """
    at = _checked(false_positives)
    if resamples.units.size != marks.count:
        raise ValueError(f"the resamples are of {resamples.units.size} images, the marks of {marks.count}")
    ladder = _Ladder.of(marks, denominator)
    found = _with_mean(ladder.at(_once(marks), at))[:, 0]
    draws = _with_mean(np.hstack([ladder.at(counts.T, at) for counts in resamples.chunks()]))
    method = f"{_method(denominator)}; percentile {resamples.method}"
    summaries = [summarize(float(value), row, method) for value, row in zip(found, draws, strict=True)]
    every = [
        Sensitivity(float(number), one.estimate, one.low, one.high, method, ladder.flag or one.flag)
        for number, one in zip([*at, nan], summaries, strict=True)
    ]
    return Sensitivities(tuple(every[:-1]), every[-1])


@dataclass(frozen=True, eq=False)
class _Ladder:
    """The thresholds at which another lesion is found, and what each adds per image."""

    threshold: Floats
    hits: csr_array
    """Lesions found first at each threshold (thresholds, images)."""
    alarms: csr_array
    """False positives that each threshold adds to those above."""
    lesions: Counts
    counted: Counts
    """Per image, 1 where its false positives count."""
    flag: str

    @classmethod
    def of(cls, marks: Marks, denominator: Denominator) -> Self:
        _method(denominator)
        counted = np.ones(marks.count, dtype=bool) if denominator == ALL else ~marks.has_lesion
        found = np.isfinite(marks.lesion_scores)
        hits, alarms = marks.lesion_scores[found], marks.false_scores
        every = np.append(hits, alarms)
        rungs = np.unique(np.append(hits, every.min()) if every.size else hits)[::-1]
        relevant = counted[marks.false_images]
        flag = NO_LESIONS if not marks.lesion_images.size else "" if counted.any() else NO_LESION_FREE
        return cls(
            rungs,
            _added(rungs, hits, marks.lesion_images[found], marks.count),
            _added(rungs, alarms[relevant], marks.false_images[relevant], marks.count),
            np.bincount(marks.lesion_images, minlength=marks.count).astype(np.float32),
            counted.astype(np.float32),
            flag,
        )

    def points(self, counts: Counts) -> tuple[Floats, Floats]:
        """False positives per image and sensitivity, (1 + thresholds, draws), for counts (images, draws)."""
        return _rate(self.alarms @ counts, self.counted @ counts), _rate(self.hits @ counts, self.lesions @ counts)

    def at(self, counts: Counts, false_positives: Floats) -> Floats:
        """Sensitivity (numbers of false positives, draws)."""
        alarms, sensitivity = self.points(counts)
        last = np.stack([np.count_nonzero(alarms <= number, axis=0) for number in false_positives]) - 1
        found = np.take_along_axis(sensitivity, np.maximum(last, 0), axis=0)
        return np.where(last < 0, nan, found)


def _added(rungs: Floats, scores: Floats, images: Integers, count: int) -> csr_array:
    """How many scores of each image reach each rung and none above."""
    rung = np.searchsorted(-rungs, -scores)
    return csr_array((np.ones(scores.size, dtype=np.float32), (rung, images)), shape=(rungs.size, count))


def _rate(added: Counts, total: Counts) -> Floats:
    """Cumulative sums from 0, as shares of the total of each draw; NaN where that is 0."""
    summed = np.zeros((added.shape[0] + 1, added.shape[1]))
    np.cumsum(added, axis=0, out=summed[1:])
    return np.divide(summed, total, out=np.full_like(summed, nan), where=total > 0)


def _with_mean(values: Floats) -> Floats:
    return np.vstack([values, values.mean(axis=0)])


def _once(marks: Marks) -> Counts:
    return np.ones((marks.count, 1), dtype=np.float32)


def _method(denominator: Denominator) -> str:
    if denominator not in get_args(Denominator):
        raise ValueError(f"denominator must be one of {', '.join(get_args(Denominator))}, got {denominator!r}")
    return f"FROC, attainable points, false positives per image of {denominator}"


def _checked(false_positives: ArrayLike) -> Floats:
    numbers = np.atleast_1d(np.asarray(false_positives, dtype=np.float64))
    if not numbers.size or not (numbers >= 0).all():
        raise ValueError(f"false positives per image must be numbers of at least 0, got {numbers.tolist()}")
    return numbers
