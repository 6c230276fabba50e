"""What may be tuned, per task family: plain ranges, the same for every initialization."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.errors import StudyError, nearest


@dataclass(frozen=True)
class Float:
    """A number between two bounds, both included; `log` samples its logarithm."""

    low: float
    high: float
    log: bool = False
    default: float = 0.0

    def position(self, value: float) -> float:
        """Where a value lies between the bounds, 0 to 1, on the scale that is sampled."""
        low, at, high = (math.log(x) if self.log else x for x in (self.low, value, self.high))
        return (at - low) / (high - low)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    options: tuple[str, ...]
    default: str

    def __contains__(self, value: object) -> bool:
        return value in self.options

    def __str__(self) -> str:
        return f"one of {', '.join(self.options)}"


Space = Mapping[str, Float | Choice]

SPACES: dict[str, Space] = {
    "classification": {
        "learning_rate": Float(1e-5, 1e-1, log=True, default=1e-3),
        "weight_decay": Float(1e-6, 1e-1, log=True, default=1e-2),
        "augmentation": Float(0.0, 1.0, default=0.5),
    },
    "detection": {
        "learning_rate": Float(1e-5, 1e-1, log=True, default=2e-3),
        "weight_decay": Float(1e-6, 1e-1, log=True, default=5e-4),
        "mosaic": Float(0.0, 1.0, default=0.0),
    },
    "radiomics": {},
}
"""Wide on purpose: a range that suits transfer but not scratch would decide the comparison."""


def settings(task: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The space's defaults overlaid with the chosen values; raises StudyError for unknown names and values outside."""
    space = SPACES[task]
    for name, value in chosen.items():
        if name not in space:
            known = ", ".join(space) or "none"
            raise StudyError(f"{task}: {name!r} is not a hyperparameter.{nearest(name, space)} Known: {known}.")
        if value not in space[name]:
            raise StudyError(f"{task}: hyperparameter {name} is {value!r}; it must be {space[name]}.")
    return {name: chosen.get(name, entry.default) for name, entry in space.items()}
