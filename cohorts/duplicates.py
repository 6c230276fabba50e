"""Radiographs that appear in two centers or corpora: public collections contain images of one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import cv2
import numpy as np

from cohorts.manifest import Center

NEAR_BITS = 4
"""Difference hashes that differ in at most so many of 64 bits make a pair worth looking at."""
NEAR_CORRELATION = 0.99
"""Correlation of 64 x 64 thumbnails above which such a pair is one radiograph.

Hashes of knee films agree by their dark borders alone. Of different films the closest pairs seen reach .979 (phantom
knees) and .953 (chest); one film in two public collections, scaled and stored anew, .998.
"""
BLOCK = 512

THUMBNAIL = 64

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Duplicate:
    """The same radiograph in two centers or corpora."""

    kind: Literal["exact", "near"]
    first_center: str
    first_image: str
    second_center: str
    second_image: str


def find_duplicates(centers: Sequence[Center]) -> list[Duplicate]:
    """Radiographs that two centers share: for each pair of centers exact ones (equal stored pixels), then near ones."""
    return [found for first, second in combinations(centers, 2) for found in _between(first, second)]


def _between(first: Center, second: Center) -> list[Duplicate]:
    exact = _exact_pairs(first, second)
    near = [pair for pair in _near_pairs(first, second) if pair not in exact]
    found = [Duplicate("exact", first.name, one, second.name, other) for one, other in sorted(exact)]
    return found + [Duplicate("near", first.name, one, second.name, other) for one, other in sorted(near)]


def _exact_pairs(first: Center, second: Center) -> set[tuple[str, str]]:
    columns = ["image", "pixels_sha"]
    joined = first.images.select(columns).join(second.images.select(columns), on="pixels_sha", suffix="_second")
    return set(joined.select("image", "image_second").rows())


def _near_pairs(first: Center, second: Center) -> list[tuple[str, str]]:
    """Pairs with close hashes whose thumbnails correlate."""
    rows, columns = _close_hashes(_hashes(first), _hashes(second))
    ones, others = first.images["image"].gather(rows).to_list(), second.images["image"].gather(columns).to_list()
    left = {image: _thumbnail(first, image) for image in set(ones)}
    right = {image: _thumbnail(second, image) for image in set(others)}
    pairs = zip(ones, others, strict=True)
    return [(one, other) for one, other in pairs if left[one] @ right[other] > NEAR_CORRELATION]


def _hashes(center: Center) -> Array:
    digits = "".join(center.images["dhash"])
    return np.frombuffer(bytes.fromhex(digits), dtype=">u8").astype(np.uint64)


def _close_hashes(first: Array, second: Array) -> tuple[Array, Array]:
    """Places in both arrays of all pairs that differ in at most NEAR_BITS bits; blocks bound the memory."""
    rows, columns = [], []
    for start in range(0, len(first), BLOCK):
        differing = np.bitwise_count(first[start : start + BLOCK, None] ^ second[None, :])
        row, column = np.nonzero(differing <= NEAR_BITS)
        rows.append(row + start)
        columns.append(column)
    return np.concatenate(rows), np.concatenate(columns)


def _thumbnail(center: Center, image: str) -> Array:
    """A 64 x 64 thumbnail as a vector of mean 0 and length 1, so that products are correlations; 0 if constant."""
    small = cv2.resize(center.pixels.read(image), (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    vector: Array = small.astype(np.float64).ravel() - small.mean()
    length = np.linalg.norm(vector)
    return vector / length if length > 0 else vector
