"""An exponential moving average of the weights, which is then what is validated and published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from timm.utils import ModelEmaV3

OFF = "off"


@dataclass(frozen=True)
class Average:
    """A second copy of a network that follows the one being trained; its steps are counted from the first epoch.

    The decay rises with the steps, 1 - (1 + step)^(-2/3) up to its value, so that the random weights at the start are
    soon forgotten in short trainings too. Batch norm's statistics are averaged as well, and what is frozen stays.
    """

    copy: ModelEmaV3

    @classmethod
    def of(cls, model: torch.nn.Module, decay: str) -> Self | None:
        """From the hyperparameter: None where it is off."""
        return None if decay == OFF else cls(ModelEmaV3(model, decay=float(decay), use_warmup=True))

    @property
    def model(self) -> torch.nn.Module:
        """The averaged network."""
        averaged: torch.nn.Module = self.copy.module
        return averaged

    def follow(self, model: torch.nn.Module, step: int) -> None:
        """Move towards the network after an optimizer step, counted from 1."""
        self.copy.update(model, step=step)
