"""What every piece of a study file is made of: frozen types and checked words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from search_spaces.initialization import why_unknown

Fraction = Annotated[float, Field(gt=0, lt=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]


def all_different(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values, if none stands there twice; ValueError for the first that does."""
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!r} stands there twice; name it once")
    return values


def _known_init(value: str) -> str:
    reason = why_unknown(value)
    if reason:
        raise ValueError(reason)
    return value


Init = Annotated[str, AfterValidator(_known_init)]
Names = Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(all_different)]
Inits = Annotated[tuple[Init, ...], Field(min_length=1), AfterValidator(all_different)]
CommercialUse = Literal["yes", "no", "unknown"]


class Part(BaseModel):
    """A piece of a study: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
