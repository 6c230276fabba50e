"""What may be tuned, per task family: plain ranges, the same for every initialization."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from search_spaces.errors import StudyError, nearest


@dataclass(frozen=True)
class Float:
    """A number between two bounds, both included; `log` samples its logarithm."""

    low: float
    high: float
    log: bool = False
    default: float | None = 0.0
    """None: as the arm says."""

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

_RATE = (1e-5, 1e-1)
_SCHEDULES = ("cosine", "linear", "constant")

SPACES: dict[str, Space] = {
    "classification": {
        "learning_rate": Float(*_RATE, log=True, default=1e-3),
        "weight_decay": Float(1e-6, 1e-1, log=True, default=1e-2),
        "augmentation": Float(0.0, 1.0, default=0.5),
        "layer_decay": Float(0.5, 1.0, default=1.0),
        "schedule": Choice(_SCHEDULES, "cosine"),
        "label_smoothing": Float(0.0, 0.2, default=0.0),
        "class_weighting": Choice(("balanced", "square_root", "none"), "balanced"),
        "ema": Choice(("off", "0.9", "0.99", "0.999"), "off"),
        "margin": Float(0.0, 1.0, default=None),
        "image_scale": Choice(("0.75", "1", "1.25"), "1"),
    },
    "detection": {
        "learning_rate": Float(*_RATE, log=True, default=2e-3),
        "weight_decay": Float(1e-6, 1e-1, log=True, default=5e-4),
        "mosaic": Float(0.0, 1.0, default=0.0),
        "augmentation": Float(0.0, 1.0, default=0.5),
        "layer_decay": Float(0.5, 1.0, default=1.0),
        "schedule": Choice(_SCHEDULES, "linear"),
        "image_scale": Choice(("0.75", "1", "1.25"), "1"),
    },
    "radiomics": {},
}
"""Wide on purpose: a range that suits transfer but not scratch would decide the comparison."""

SEARCHED: dict[str, tuple[str, ...]] = {
    "classification": ("learning_rate", "weight_decay", "augmentation"),
    "detection": ("learning_rate", "weight_decay", "mosaic"),
    "radiomics": (),
}
"""What is tuned where a study does not say."""


def settings(task: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The space's defaults overlaid with the chosen values; raises StudyError for unknown names and values outside."""
    check(task, chosen)
    return {name: chosen.get(name, entry.default) for name, entry in SPACES[task].items()}


def as_meant(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that YAML reads as another type than their hyperparameter's: a choice of 0.99 as a number, 1e-3 as text.

    What cannot be meant otherwise is left as it is, for `check`.
    """
    entries = {name: entry for space in SPACES.values() for name, entry in space.items()}
    return {name: _as_meant(entries.get(name), value) for name, value in values.items()}


def _as_meant(entry: Float | Choice | None, value: Any) -> Any:
    if isinstance(entry, Choice) and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    if isinstance(entry, Float) and isinstance(value, str):
        with contextlib.suppress(ValueError):
            return float(value)
    return value


def check(task: str, chosen: Mapping[str, Any]) -> None:
    """Raise StudyError for a name that is no hyperparameter of the task, or a value outside its range."""
    space = SPACES[task]
    check_names(task, chosen)
    for name, value in chosen.items():
        if value is None and space[name].default is None:
            continue  # as the arm says
        if value not in space[name]:
            raise StudyError(f"{task}: hyperparameter {name} is {value!r}; it must be {space[name]}.")


def check_names(task: str, names: Sequence[str] | Mapping[str, Any]) -> None:
    """Raise StudyError for a name that is no hyperparameter of the task."""
    space = SPACES[task]
    for name in names:
        if name not in space:
            known = ", ".join(space) or "none"
            raise StudyError(f"{task}: {name!r} is not a hyperparameter.{nearest(name, space)} Known: {known}.")


def searched_space(task: str, names: Sequence[str] | None, *, margin: float | None = None) -> Space:
    """The part of a space that is tuned; `margin` is the arm's, where its range's default point lies."""
    space = {name: SPACES[task][name] for name in names or SEARCHED[task]}
    if "margin" in space:
        entry = space["margin"]
        assert isinstance(entry, Float)
        space["margin"] = replace(entry, default=margin)
    return space
