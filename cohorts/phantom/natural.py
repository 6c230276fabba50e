"""Natural-looking pictures for pretraining: dead leaves; the class is the commonest shape and the one in front.

Occlusion makes the statistics of edges and scales natural (Lee, Mumford & Huang, 2001).
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from cohorts.phantom.lesions import Box
from cohorts.phantom.noise import Array, Generator, NoisePool
from cohorts.phantom.picture import Picture

NaturalLabel = Literal["disc", "triangle", "square", "ellipse"]
NATURAL_LABELS: tuple[NaturalLabel, ...] = ("disc", "triangle", "square", "ellipse")

_LEAVES = 60
_SHARE = 0.6
"""Of the leaves that surely have the shape of the class, so that a few hundred pictures are enough to learn it."""

_LUMINANCE = np.array([0.299, 0.587, 0.114])
_SUBPIXEL = 4
"""Bits behind the point in OpenCV's fixed-point vertices."""


def draw_natural(label: NaturalLabel, height: int, rng: Generator, pool: NoisePool) -> Picture:
    """A square gray picture of 8 bits with a box around the shape in front."""
    canvas = np.full((height, height), 0.5, np.float32)
    for _ in range(_LEAVES - 1):
        shape = label if rng.random() < _SHARE else NATURAL_LABELS[int(rng.integers(len(NATURAL_LABELS)))]
        # Sizes follow a power law: many small leaves, few large ones.
        radius = height * 0.08 * (1 - rng.random() * 0.96) ** -0.5
        _lay(canvas, _leaf(shape, radius, rng.uniform(0, height, 2), rng), rng, pool)
    radius = height * rng.uniform(0.2, 0.32)
    front = _leaf(label, radius, rng.uniform(0.33 * height, 0.67 * height, 2), rng)
    _lay(canvas, front, rng, pool)
    pixels = np.clip(255 * canvas + rng.normal(0, 3, canvas.shape), 0, 255).astype(np.uint8)
    return Picture(pixels, label, [_extent(front, height)])


def _leaf(shape: NaturalLabel, radius: float, center: npt.NDArray[np.float64], rng: Generator) -> Array:
    """Vertices (x, y) of a turned shape."""
    corners = {"disc": 32, "ellipse": 32, "square": 4, "triangle": 3}[shape]
    turn, angles = rng.uniform(0, 2 * np.pi), 2 * np.pi * np.arange(corners) / corners
    points = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if shape == "ellipse":
        points[:, 1] *= rng.uniform(0.3, 0.5)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    vertices: Array = points @ rotation + center
    return vertices


def _extent(vertices: Array, height: int) -> Box:
    """The smallest box around the vertices, cut at the canvas; empty if they lie outside."""
    low, high = np.floor(vertices.min(axis=0)), np.ceil(vertices.max(axis=0)) + 1
    (x0, y0), (x1, y1) = (np.clip(corner, 0, height).astype(int).tolist() for corner in (low, high))
    return Box(x0, y0, x1, y1)


def _lay(canvas: Array, vertices: Array, rng: Generator, pool: NoisePool) -> None:
    """Cover part of the canvas with a textured leaf of a random color."""
    box = _extent(vertices, canvas.shape[0])
    under = canvas[box.y0 : box.y1, box.x0 : box.x1]
    if not under.size:
        return
    covered = np.zeros(under.shape, np.uint8)
    corners = np.rint((vertices - (box.x0, box.y0)) * 2**_SUBPIXEL).astype(np.int32)
    cv2.fillPoly(covered, [corners], 1, shift=_SUBPIXEL)
    # A color's luminance: the color itself would be lost in a gray radiograph's network input.
    gray = float(_LUMINANCE @ rng.uniform(0.05, 0.95, 3))
    leaf = gray * (1 + rng.uniform(0.05, 0.3) * pool.clouds(rng, under.shape))
    np.copyto(under, leaf, where=covered.astype(bool))
