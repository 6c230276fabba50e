"""The replicates of one detector: what each drew on the images of a role, and how well it found the lesions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from evaluation.arrays import Bools, Floats, Integers
from evaluation.comparison.panels import POOLED
from evaluation.detection.free_response import Marks, afroc, wafroc
from evaluation.detection.froc import sensitivity_at
from evaluation.detection.mean_average_precision import mean_average_precision

REPLICATE = ["fold", "seed"]
IMAGE = ["center", "image"]
SENSITIVITIES = tuple(f"sensitivity_at_{number}" for number in ("1_8", "1_4", "1_2", "1", "2", "4", "8"))
"""Lesion sensitivity at ⅛ … 8 false positives per image, in the order of FALSE_POSITIVES_PER_IMAGE."""
MEASURES = ("map50", "map75", "map50_95", *SENSITIVITIES, "mean_sensitivity", "afroc", "wafroc")

_BOX = ["x0", "y0", "x1", "y1"]


@dataclass(frozen=True, eq=False)
class Replicate:
    """What one replicate drew; images are numbered by their place among all images of the cell and role."""

    used: Bools
    """Per image: whether the replicate scored it."""
    patients: Integers
    images: Integers
    boxes: Floats
    scores: Floats
    lesion_images: Integers
    lesions: Floats
    marks: Marks
    """Of the images that are used, in their order."""

    @classmethod
    def of(cls, used: Bools, patients: Integers, detections: pl.DataFrame, lesions: pl.DataFrame, iou: float) -> Self:
        """Match the boxes with the lesions; both tables have the `place` of their image."""
        images, marked = detections["place"].to_numpy(), lesions["place"].to_numpy()
        boxes, targets = detections.select(_BOX).to_numpy(), lesions.select(_BOX).to_numpy()
        scores, kept = detections["score"].to_numpy(), used[marked]
        marks = Marks.found(used.size, images, boxes, scores, marked, targets, iou).on(used)
        return cls(used, patients, images, boxes, scores, marked[kept], targets[kept], marks)

    def on(self, inside: Bools) -> Self:
        """The same on fewer images."""
        used = self.used & inside
        drawn, marked = used[self.images], used[self.lesion_images]
        return type(self)(
            used,
            self.patients,
            self.images[drawn],
            self.boxes[drawn],
            self.scores[drawn],
            self.lesion_images[marked],
            self.lesions[marked],
            self.marks.on(inside[self.used]),
        )

    def measures(self) -> tuple[dict[str, float], str]:
        """One number per name, and what cannot be trusted."""
        coco = mean_average_precision(self.images, self.boxes, self.scores, self.lesion_images, self.lesions)
        sensitivity = sensitivity_at(self.marks)
        patients = self.patients[self.used]
        plain, weighted = afroc(self.marks, patients), wafroc(self.marks, patients)
        numbers = (
            {"map50": coco.map50, "map75": coco.map75, "map50_95": coco.map50_95}
            | dict(zip(SENSITIVITIES, sensitivity.tolist(), strict=True))
            | {"mean_sensitivity": float(sensitivity.mean()), "afroc": plain.auc, "wafroc": weighted.auc}
            | {"afroc_se": plain.se, "wafroc_se": weighted.se}
        )
        return numbers, weighted.flag


def replicates(
    scored: pl.DataFrame, detections: pl.DataFrame, lesions: pl.DataFrame, minimum_iou: float
) -> tuple[pl.DataFrame, list[Replicate]]:
    """The images of one cell and role by center and name, and the replicates on them by fold and seed."""
    images = scored.group_by(IMAGE).agg(pl.col("patient").first()).sort(IMAGE)
    images = images.with_columns(place=pl.int_range(pl.len()))
    patients = images["patient"].rank("dense").cast(pl.Int64).to_numpy()
    placed = scored.join(images.drop("patient"), on=IMAGE)
    drawn = detections.join(placed.select("key", "place", *REPLICATE, *IMAGE), on=["key", *REPLICATE, *IMAGE])
    marked = lesions.join(images, on=IMAGE)
    found = []
    for (fold, seed), part in sorted(placed.partition_by(REPLICATE, as_dict=True).items()):
        used = np.zeros(images.height, dtype=bool)
        used[part["place"].to_numpy()] = True
        mine = drawn.filter(pl.col("fold") == fold, pl.col("seed") == seed)
        found.append(Replicate.of(used, patients, mine, marked, minimum_iou))
    return images, found


def centers(images: pl.DataFrame) -> Iterator[tuple[str, Bools]]:
    """Each center and where its images are, then all of them."""
    for center in images["center"].unique().sort():
        yield center, (images["center"] == center).to_numpy()
    if images.height:
        yield POOLED, np.ones(images.height, dtype=bool)
