"""Whole models pickled by packages that are not installed where the file is read."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch


class Runs:
    """Unpickled the usual way, calls a function with arguments."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@contextmanager
def foreign_class(module: str, name: str, base: type) -> Iterator[Any]:
    """A class of a module that exists only inside this block."""
    parts = module.split(".")
    made = [".".join(parts[: count + 1]) for count in range(len(parts))]
    sys.modules.update({each: types.ModuleType(each) for each in made})
    try:
        foreign = type(name, (base,), {"__module__": module})
        setattr(sys.modules[module], name, foreign)
        yield foreign
    finally:
        for each in made:
            del sys.modules[each]


def pickle_model(
    path: Path, model: torch.nn.Module, module: str, name: str, *, zipped: bool = True, **beside: Any
) -> dict[str, torch.Tensor]:
    """Pickle a model as an instance of a foreign class, alone or as `model` beside other entries; its state_dict."""
    with foreign_class(module, name, type(model)) as foreign:
        own = model.__class__
        model.__class__ = foreign
        content = {"epoch": -1, "model": model, **beside} if beside else model
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        model.__class__ = own
    return dict(model.state_dict())


def equal(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor]) -> bool:
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)
