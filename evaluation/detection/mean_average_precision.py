"""Mean average precision as COCO defines it, computed by faster-coco-eval."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import ArrayLike

from evaluation.arrays import Floats
from evaluation.detection.boxes import checked_boxes

DETECTIONS_PER_IMAGE = 100
"""COCO's limit: of an image with more detections the highest scores count."""
METHOD = "COCO, 101-point interpolation"
NO_LESIONS = "no lesions"


@dataclass(frozen=True)
class MeanAveragePrecision:
    """Average precision of one class at an overlap of .50, of .75, and averaged over .50, .55 … .95."""

    map50: float
    map75: float
    map50_95: float
    lesions: int
    detections: int
    method: str = METHOD
    flag: str = ""


def mean_average_precision(
    images: ArrayLike, boxes: ArrayLike, scores: ArrayLike, lesion_images: ArrayLike, lesions: ArrayLike
) -> MeanAveragePrecision:
    """Average precision of detections, boxes (n, 4) with scores, against lesions (m, 4) of the same images.

    `images` (n,) and `lesion_images` (m,) are any numbers that name an image. An image without lesions counts by its
    false positives, one without detections by its missed lesions (Lin et al. 2014). At most 100 detections per image
    count. Rows may come in any order: equal scores are taken by image and coordinates. NaN and a flag without lesions.
    Raises ValueError for faulty boxes, scores that are not finite and unequal lengths.
    """
    drawn, marked = checked_boxes(boxes, "detections"), checked_boxes(lesions, "lesions")
    values, where, lesion_where = (np.asarray(array) for array in (scores, images, lesion_images))
    if not len(drawn) == values.size == where.size or len(marked) != lesion_where.size:
        raise ValueError(
            f"each box needs an image and each detection a score, got {len(drawn)} detections with {where.size} images "
            f"and {values.size} scores, {len(marked)} lesions with {lesion_where.size} images"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"scores must be finite numbers, got {values[~np.isfinite(values)][0]}")
    if not len(marked):
        return MeanAveragePrecision(nan, nan, nan, 0, len(drawn), flag=NO_LESIONS)
    names, codes = np.unique(np.concatenate([where, lesion_where]), return_inverse=True)
    precision = _precision(
        names.size, _annotations(codes[: where.size], drawn, values), _annotations(codes[where.size :], marked)
    )
    return MeanAveragePrecision(
        float(precision[0]), float(precision[5]), float(precision.mean()), len(marked), len(drawn)
    )


def _annotations(images: ArrayLike, boxes: Floats, scores: Floats | None = None) -> list[dict[str, Any]]:
    """Boxes as COCO annotations; numbers start at 1, because the library takes 0 for "unmatched"."""
    where = np.asarray(images)
    order = np.lexsort((*boxes.T[::-1], where))
    sides = boxes[order, 2:] - boxes[order, :2]
    columns = (
        (where[order] + 1).tolist(),
        np.hstack([boxes[order, :2], sides]).tolist(),
        sides.prod(axis=1).tolist(),
        (np.ones(len(boxes)) if scores is None else scores[order]).tolist(),
    )
    return [
        {"id": number, "image_id": image, "category_id": 1, "bbox": box, "area": area, "iscrowd": 0, "score": score}
        for number, (image, box, area, score) in enumerate(zip(*columns, strict=True), start=1)
    ]


def _precision(images: int, detections: list[dict[str, Any]], lesions: list[dict[str, Any]]) -> Floats:
    """Average precision at each of the ten overlaps .50, .55 … .95."""
    evaluation = COCOeval_faster(
        _dataset(images, lesions), _dataset(images, detections), "bbox", print_function=_silent
    )
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0.0, inf]], ["all"]
    evaluation.params.maxDets = [DETECTIONS_PER_IMAGE]
    evaluation.evaluate()
    evaluation.accumulate()
    precision: Floats = np.asarray(evaluation.eval["precision"], dtype=np.float64)
    return np.asarray(precision[:, :, 0, 0, 0].mean(axis=1))


def _dataset(images: int, annotations: list[dict[str, Any]]) -> COCO:
    numbers = [{"id": number} for number in range(1, images + 1)]
    return COCO({"images": numbers, "categories": [{"id": 1}], "annotations": annotations}, print_function=_silent)


def _silent(*_: object) -> None:
    """Swallow the library's progress."""
