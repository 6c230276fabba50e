"""Bone lesions: how they are drawn, placed in a film, and boxed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from cohorts.phantom.acquisition import blur
from cohorts.phantom.knee import Bone, Film
from cohorts.phantom.noise import FILM, Array, Generator, Mask, NoisePool, logistic

Label = Literal["malignant", "benign"]


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels, half open."""

    x0: int
    y0: int
    x1: int
    y1: int

    @classmethod
    def around(cls, seen: Mask, top: int, left: int) -> Box:
        """The 1st to 99th percentile of the pixels seen on a crop that starts at (top, left)."""
        rows, columns = np.nonzero(seen)
        y0, y1 = np.percentile(rows, [1, 99])
        x0, x1 = np.percentile(columns, [1, 99])
        return cls(left + int(x0), top + int(y0), left + int(x1) + 1, top + int(y1) + 1)


@dataclass(frozen=True)
class Lesion:
    """One patient's lesion; what the views of the patient share.

    Every sign is in [0, 1] and is the stronger the more aggressive the lesion looks: a wide margin, no sclerotic rim,
    a moth-eaten interior, reaction outside the cortex, an irregular outline. `matrix` is the share of new bone.
    """

    bone: str
    level: float
    radius: float
    matrix: float
    margin: float
    bareness: float
    moth: float
    reaction: float
    irregularity: float
    contrast: float


@dataclass(frozen=True)
class Outline:
    """A lesion on its crop: `s_e` film units to the edge (positive inside), `theta` around the center."""

    s_e: Array
    theta: Array
    distance: Array


def draw_lesion(rng: Generator, label: Label, difficulty: float) -> Lesion:
    """A random lesion; with difficulty the classes' signs overlap more and all contrast falls."""
    bone = str(rng.choice(["femur", "tibia", "fibula"], p=[0.55, 0.38, 0.07]))
    radius = rng.uniform(15, 34) * (0.5 if bone == "fibula" else 1.0)
    margin, bareness, moth, reaction, irregularity = _signs(rng, label, difficulty)
    matrix = _matrix(rng, label)
    contrast = 1 - 0.2 * difficulty - 0.35 * difficulty**2
    return Lesion(bone, rng.random(), radius, matrix, margin, bareness, moth, reaction, irregularity, contrast)


def _matrix(rng: Generator, label: Label) -> float:
    """Share of new bone: such that the classes do not differ in brightness."""
    if label == "malignant":
        return rng.uniform(0.1, 0.75)
    return rng.uniform(0.8, 1.0) if rng.random() < 0.35 else rng.uniform(0.0, 0.3)


def _signs(rng: Generator, label: Label, difficulty: float) -> list[float]:
    # Aggressiveness is Beta distributed; the classes mirror each other and approach as difficulty grows.
    typical = 2.0 + 8.0 * (1 - difficulty) ** 2
    aggressive = rng.beta(typical, 1.5)
    aggressive = aggressive if label == "malignant" else 1 - aggressive
    return [float(sign) for sign in np.clip(aggressive + rng.normal(0, 0.12, 5), 0, 1)]


def add_lesion(film: Film, lesion: Lesion, rng: Generator, pool: NoisePool, keep_out: float = 0.0) -> Box:
    """Change the film's attenuation in place and return the lesion's box.

    The lesion's center stays half a radius away from the outermost `keep_out` film units.
    """
    bone = film.bones[lesion.bone]
    row, column = _place(film, bone, lesion, rng, keep_out + 0.5 * lesion.radius)
    half = int(np.ceil(2.3 * lesion.radius * film.scale))
    rows = slice(max(0, row - half), min(film.attenuation.shape[0], row + half + 1))
    columns = slice(max(0, column - half), min(film.attenuation.shape[1], column + half + 1))
    outline = draw_outline(lesion, rows, columns, (row, column), film.scale, rng)
    depth = bone.depth[rows, columns]
    change = np.minimum(depth, 1) * interior(lesion, outline, rng, pool)
    change += _outside(lesion, outline, depth, film.scale, rng)
    film.attenuation[rows, columns] += lesion.contrast * change
    seen = (np.abs(change) > 0.05) | ((outline.s_e > 0) & (depth > 0))
    return Box.around(seen, rows.start, columns.start)


def _place(film: Film, bone: Bone, lesion: Lesion, rng: Generator, border: float) -> tuple[int, int]:
    allowed = bone.depth > 0.35 * bone.reach
    height, width = allowed.shape
    edge = round(border * height / FILM)
    first = max(edge, film.joint_row - round(150 * film.scale))
    last = min(height - edge, film.joint_row + round(150 * film.scale))
    allowed[:first] = allowed[last:] = False
    allowed[:, :edge] = allowed[:, width - edge :] = False
    # Row by row: `level` picks the same height along the bone in every view, the view its own place across.
    rows, columns = np.nonzero(allowed)
    row = rows[int(lesion.level * len(rows))]
    return int(row), int(rng.choice(columns[rows == row]))


def draw_outline(
    lesion: Lesion, rows: slice, columns: slice, center: tuple[int, int], scale: float, rng: Generator
) -> Outline:
    """The lesion's edge, a circle with 3 to 6 random harmonics, on a crop of the film."""
    y = (np.arange(rows.start, rows.stop, dtype=np.float32) - center[0])[:, None] / scale
    x = (np.arange(columns.start, columns.stop, dtype=np.float32) - center[1])[None, :] / scale
    theta, distance = np.arctan2(y, x), np.hypot(y, x)
    count = int(rng.integers(3, 7))
    weights, phases = rng.dirichlet(np.ones(count)), rng.uniform(0, 2 * np.pi, count)
    amplitude = 0.09 + 0.19 * lesion.irregularity
    waves = np.zeros_like(theta)
    for order, (weight, phase) in enumerate(zip(weights.tolist(), phases.tolist(), strict=True), start=2):
        waves += weight * np.cos(order * theta + phase)
    s_e: Array = lesion.radius * (1 + 1.6 * amplitude * waves) - distance
    return Outline(s_e, theta, distance)


def interior(lesion: Lesion, outline: Outline, rng: Generator, pool: NoisePool) -> Array:
    """Loss and new bone under the lesion's margin, and the sclerotic rim of a slow lesion."""
    shape = outline.s_e.shape
    moth, blobs = pool.holes(rng, shape), pool.holes(rng, shape)
    loss, gain = 0.42 * (1 - lesion.matrix), 0.40 * lesion.matrix
    even = 0.9 * (gain - loss) + 0.03 * pool.tissue(rng, shape)
    eaten = gain * (0.2 + 1.8 * blobs) - loss * (0.2 + 1.9 * moth)
    width = 1.1 * (0.16 * lesion.radius / 1.1) ** lesion.margin
    rim = 0.30 * (1 - lesion.bareness) * np.exp(-((outline.s_e / 2.2) ** 2))
    change: Array = logistic(outline.s_e / width) * (even + lesion.moth * (eaten - even)) + rim
    return change


def _outside(lesion: Lesion, outline: Outline, depth: Array, scale: float, rng: Generator) -> Array:
    """Spicules, lamellae and soft-tissue mass beyond the cortex, where the lesion comes near it."""
    strength = max(0.0, lesion.reaction - 0.35) / 0.65
    outside = (depth <= 0).astype(np.uint8)
    d: Array = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) / scale
    near = logistic((outline.s_e + 0.5 * lesion.radius) / (0.08 * lesion.radius)) * np.minimum(d, 1)
    # Finer spicules than three pixels would alias into dots.
    rays = min(float(rng.uniform(26, 44)), 2 * np.pi * 1.2 * lesion.radius * scale / 3)
    spicules = 0.30 * np.maximum(0, np.cos(round(rays) * outline.theta + rng.uniform(0, 2 * np.pi))) ** 3
    lamellae = 0.13 * np.exp(-((d % 5 - 1.5) ** 2))
    mass = 0.16 * blur(near, 0.22 * lesion.radius * scale) * outside
    reaction: Array = strength * (near * (spicules + lamellae) * np.exp(-d / (0.42 * lesion.radius)) + mass)
    return reaction
