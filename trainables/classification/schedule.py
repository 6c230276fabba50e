"""How a training's epochs are divided into phases, and how the learning rate goes over a phase."""

from __future__ import annotations

import math
from dataclasses import dataclass

from search_spaces.initialization import PROBE_THEN_TRANSFER, probe_epochs

WARMUP = 0.05
"""Share of a phase's steps during which the learning rate rises."""


@dataclass(frozen=True)
class Phase:
    """Epochs in a row that train the same tensors, with an optimizer, a warm-up and a schedule of their own."""

    first: int
    """Epoch, counted from 1."""
    last: int
    frozen: frozenset[str]
    """Tensors that stay as they are."""
    is_probe: bool = False

    def done(self, epoch: int, share: float) -> float:
        """Share of the phase's steps that lie behind after a share of an epoch."""
        return (epoch - self.first + share) / (self.last - self.first + 1)


def phases_of(init: str, epochs: int, *, frozen: frozenset[str], backbone: frozenset[str]) -> tuple[Phase, ...]:
    """One phase with `frozen` kept, or for probe_then_transfer first the head alone; StudyError for too few epochs."""
    if init != PROBE_THEN_TRANSFER:
        return (Phase(1, epochs, frozen),)
    probe = probe_epochs(epochs)
    return Phase(1, probe, backbone, is_probe=True), Phase(probe + 1, epochs, frozen)


def left_over(phases: tuple[Phase, ...], done: int, until: int) -> tuple[Phase, ...]:
    """The phases that a training with `done` epochs behind it still enters to end after `until`.

    The one in which it ends is always among them, for its facts, even if nothing is left to train.
    """
    reached = tuple(phase for phase in phases if phase.first <= until)
    return tuple(phase for phase in reached if phase.last > done) or reached[-1:]


def rate_factor(schedule: str, done: float) -> float:
    """Share of the learning rate after a share of a phase: a short rise, then cosine, linear or constant."""
    if done < WARMUP:
        return 0.1 + 0.9 * done / WARMUP
    left = 1 - (done - WARMUP) / (1 - WARMUP)
    return {"cosine": 0.5 * (1 - math.cos(math.pi * left)), "linear": left, "constant": 1.0}[schedule]
