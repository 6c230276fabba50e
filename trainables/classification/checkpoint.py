"""All that a stopped training needs to go on to the very same weights: tensors and JSON, no pickle.

No random states are kept: every epoch starts its own from the job's seed, the fold and its number.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch

from trainables.weights import Tensors, read_weights, write_weights


@dataclass(frozen=True)
class Best:
    """The best epoch so far; `tensors` are those that training changes."""

    value: float
    loss: float
    epoch: int
    tensors: Tensors = field(repr=False)

    def beats(self, other: Best | None) -> bool:
        """A higher value wins, then a lower loss, then the earlier epoch."""
        return other is None or (-self.value, self.loss, self.epoch) < (-other.value, other.loss, other.epoch)


def write_checkpoint(
    folder: Path, epoch: int, live: Tensors, optimizer: torch.optim.Optimizer, best: Best | None
) -> None:
    """Fill a folder after an epoch; `live` are the tensors that training changes."""
    write_weights(folder / "model.safetensors", live)
    moments = {
        f"{index}.{name}": value
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    write_weights(folder / "optimizer.safetensors", moments)
    if best is not None:
        write_weights(folder / "best.safetensors", best.tensors)
    values = None if best is None else {"value": best.value, "loss": best.loss, "epoch": best.epoch}
    (folder / "state.json").write_text(json.dumps({"epoch": epoch, "best": values}), encoding="utf-8")


def restore_checkpoint(
    folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, Best | None]:
    """Bring model and optimizer to where the checkpoint was written; returns its epoch and the best one so far."""
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    model.load_state_dict(read_weights(folder / "model.safetensors"), strict=False)
    moments: dict[int, Tensors] = {}
    for name, value in read_weights(folder / "optimizer.safetensors").items():
        index, _, moment = name.partition(".")
        moments.setdefault(int(index), {})[moment] = value
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    if state["best"] is None:
        return state["epoch"], None
    return state["epoch"], Best(**state["best"], tensors=read_weights(folder / "best.safetensors"))
