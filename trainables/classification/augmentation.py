"""Random views of a region: how far they go, and their draws, which depend on seed and epoch alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from cohorts.regions import Floats, Matrices, compose, flip, rotation, shift_and_scale


@dataclass(frozen=True)
class Augmentation:
    """Largest changes of a view; all zero changes nothing."""

    shift: float
    """Share of the region's side, either way, in x and in y."""
    scale: float
    """Of the window's logarithm, either way."""
    degrees: float
    flip: float
    """Probability of exchanging left and right: limbs come in both kinds, upside down they do not."""
    gamma: float
    """Of the exponent's logarithm, either way: centers differ in exposure and look-up tables."""

    @classmethod
    def of_strength(cls, strength: float) -> Self:
        """From 0 (none) to 1 (strong)."""
        return cls(0.15 * strength, 0.25 * strength, 20.0 * strength, 0.5 * strength, 0.35 * strength)

    @property
    def reach(self) -> float:
        """How far a view's corner may lie from the region's center, in half sides of the region."""
        turned = np.cos(np.deg2rad(self.degrees)) + np.sin(np.deg2rad(self.degrees))
        return float(np.exp(self.scale) * turned + 2 * self.shift)

    def draw(self, random: np.random.Generator, count: int) -> Views:
        """Independent views, one for each of `count` regions; the same numbers are drawn at every strength."""
        x, y, size, angle, exponent = random.uniform(-1, 1, (5, count))
        mirrored = random.uniform(size=count) < self.flip
        window = shift_and_scale(self.shift * x, self.shift * y, np.exp(self.scale * size))
        return Views(compose(window, rotation(self.degrees * angle), flip(mirrored)), np.exp(self.gamma * exponent))


@dataclass(frozen=True)
class Views:
    """One change per region: a matrix within the network's coordinates (n, 2, 3), and an exponent for gray values."""

    matrices: Matrices
    gamma: Floats


def adjust(inputs: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    """Raise gray values in [0, 1] to each input's exponent."""
    # Interpolation may leave the interval by a rounding error, and a power of a negative number is NaN.
    return inputs.clamp_(0, 1).pow_(gamma.view(-1, 1, 1, 1))
