"""Radiographs of a job as the data set Ultralytics trains on: straight from the pixel store, no image files."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from ultralytics.data.dataset import YOLODataset
from ultralytics.utils import IterableSimpleNamespace

from trainables.data import JobData

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]
Pixels = np.ndarray[Any, Any]

TARGET, OTHER = 0, 1
"""Class indices: lesions of the positive labels, and lesions of other labels where they are a class."""


@dataclass(frozen=True)
class Film:
    """One radiograph: where its pixels are, its label, and its boxes (n, 4) as x0, y0, x1, y1 in stored pixels."""

    image: str
    center: str
    height: int
    width: int
    label: int | None
    boxes: Floats
    classes: Floats

    @property
    def has_target(self) -> bool:
        """Whether a lesion of the target class is marked."""
        return bool((self.classes == TARGET).any())


@dataclass(frozen=True)
class TrainingFilms:
    """What a detector is trained on, what its epochs are judged on, and where the pixels are."""

    train: list[Film]
    validation: list[Film]
    """May be empty: then the last epoch is the best."""
    read: Callable[[str, str], Pixels]
    """(center, image) -> stored pixels, uint16 (height, width)."""


def films(data: JobData, roles: Sequence[str] | None = None, negatives: str = "background") -> list[Film]:
    """The images in some roles (all if None), in the table's order.

    Boxes whose `target` is not 0 are class OTHER if `negatives` is "class" and dropped if it is "background".
    """
    boxes = _boxes_by_image(data, negatives)
    empty = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    found = []
    for row in data.images.iter_rows(named=True):
        if roles is None or row["role"] in roles:
            marks, classes = boxes.get(row["image"], empty)
            marks, classes = _inside(marks, classes, row["height"], row["width"])
            size = row["height"], row["width"]
            found.append(Film(row["image"], row["center"], *size, row.get("label"), marks, classes))
    return found


def _boxes_by_image(data: JobData, negatives: str) -> dict[str, tuple[Floats, Floats]]:
    if data.boxes is None:
        return {}
    found: dict[str, list[tuple[float, ...]]] = {}
    for row in data.boxes.iter_rows(named=True):
        target = row.get("target", TARGET)
        if target == TARGET or negatives == "class":
            box = row["x0"], row["y0"], row["x1"], row["y1"], TARGET if target == TARGET else OTHER
            found.setdefault(row["image"], []).append(box)
    tables = {image: np.asarray(rows, np.float32) for image, rows in found.items()}
    return {image: (table[:, :4], table[:, 4]) for image, table in tables.items()}


def _inside(boxes: Floats, classes: Floats, height: int, width: int) -> tuple[Floats, Floats]:
    """Boxes cut at the image's border; what has no area left is dropped."""
    cut = boxes.clip(0, np.asarray([width, height, width, height], np.float32))
    solid = (cut[:, 2] > cut[:, 0]) & (cut[:, 3] > cut[:, 1])
    return cut[solid], classes[solid]


class FilmDataset(YOLODataset):
    """Films as Ultralytics wants them: 8-bit, three equal channels, the long side resized to the network's input."""

    def __init__(self, films: Sequence[Film], read: Callable[[str, str], Pixels], **options: Any) -> None:
        self.films = list(films)
        self.read = read
        super().__init__(img_path="pixel store", **options)

    def get_img_files(self, img_path: str | list[str]) -> list[str]:
        """Image ids stand where Ultralytics has file names."""
        return [film.image for film in self.films]

    def get_labels(self) -> list[dict[str, Any]]:
        """Boxes as center and size, relative to the image."""
        return [_label(film) for film in self.films]

    def load_image(
        self, i: int, rect_mode: bool = True, resize_short: bool = False
    ) -> tuple[Pixels, tuple[int, int], tuple[int, int]]:
        """Pixels (height, width, 3) uint8, the stored size and the size now."""
        film = self.films[i]
        pixels = np.ascontiguousarray(self.read(film.center, film.image))
        height, width = pixels.shape
        ratio = self.imgsz / max(height, width)
        if ratio != 1:
            size = min(math.ceil(width * ratio), self.imgsz), min(math.ceil(height * ratio), self.imgsz)
            # Averaging while shrinking: linear interpolation would skip pixels and alias fine bone structure.
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR)
        gray = (pixels // 257).astype(np.uint8)
        return cv2.merge([gray, gray, gray]), (height, width), gray.shape

    def build_transforms(self, hyp: IterableSimpleNamespace) -> Any:
        """Ultralytics' own, with mosaics drawn from all films instead of those lately seen."""
        # The buffer of lately seen images would depend on earlier epochs, and a resumed job has not seen them.
        self.cache = "ram"
        return super().build_transforms(hyp)


def _label(film: Film) -> dict[str, Any]:
    scale = np.asarray([film.width, film.height] * 2, np.float32)
    corners = film.boxes / scale
    center, size = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
    return {
        "im_file": film.image,
        "shape": (film.height, film.width),
        "cls": film.classes.reshape(-1, 1).astype(np.float32),
        "bboxes": np.hstack([center, size]).astype(np.float32),
        "segments": [],
        "keypoints": None,
        "normalized": True,
        "bbox_format": "xywh",
    }
