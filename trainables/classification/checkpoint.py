"""All that a stopped training needs to go on to the very same weights: tensors and JSON, no pickle.

No random states are kept: every epoch starts its own from the job's seed, the fold and its number.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch

from trainables.weights.loading import Tensors, read_weights, write_weights

if TYPE_CHECKING:
    from trainables.task import Run

LARGEST_COST = 0.05
"""Of a training's time that its checkpoints may take on a slow disk."""
ALWAYS = 0.25
"""Seconds; a checkpoint that takes no longer is written after every epoch."""


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

    def kept(self) -> Self:
        """With tensors of its own, which training does not change any more."""
        return replace(self, tensors={name: tensor.clone() for name, tensor in self.tensors.items()})


@dataclass(frozen=True)
class Progress:
    """How far a training came."""

    epoch: int = 0
    best: Best | None = None
    """Of the phase that `epoch` belongs to."""
    probe: str = ""
    """Fingerprint of the backbone at the end of a probe, for the certificate."""


@dataclass(frozen=True)
class Learner:
    """What a checkpoint holds besides progress."""

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    average: torch.nn.Module | None
    changing: Callable[[torch.nn.Module], Tensors]
    """The live tensors of a network that training changes."""

    def write(self, folder: Path, progress: Progress) -> None:
        """Fill a folder after an epoch."""
        write_weights(folder / "model.safetensors", self.changing(self.model))
        if self.average is not None:
            write_weights(folder / "average.safetensors", self.changing(self.average))
        moments = {
            f"{index}.{name}": value
            for index, state in self.optimizer.state_dict()["state"].items()
            for name, value in state.items()
        }
        write_weights(folder / "optimizer.safetensors", moments)
        best = progress.best
        if best is not None:
            write_weights(folder / "best.safetensors", best.tensors)
        values = None if best is None else {"value": best.value, "loss": best.loss, "epoch": best.epoch}
        state = {"epoch": progress.epoch, "best": values, "probe": progress.probe}
        (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")


def read_progress(folder: Path) -> Progress:
    """How far the training came that left a checkpoint."""
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    if state["best"] is None:
        return Progress(state["epoch"], None, state["probe"])
    best = Best(**state["best"], tensors=read_weights(folder / "best.safetensors"))
    return Progress(state["epoch"], best, state["probe"])


def restore_weights(folder: Path, model: torch.nn.Module, average: torch.nn.Module | None) -> None:
    """Bring a network and its average to where the checkpoint was written."""
    model.load_state_dict(read_weights(folder / "model.safetensors"), strict=False)
    if average is not None:
        average.load_state_dict(read_weights(folder / "average.safetensors"), strict=False)


def restore_optimizer(folder: Path, optimizer: torch.optim.Optimizer) -> None:
    """Bring an optimizer of the same phase to where the checkpoint was written."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments: dict[int, Tensors] = {}
    for name, value in read_weights(folder / "optimizer.safetensors").items():
        index, _, moment = name.partition(".")
        moments.setdefault(int(index), {})[moment] = _laid_out(value, parameters[int(index)])
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})


@dataclass
class Saver:
    """Writes checkpoints after every epoch, or more seldom where the disk is so slow that they would cost too much."""

    run: Run
    clock: Callable[[], float] = time.monotonic
    _began: float = 0.0
    _took: float = 0.0

    def save(self, epoch: int, write: Callable[[Path], None], *, is_last: bool) -> None:
        """Save, unless the last one took long and was not long ago; the last epoch of an attempt is always kept."""
        waits = self._took > ALWAYS and self.clock() - self._began < self._took / LARGEST_COST
        if waits and not is_last:
            return
        self._began = self.clock()
        self.run.save_checkpoint(epoch, write)
        self._took = self.clock() - self._began


def _laid_out(value: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """In the memory format of its parameter: the fused optimizer pairs them byte by byte."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, device="cpu", dtype=value.dtype).copy_(value)
