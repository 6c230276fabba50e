"""Turns pydantic's findings into one sentence a radiologist can act on."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from search_spaces.errors import nearest

_TAGS = {"kind", "task"}


def explain(path: Path, raw: dict[str, Any], error: ValidationError, model: type[BaseModel]) -> str:
    """The first finding as one sentence, and how many more there are."""
    findings = error.errors(include_url=False)
    first = next((finding for finding in findings if _is_misspelt(dict(finding), model)), None)
    # A misspelt key is also a missing one, and what the user can see is the misspelling.
    first = first or next((finding for finding in findings if finding["type"] != "extra_forbidden"), findings[0])
    field = ".".join(str(part) for part in _as_written(first["loc"], raw))
    rest = f" ({len(findings) - 1} more like this after it.)" if len(findings) > 1 else ""
    return f"{path}: {_sentence(field, dict(first), model)}{rest}"


def _is_misspelt(finding: dict[str, Any], model: type[BaseModel]) -> bool:
    """An unknown key, and not one that only another alternative of a union knows."""
    loc = finding["loc"]
    return finding["type"] == "extra_forbidden" and loc[-1] not in _fields_at(model, loc[:-1])


def _as_written(loc: tuple[Any, ...], raw: Any) -> Iterator[Any]:
    """The parts of a place that stand in the file; pydantic puts the chosen kind of a union between them."""
    for number, part in enumerate(loc):
        is_there = (isinstance(raw, list) and isinstance(part, int)) or (isinstance(raw, dict) and part in raw)
        if is_there:
            raw = raw[part]
            yield part
        elif number == len(loc) - 1:
            yield part


def _sentence(field: str, finding: dict[str, Any], model: type[BaseModel]) -> str:
    kind, loc = finding["type"], finding["loc"]
    context = finding.get("ctx", {})
    if kind == "extra_forbidden":
        known = _fields_at(model, loc[:-1])
        return f"`{field}` is not a known key.{nearest(str(loc[-1]), known)} Allowed here: {', '.join(known)}."
    if kind == "missing":
        return f"`{field}` is missing; add it."
    if kind in {"literal_error", "union_tag_invalid"}:
        allowed = str(context.get("expected") or context.get("expected_tags"))
        value = context.get("tag", finding["input"])
        words = [word.strip(" '") for word in allowed.replace(" or ", ",").split(",")]
        return f"`{field}` is {value!r}, allowed is {allowed}.{nearest(str(value), words)}"
    if kind == "union_tag_not_found":
        return f"`{field}` lacks {context.get('discriminator')}; add it to say which kind this is."
    if kind == "value_error":
        return f"`{field or 'study'}`: {context['error']}."
    return f"`{field}` is {finding['input']!r}: {finding['msg'][0].lower()}{finding['msg'][1:]}."


def _fields_at(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """The keys allowed at a place of the study file."""
    candidates: list[Any] = [model]
    for part in loc:
        if isinstance(part, int):
            continue
        inner = [field.annotation for c in candidates for name, field in c.model_fields.items() if name == part]
        tagged = [c for c in candidates if part in _tags_of(c)]
        candidates = tagged or [m for annotation in inner for m in _models_in(annotation)] or candidates
    return sorted({name for candidate in candidates for name in candidate.model_fields})


def _tags_of(model: type[BaseModel]) -> set[str]:
    fields = (model.model_fields[tag].annotation for tag in _TAGS & set(model.model_fields))
    return {value for annotation in fields for value in get_args(annotation)}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in {Union, types.UnionType, tuple, dict, Annotated}:
        return [model for part in get_args(annotation) for model in _models_in(part)]
    return []
