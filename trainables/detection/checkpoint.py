"""Everything a killed training needs to go on exactly, as tensors and JSON.

Ultralytics' own last.pt is a pickle, halves weights and optimizer to 16 bit and keeps only the averaged weights: a
run that goes on from it ends elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from trainables.weights.loading import Tensors, read_weights, write_weights

TENSORS, VALUES = "state.safetensors", "state.json"


def write(
    folder: Path, tensors: Mapping[str, Tensors], optimizer: torch.optim.Optimizer, values: Mapping[str, Any]
) -> None:
    """Fill a folder with named groups of tensors, the optimizer's state and plain values."""
    steps = optimizer.state_dict()
    moments = {
        f"{index}.{name}": value
        for index, state in steps["state"].items()
        for name, value in state.items()
        if isinstance(value, torch.Tensor)
    }
    groups = {**tensors, "optimizer": moments}
    flat = {f"{group}/{name}": tensor for group, members in groups.items() for name, tensor in members.items()}
    write_weights(folder / TENSORS, flat)
    (folder / VALUES).write_text(json.dumps({**values, "param_groups": steps["param_groups"]}), encoding="utf-8")


def read_values(folder: Path) -> dict[str, Any]:
    """The plain values alone, such as the epoch."""
    values: dict[str, Any] = json.loads((folder / VALUES).read_text(encoding="utf-8"))
    return values


def read_tensors(folder: Path) -> dict[str, Tensors]:
    """The groups of tensors by name; the optimizer's are among them, see `restore_optimizer`."""
    groups: dict[str, Tensors] = {}
    for name, tensor in read_weights(folder / TENSORS).items():
        group, _, member = name.partition("/")
        groups.setdefault(group, {})[member] = tensor
    return groups


def restore_optimizer(optimizer: torch.optim.Optimizer, moments: Tensors, param_groups: list[dict[str, Any]]) -> None:
    """Give an optimizer over the same parameters the state that was written."""
    state: dict[int, Tensors] = {}
    for name, tensor in moments.items():
        index, _, member = name.partition(".")
        state.setdefault(int(index), {})[member] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": param_groups})
