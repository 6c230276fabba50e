"""Chest-like radiographs for pretraining: lungs, heart and ribs, clear or with one opacity made like a bone lesion."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from cohorts.phantom.acquisition import expose, finish, quantize
from cohorts.phantom.centers import TABLE, random_detector
from cohorts.phantom.knee import bone_density
from cohorts.phantom.lesions import Box, Label, draw_lesion, draw_outline, interior
from cohorts.phantom.noise import FILM, Array, Generator, NoisePool, logistic, noise_pool
from cohorts.phantom.picture import Picture

ChestLabel = Literal["clear", "nodule", "infiltrate"]
CHEST_LABELS: tuple[ChestLabel, ...] = ("clear", "nodule", "infiltrate")
"""A nodule has the even interior and the rim of a benign lesion, an infiltrate the eaten one of a malignant lesion."""

_LUNG_HALF_WIDTH, _LUNG_HALF_HEIGHT = 78.0, 165.0
_RIBS = 8
_EASY = 0.2
_ENLARGED = 2.0
"""Opacities are lesions seen this much larger, so that their texture outlives small pictures."""


def draw_chest(label: ChestLabel, height: int, rng: Generator, pool: NoisePool) -> Picture:
    """A square chest radiograph of 8 bits, seen by any detector, with a box around its opacity."""
    shape, scale = (height, height), height / FILM
    y = ((np.arange(height, dtype=np.float32) + 0.5) / scale)[:, None]
    x = ((np.arange(height, dtype=np.float32) + 0.5) / scale)[None, :]
    center = FILM / 2 + rng.normal(0, 10)
    attenuation = 0.55 + 0.05 * pool.tissue(rng, shape) + _organs(center, x, y, rng)
    attenuation += _ribs(center, x, y, pool.trabeculae(rng, shape), rng)
    boxes = [] if label == "clear" else [_add_opacity(attenuation, label, center, rng, pool)]
    picture = expose(np.maximum(attenuation, 0), random_detector(rng), rng)
    file_format = TABLE[int(rng.integers(len(TABLE)))].file_format
    return Picture(quantize(finish(picture, file_format, rng), 8, inverted=False).astype(np.uint8), label, boxes)


def _organs(center: float, x: Array, y: Array, rng: Generator) -> Array:
    lungs = np.zeros((y.shape[0], x.shape[1]), np.float32)
    for side in (-1, 1):
        wide = (x - center - side * 105) / (_LUNG_HALF_WIDTH * rng.uniform(0.92, 1.08))
        tall = (y - 262) / (_LUNG_HALF_HEIGHT * rng.uniform(0.92, 1.08))
        lungs += logistic(9 * (1 - np.hypot(wide, tall)))
    mediastinum = np.exp(-(((x - center) / 30) ** 4))
    heart = logistic(8 * (1 - np.hypot((x - center - 28) / rng.uniform(62, 80), (y - 345) / rng.uniform(60, 75))))
    organs: Array = -0.42 * lungs + 0.30 * mediastinum + 0.28 * heart
    return organs


def _ribs(center: float, x: Array, y: Array, grain: Array, rng: Generator) -> Array:
    """Two times eight tubes that fall outward, with the cortex and trabeculae of the long bones."""
    outward = np.abs(x - center)
    reach = logistic((outward - 30) / 6) * logistic((195 - outward) / 6)
    spacing, first, slope = rng.uniform(36, 42), rng.uniform(95, 120), rng.uniform(0.25, 0.45)
    ribs = np.zeros((y.shape[0], x.shape[1]), np.float32)
    for rib in range(_RIBS):
        half = rng.uniform(7.5, 9.5)
        course = first + rib * spacing + slope * outward * (outward / 190) + rng.normal(0, 2)
        ribs += 0.22 * bone_density(np.maximum(half - np.abs(y - course), 0).astype(np.float32), half, grain)
    shadow: Array = ribs * reach
    return shadow


def _add_opacity(attenuation: Array, label: ChestLabel, center: float, rng: Generator, pool: NoisePool) -> Box:
    """Thicken the lung in place by a lesion's interior: the same statistics as in bone, so that features transfer."""
    model: Label = "malignant" if label == "infiltrate" else "benign"
    lesion = replace(draw_lesion(rng, model, _EASY), radius=rng.uniform(16, 32), matrix=rng.uniform(0.6, 1.0))
    height, scale = attenuation.shape[0], attenuation.shape[0] / FILM
    column = round((center + rng.choice([-1, 1]) * (105 + rng.uniform(-35, 35))) * scale)
    row = round((262 + rng.uniform(-105, 105)) * scale)
    whole = slice(0, height)
    outline = draw_outline(lesion, whole, whole, (row, column), _ENLARGED * scale, rng)
    texture = interior(lesion, outline, rng, noise_pool(pool.seed, round(_ENLARGED * height)))
    attenuation += lesion.contrast * (texture + 0.14 * logistic(outline.s_e / 3))
    return Box.around(outline.s_e > 0, 0, 0)
