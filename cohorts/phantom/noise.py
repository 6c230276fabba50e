"""Seeded generators and pink-noise fields, the texture of everything a phantom shows."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
"""Float32 by convention, for speed."""

Mask = npt.NDArray[np.bool_]
Generator = np.random.Generator

FILM = 512.0
"""Lengths of the anatomy are in film units: the height of every phantom is 512 of them."""

_TILES_PER_KIND = 4


def generator(seed: int, *place: int) -> Generator:
    """A generator of its own for one place (center, patient, view, …), whoever asks and in whatever order."""
    return np.random.default_rng([seed % 2**64, *place])


class NoisePool:
    """Periodic noise tiles, made once; every use cuts a piece at a random shift, flip and transposition.

    Fourier transforms for each image would cost more than all the anatomy.
    """

    def __init__(self, seed: int, height: int) -> None:
        self.seed = seed
        self._scale = height / FILM
        self._side = 32 * math.ceil(max(height, 96) / 32)  # a length that Fourier transforms are quick at
        self._tiles: dict[tuple[float, float, float], list[Array]] = {}

    def trabeculae(self, rng: Generator, shape: tuple[int, ...]) -> Array:
        """Cancellous bone: pink noise without its coarse waves; mean 0, variance 1."""
        return self._cut(rng, shape, beta=1.9, high_pass=0.02)

    def tissue(self, rng: Generator, shape: tuple[int, ...]) -> Array:
        """Soft tissue: smooth clouds; mean 0, variance 1."""
        return self._cut(rng, shape, beta=3.0)

    def clouds(self, rng: Generator, shape: tuple[int, ...]) -> Array:
        """Surfaces in natural pictures, between tissue and trabeculae; mean 0, variance 1."""
        return self._cut(rng, shape, beta=2.5)

    def holes(self, rng: Generator, shape: tuple[int, ...]) -> Array:
        """Moth-eaten pattern in [0, 1]: blurred, thresholded pink noise with patches of about 10 film units."""
        return logistic(3.5 * (self._cut(rng, shape, beta=2.0, high_pass=0.05, blur=2.0) - 0.4))

    def _cut(
        self, rng: Generator, shape: tuple[int, ...], beta: float, high_pass: float = 0.0, blur: float = 0.0
    ) -> Array:
        tiles = self._tiles_of(beta, high_pass, blur)
        tile, row, column, flips = rng.integers(0, [_TILES_PER_KIND, self._side, self._side, 8])
        field = tiles[tile].T if flips & 4 else tiles[tile]
        rows = row + np.arange(shape[0]) * (-1 if flips & 1 else 1)
        columns = column + np.arange(shape[1]) * (-1 if flips & 2 else 1)
        piece: Array = field[(rows % self._side)[:, None], (columns % self._side)[None, :]]
        return piece

    def _tiles_of(self, beta: float, high_pass: float, blur: float) -> list[Array]:
        kind = (beta, high_pass, blur)
        if kind not in self._tiles:
            rng = generator(self.seed, self._side, *(round(1000 * part) for part in kind))
            # Frequencies are in cycles per film unit, so that texture keeps its size at every resolution.
            self._tiles[kind] = [pink_tile(rng, self._side, self._scale, *kind) for _ in range(_TILES_PER_KIND)]
        return self._tiles[kind]


def pink_tile(rng: Generator, side: int, scale: float, beta: float, high_pass: float, blur: float) -> Array:
    """A periodic square of noise with amplitude f^(-beta/2), mean 0 and variance 1.

    `scale` is pixels per film unit; `high_pass` (cycles per film unit) takes away what is slower, `blur` (film
    units, standard deviation) what is faster; 0 leaves them out.
    """
    vertical = np.fft.fftfreq(side).astype(np.float32) * scale
    horizontal = np.fft.rfftfreq(side).astype(np.float32) * scale
    frequency = np.hypot(vertical[:, None], horizontal[None, :])
    frequency[0, 0] = 1.0
    amplitude = frequency ** (-beta / 2)
    if high_pass:
        amplitude *= 1 - np.exp(-((frequency / high_pass) ** 2))
    amplitude *= np.exp(-2 * (np.pi * blur * frequency) ** 2)
    amplitude[0, 0] = 0.0
    white = np.fft.rfft2(rng.standard_normal((side, side), dtype=np.float32))
    field: Array = np.fft.irfft2(white * amplitude, s=(side, side)).astype(np.float32)
    field /= field.std()
    return field


def logistic(values: Array) -> Array:
    """1 / (1 + exp(-values)), without overflow."""
    half: Array = 0.5 + 0.5 * np.tanh(0.5 * values)
    return half


@lru_cache(maxsize=2)
def noise_pool(seed: int, height: int) -> NoisePool:
    """The process's pool for one seed and height."""
    return NoisePool(seed, height)
