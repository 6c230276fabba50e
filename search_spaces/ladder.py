"""Ladders of box perturbations: how far boxes are moved and stretched, and how often each is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from search_spaces.parts import Part, all_different

Kind = Literal["shift", "scale", "aspect"]
Ladder = tuple[float, ...]


def _steps(values: Ladder) -> Ladder:
    """Six digits, those of a variant's id: two steps that read alike would be one."""
    return all_different(tuple(float(f"{value:g}") for value in values))


def _factors(values: Ladder) -> Ladder:
    for value in values:
        if not 0.25 <= value <= 4 or value == 1:
            raise ValueError(f"{value:g} is no factor from 0.25 to 4 other than 1")
    return _steps(values)


Shifts = Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], AfterValidator(_steps)]
Factors = Annotated[Ladder, AfterValidator(_factors)]


@dataclass(frozen=True)
class Variant:
    """One perturbation of every box of an image; `magnitude` as the study writes it."""

    id: str
    kind: Kind
    magnitude: float
    draw: int

    def to_dict(self) -> dict[str, Any]:
        """The variant as plain data."""
        return asdict(self)


class Robustness(Part):
    """How boxes are perturbed after training; every cell of a study gets the same draws."""

    shift: Shifts = ()
    """Distance as a share of the box's width (across) and height (down), in a random direction."""
    scale: Factors = ()
    """Factors of width and height, about the center."""
    aspect: Factors = ()
    """Factors of width over height; the area stays."""
    draws: PositiveInt = 3
    """Random directions of each shift; scale and aspect leave nothing to chance and are drawn once."""
    images: PositiveInt | None = None
    """At most so many images per center, the same for every cell; all if left out."""

    @model_validator(mode="after")
    def _has_a_step(self) -> Self:
        if not (self.shift or self.scale or self.aspect):
            raise ValueError("robustness names no step; give shift, scale or aspect some values, such as shift: [0.1]")
        return self

    def variants(self) -> tuple[Variant, ...]:
        """Every draw of every step, shifts first, as the study orders them."""
        return tuple(self._variants())

    def _variants(self) -> Iterator[Variant]:
        for magnitude in self.shift:
            for draw in range(self.draws):
                yield Variant(f"shift-{magnitude:g}-{draw}", "shift", magnitude, draw)
        ladders: tuple[tuple[Kind, Ladder], ...] = (("scale", self.scale), ("aspect", self.aspect))
        for kind, ladder in ladders:
            for magnitude in ladder:
                yield Variant(f"{kind}-{magnitude:g}", kind, magnitude, 0)


class Saliency(Part):
    """Where networks look: Grad-CAM after training, against the boxes of the radiologists."""

    images: PositiveInt | None = 100
    """At most so many images per center, the same for every cell; all with `images: null`."""
    sanity: bool = True
    """Also map a network of the same architecture with random weights, which must look elsewhere."""
