"""How the hospitals differ: exposure, noise and sharpness, and the format of their files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cohorts.phantom.noise import Generator, generator

Compression = Literal["none", "jpeg_lossless", "jpeg2000", "jpegls"]


@dataclass(frozen=True)
class Detector:
    """What turns attenuation into a picture; the part of a center that `difficulty` scales.

    `noise` is the standard deviation at full intensity, `blur` is in film units (height = 512).
    """

    gain: float
    gamma: float
    noise: float
    blur: float


@dataclass(frozen=True)
class FileFormat:
    """How a center writes its radiographs; the same at every difficulty.

    `spacing` is in mm per pixel, `collimation` the dark border as a share of the height.
    """

    bits: int
    inverted: bool
    spacing: float
    spacing_tag: Literal["ImagerPixelSpacing", "PixelSpacing"] | None
    compression: Compression
    marker: str
    collimation: float


@dataclass(frozen=True)
class CenterEffects:
    """One hospital's detector and file format."""

    detector: Detector
    file_format: FileFormat


TABLE = (
    CenterEffects(
        Detector(gain=1.0, gamma=1.0, noise=0.006, blur=0.5),
        FileFormat(12, False, 0.143, "ImagerPixelSpacing", "none", "L", 0.0),
    ),
    CenterEffects(
        Detector(gain=0.85, gamma=1.35, noise=0.012, blur=0.9),
        FileFormat(10, True, 0.2, "PixelSpacing", "jpeg_lossless", "R", 0.06),
    ),
    CenterEffects(
        Detector(gain=1.15, gamma=0.75, noise=0.020, blur=1.3),
        FileFormat(14, False, 0.1, None, "jpeg2000", "AP", 0.10),
    ),
    CenterEffects(
        Detector(gain=1.0, gamma=1.0, noise=0.010, blur=0.7),
        FileFormat(16, True, 0.175, "ImagerPixelSpacing", "jpegls", "LT", 0.03),
    ),
)
"""The effects of the first four centers; later ones repeat them with another detector."""


def center_effects(row: int, seed: int, difficulty: float) -> CenterEffects:
    """The effects of the row-th center (from 0) of a study.

    Difficulty 0 gives every center the first one's detector, 0.5 the table, 1 twice the table's shift.
    """
    effects = TABLE[row % len(TABLE)]
    if row >= len(TABLE):
        effects = replace(effects, detector=_jitter(effects.detector, generator(seed, row)))
    return replace(effects, detector=_shift(effects.detector, 2 * difficulty))


def random_detector(rng: Generator) -> Detector:
    """Any detector between the extremes of the table: a corpus mixes many hospitals."""
    return Detector(
        gain=rng.uniform(0.85, 1.15),
        gamma=float(np.exp(rng.uniform(np.log(0.75), np.log(1.35)))),
        noise=float(np.exp(rng.uniform(np.log(0.006), np.log(0.02)))),
        blur=rng.uniform(0.5, 1.3),
    )


def _jitter(detector: Detector, rng: Generator) -> Detector:
    gain, gamma, noise, blur = (float(factor) for factor in np.exp(rng.normal(0, [0.06, 0.12, 0.2, 0.2])))
    return Detector(detector.gain * gain, detector.gamma * gamma, detector.noise * noise, detector.blur * blur)


def _shift(detector: Detector, strength: float) -> Detector:
    base = TABLE[0].detector

    def away(reference: float, value: float) -> float:
        return float(reference * (value / reference) ** strength)

    return Detector(
        away(base.gain, detector.gain),
        away(base.gamma, detector.gamma),
        away(base.noise, detector.noise),
        away(base.blur, detector.blur),
    )
