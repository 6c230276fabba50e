"""The attenuation of a knee: femur, tibia, fibula and patella in soft tissue, from the front or from the side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from cohorts.phantom.noise import FILM, Array, Generator, Mask, NoisePool, logistic

View = Literal["AP", "LAT"]
WIDTH = 384.0
"""Width of a knee film in film units."""


@dataclass(frozen=True)
class Anatomy:
    """One patient's knee; lengths in film units, `side` is +1 where the fibula lies to the right."""

    joint: float
    femur: float
    tibia: float
    side: int
    tilts: tuple[float, float, float]
    tissue: float


@dataclass(frozen=True)
class Bone:
    """One bone of a film. `depth`: film units to its edge, 0 outside; `reach`: the largest depth."""

    name: str
    depth: Array
    reach: float


@dataclass(frozen=True)
class Film:
    """An attenuation map (bone over tissue) with the bones that cast it.

    `joint_row` is in pixels, `scale` is pixels per length of the anatomy.
    """

    attenuation: Array
    bones: dict[str, Bone]
    joint_row: int
    scale: float


@dataclass(frozen=True)
class _Shaft:
    """A bone as a swept outline from the film's edge (`start`) to the joint (`end`)."""

    name: str
    start: float
    end: float
    center: float
    shaft: float
    head: float
    tilt: float
    phase: float
    thickness: float


def draw_anatomy(rng: Generator) -> Anatomy:
    """A random knee."""
    return Anatomy(
        joint=rng.uniform(0.44, 0.54) * FILM,
        femur=rng.uniform(27, 35),
        tibia=rng.uniform(24, 31),
        side=int(rng.choice([-1, 1])),
        tilts=(rng.normal(0, 0.04), rng.normal(0, 0.04), rng.normal(0, 0.02)),
        tissue=rng.uniform(0.9, 1.15),
    )


def render_knee(anatomy: Anatomy, view: View, height: int, rng: Generator, pool: NoisePool) -> Film:
    """The film of a knee without a lesion; the patient's anatomy, with the view's own position and texture."""
    scale, zoom = height / FILM, rng.uniform(0.88, 1.18)
    shape = (height, round(WIDTH * scale))
    x, y = _coordinates(anatomy, shape, scale, zoom, rng)
    center, scale = WIDTH / 2, scale * zoom
    attenuation = _soft_tissue(anatomy, center, x, y, rng) + 0.012 * pool.tissue(rng, shape)
    grain = pool.trabeculae(rng, shape)
    bones = {}
    for shaft in _shafts(anatomy, view, center, rng):
        depth = _depth(_outline(shaft, view, x, y), scale)
        bones[shaft.name] = Bone(shaft.name, depth, float(depth.max()))
        attenuation += shaft.thickness * bone_density(depth, bones[shaft.name].reach, grain)
    attenuation += _patella(anatomy, view, center, x, y, grain)
    return Film(attenuation, bones, round(anatomy.joint * height / FILM), scale)


def _coordinates(
    anatomy: Anatomy, shape: tuple[int, int], scale: float, zoom: float, rng: Generator
) -> tuple[Array, Array]:
    """Where each pixel lies in the knee, (x, y): the leg is turned, moved and enlarged about its joint."""
    turn, center = rng.normal(0, 0.07), WIDTH / 2 + rng.normal(0, 16)
    down = (((np.arange(shape[0], dtype=np.float32) + 0.5) / scale - anatomy.joint) / zoom)[:, None]
    right = (((np.arange(shape[1], dtype=np.float32) + 0.5) / scale - center) / zoom)[None, :]
    cosine, sine = float(np.cos(turn)), float(np.sin(turn))
    return cosine * right + sine * down + WIDTH / 2, cosine * down - sine * right + anatomy.joint


def bone_density(depth: Array, reach: float, grain: Array) -> Array:
    """Attenuation of a bone of thickness 1: a filled tube, its cortex 2.5 film units inside, and trabeculae."""
    inward = np.clip(depth / max(reach, 1.0), 0, 1)
    tube = np.sqrt(2 * inward - inward**2)
    cortex = np.exp(-(((depth - 2.5) / 2.8) ** 2)) * np.minimum(depth, 1)
    density: Array = (0.75 + 0.075 * grain) * tube + 0.42 * cortex
    return density


def _shafts(anatomy: Anatomy, view: View, center: float, rng: Generator) -> list[_Shaft]:
    joint, (femur_tilt, tibia_tilt, fibula_tilt) = anatomy.joint, anatomy.tilts
    phases = rng.uniform(0, 2 * np.pi, 3)
    femur, tibia = anatomy.femur, anatomy.tibia
    slim = 1.0 if view == "AP" else 0.88
    # From the side the fibula lies behind the tibia's rear edge instead of beside it.
    offset = anatomy.side * tibia * (2.05 if view == "AP" else 1.25)
    gap = 7.0
    return [
        _Shaft("femur", 0.0, joint, center, femur, 2.15 * slim * femur, femur_tilt, float(phases[0]), 1.0),
        _Shaft("tibia", FILM, joint + gap, center, tibia, 2.3 * slim * tibia, tibia_tilt, float(phases[1]), 0.95),
        _Shaft("fibula", FILM, joint + 40, center + offset, 8.5, 13.0, fibula_tilt, float(phases[2]), 0.55),
    ]


def _outline(bone: _Shaft, view: View, x: Array, y: Array) -> Mask:
    along = (y - bone.start) / (bone.end - bone.start)
    flare = logistic(16 * (along - 0.74))
    half = bone.shaft * (1 + 0.06 * np.sin(6 * along + bone.phase)) + (bone.head - bone.shaft) * flare
    across = x - bone.center - bone.tilt * (y - bone.end)
    start_of_rounding = 0.84 if view == "LAT" and bone.name == "femur" else 0.95
    rounding = np.clip((along - start_of_rounding) / (1 - start_of_rounding), 0, 1)
    half = half * np.sqrt(1 - rounding**2)
    outline: Mask = (np.abs(across) < half) & (along + _relief(bone, view, across / bone.head) < 1)
    return outline


def _relief(bone: _Shaft, view: View, across: Array) -> Array | float:
    """What the joint surface lacks or has of a flat end, as a share of the bone's length."""
    if view == "LAT" or bone.name == "fibula":
        return 0.0
    if bone.name == "femur":  # the notch between the condyles
        notch: Array = 24 * np.exp(-((across / 0.2) ** 2)) / FILM * 2
        return notch
    spines = np.exp(-(((across - 0.12) / 0.07) ** 2)) + np.exp(-(((across + 0.12) / 0.07) ** 2))
    plateau: Array = (7 - 9 * spines) / FILM * 2
    return plateau


def _depth(inside: Mask, scale: float) -> Array:
    distance: Array = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance / scale


def _soft_tissue(anatomy: Anatomy, center: float, x: Array, y: Array, rng: Generator) -> Array:
    waves = 10 * np.sin(2 * np.pi * y / rng.uniform(300, 520) + rng.uniform(0, 2 * np.pi))
    half = (3.1 * anatomy.femur + waves) * anatomy.tissue
    profile: Array = 0.42 * np.sqrt(np.clip(1 - ((x - center) / half) ** 2, 0, 1))
    return profile


def _patella(anatomy: Anatomy, view: View, center: float, x: Array, y: Array, grain: Array) -> Array:
    forward = 0.0 if view == "AP" else -anatomy.side * 1.95 * anatomy.femur
    wide, tall = (30.0, 30.0) if view == "AP" else (13.0, 27.0)
    radius = ((x - center - forward) / wide) ** 2 + ((y - anatomy.joint + 34) / tall) ** 2
    strength = 0.18 if view == "AP" else 0.55
    shadow: Array = strength * np.exp(-(radius**3)) * (1 + 0.1 * grain)
    return shadow
