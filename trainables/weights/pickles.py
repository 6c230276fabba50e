"""Reads the tensors of a pickle that may hold anything, and runs nothing of it.

torch.load is given this module in place of `pickle`. Of all that a pickle can name, only the functions below that
rebuild tensors, ordered dictionaries and sets are found; every other class or function is replaced by a stub that
keeps what it is given and does nothing.
"""

from __future__ import annotations

import collections
import io
import pickle
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch

Tensors = dict[str, torch.Tensor]

__version__ = "0"
"""torch.load asks the module it unpickles with; only dill's version means something to it."""


HOSTILE = {"os", "posix", "nt", "subprocess", "commands", "pty", "runpy", "socket", "shutil", "importlib"}
"""Modules that pickles name only to run something when they are opened; commands is an old name of subprocess."""

_BUILTINS = {"builtins", "__builtin__", "io", "_io"}
_RUNS_CODE = {"eval", "exec", "execfile", "compile", "open", "__import__"}


class Stub:
    """Stands in for an object of a class that is not there, or must not be."""

    origin = ""
    """module.name of what it stands for."""

    def __new__(cls, *arguments: Any, **named: Any) -> Stub:
        """Keep the arguments, whatever they are."""
        made = super().__new__(cls)
        made.arguments = arguments
        made.attributes = {}
        return made

    arguments: tuple[Any, ...]
    attributes: dict[Any, Any]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                self.attributes.update(part)

    def __call__(self, *arguments: Any, **named: Any) -> Stub:
        """What a method that was looked up would do: nothing."""
        return Stub()

    def __setitem__(self, key: Any, value: Any) -> None:
        self.attributes[key] = value

    def append(self, value: Any) -> None:
        """What a list would be given."""

    def extend(self, values: Any) -> None:
        """What a list would be given."""

    def add(self, value: Any) -> None:
        """What a set would be given."""


class Unpickler(pickle.Unpickler):
    """Finds what rebuilds tensors, and stubs for all else."""

    def find_class(self, module: str, name: str) -> Any:
        """One of ALLOWED by its exact name, or a stub's class."""
        if (module, name) in ALLOWED:
            return ALLOWED[module, name]
        if module in HOSTILE or (module in _BUILTINS and name in _RUNS_CODE):
            raise pickle.UnpicklingError(f"it calls {module}.{name}, which no model needs: it is made to run code")
        # The class belongs to no module, so that nothing looks for its source.
        return type(name.rpartition(".")[2] or "Stub", (Stub,), {"origin": f"{module}.{name}", "__module__": "stub"})


def load(file: BinaryIO, **options: Any) -> Any:
    """As pickle.load, with the Unpickler of this module."""
    return Unpickler(file, **options).load()


def loads(content: bytes, **options: Any) -> Any:
    """As pickle.loads, with the Unpickler of this module."""
    return Unpickler(io.BytesIO(content), **options).load()


UnpicklingError = pickle.UnpicklingError


def tensors_of(path: Path) -> Tensors:
    """All tensors of a .pt or .pth file by name: of a state_dict, or of a whole model that was pickled.

    `ema` (averaged weights) goes before `model` and `state_dict`. Raises pickle.UnpicklingError and what torch.load
    raises if the file is broken or does not say its tensors in one of the allowed ways.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old files carry their classes' source, which torch would compare
        content = torch.load(path, map_location="cpu", weights_only=False, pickle_module=sys.modules[__name__])
    return dict(_tensors(_weights(content)))


def _weights(content: Any) -> Any:
    """The part of a checkpoint that holds the weights."""
    for _ in range(_DEEPEST):  # a dictionary can hold itself
        if not isinstance(content, dict):
            return content
        inner = next((content[key] for key in _WEIGHTS if _holds(content.get(key))), None)
        if inner is None:
            return content
        content = inner[0] if isinstance(inner, tuple) else inner
    raise pickle.UnpicklingError("its dictionaries lie in one another without end")


_WEIGHTS = ("ema", "model", "state_dict", "model_state_dict")


def _holds(value: Any) -> bool:
    """Whether a checkpoint's entry is a model or a state_dict; YOLOv5 once kept (model, number of updates)."""
    if isinstance(value, tuple) and value:
        value = value[0]
    return (isinstance(value, dict) and bool(value)) or (isinstance(value, Stub) and "_modules" in value.attributes)


def _tensors(held: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, torch.Tensor]]:
    if depth > _DEEPEST:
        raise pickle.UnpicklingError("its modules lie in one another without end")
    if isinstance(held, Stub):
        yield from _of_module(held.attributes, prefix, depth)
    elif isinstance(held, Mapping):
        for name, value in held.items():
            if isinstance(value, torch.Tensor):
                yield f"{prefix}{name}", value


_DEEPEST = 64


def _of_module(attributes: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, torch.Tensor]]:
    """What state_dict() of the module would say: parameters, lasting buffers, and those of its children."""
    fleeting = attributes.get("_non_persistent_buffers_set")
    for kind in ("_parameters", "_buffers"):
        for name, value in _entries(attributes, kind):
            if isinstance(value, torch.Tensor) and not (isinstance(fleeting, set) and name in fleeting):
                yield f"{prefix}{name}", value
    for name, child in _entries(attributes, "_modules"):
        if isinstance(child, Stub):
            yield from _tensors(child, f"{prefix}{name}.", depth + 1)


def _entries(attributes: Mapping[str, Any], kind: str) -> list[tuple[Any, Any]]:
    entries = attributes.get(kind)
    return list(entries.items()) if isinstance(entries, Mapping) else []


def _tensor(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> torch.Tensor:
    """As torch._utils._rebuild_tensor_v2, without gradients, hooks and metadata."""
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if not isinstance(storage, torch.storage.TypedStorage):
        raise pickle.UnpicklingError("a tensor has no storage")
    if 0 not in size and (min((offset, *size, *stride)) < 0 or last >= storage._size()):
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    return torch._utils._rebuild_tensor(storage, offset, size, stride)  # type: ignore[no-any-return]


def _parameter(tensor: Any, *_: Any) -> Any:
    """As torch._utils._rebuild_parameter, a plain tensor."""
    return tensor


ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
}
