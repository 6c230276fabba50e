"""From attenuation to a picture: exposure, scatter, detector blur, noise, gamma, collimation and marker."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from cohorts.phantom.centers import Detector, FileFormat
from cohorts.phantom.noise import FILM, Array, Generator

_SCATTER = 0.07
_DENSITY_RANGE = 2.2
"""Optical depth that saturates the picture; leaves room for bone over tissue at the highest gain."""


def expose(attenuation: Array, detector: Detector, rng: Generator) -> Array:
    """The picture in [0, 1], bone bright; same shape as the attenuation."""
    scale = attenuation.shape[0] / FILM
    gain = detector.gain * rng.normal(1, 0.03)
    intensity: Array = np.exp(-1.5 * gain * attenuation)
    intensity = (1 - _SCATTER) * intensity + _SCATTER * _scattered(intensity)
    intensity = blur(intensity, detector.blur * scale)
    intensity += detector.noise * np.sqrt(intensity) * rng.standard_normal(intensity.shape, dtype=np.float32)
    density = -np.log(np.maximum(intensity, 1e-3)) / _DENSITY_RANGE
    picture: Array = np.clip(density, 0, 1) ** detector.gamma
    return picture


def finish(picture: Array, file_format: FileFormat, rng: Generator) -> Array:
    """The picture with its collimated border and the burnt-in marker, at a random brightness."""
    height, width = picture.shape
    border = file_format.collimation * height
    if border:
        picture = picture * _collimator(height, border, rng)[:, None] * _collimator(width, border, rng)[None, :]
    picture = picture * rng.uniform(0.78, 0.98) + 0.01
    return _burn_in(picture, file_format.marker, border, rng)


def quantize(picture: Array, bits: int, inverted: bool) -> npt.NDArray[np.uint16]:
    """Stored values of a picture in [0, 1]; `inverted` stores bone dark, as MONOCHROME1 does."""
    top = 2**bits - 1
    levels = np.clip(np.rint(picture * top), 0, top)
    stored: npt.NDArray[np.uint16] = (top - levels if inverted else levels).astype(np.uint16)
    return stored


def blur(image: Array, sigma: float) -> Array:
    """Gaussian blur, sigma in pixels; too small a sigma changes nothing."""
    if sigma < 0.15:
        return image
    blurred: Array = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return blurred


def _scattered(intensity: Array) -> Array:
    height, width = intensity.shape
    # Scatter is so smooth that a quarter of the resolution holds all of it.
    small = cv2.resize(intensity, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    wide: Array = cv2.resize(blur(small, height / 18 / 4), (width, height), interpolation=cv2.INTER_LINEAR)
    return wide


def _collimator(length: int, border: float, rng: Generator) -> Array:
    first, last = border * rng.uniform(0.8, 1.0, 2)
    position = np.arange(length, dtype=np.float32)
    edge: Array = np.clip(np.minimum(position - first, length - 1 - last - position) / 1.5 + 0.5, 0, 1)
    return edge.astype(np.float32)


def _burn_in(picture: Array, text: str, border: float, rng: Generator) -> Array:
    height, width = picture.shape
    canvas = np.zeros((height, width), np.uint8)
    size = 0.075 * height / 22  # a letter of OpenCV's plain font is 22 pixels high at size 1
    (letters, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    right, bottom = rng.integers(0, 2, 2)
    inset = int(border + 0.03 * height)
    x = width - inset - letters if right else inset
    y = height - inset if bottom else inset + tall
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, 255, max(1, height // 170), cv2.LINE_AA)
    marked: Array = np.maximum(picture, 0.97 * canvas.astype(np.float32) / 255)
    return marked
