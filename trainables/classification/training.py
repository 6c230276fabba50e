"""The training loop: the same for a replicate, a tuning trial and a pretraining."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
import torch

from trainables.classification.augmentation import Augmentation
from trainables.classification.checkpoint import Best, restore_checkpoint, write_checkpoint
from trainables.classification.examples import Examples, batches
from trainables.classification.model import start_training
from trainables.classification.objective import Logits, Objective
from trainables.classification.seeds import random_numbers, seed_torch
from trainables.weights import Tensors

if TYPE_CHECKING:
    from trainables.classification.initialization import Start
    from trainables.data import JobData
    from trainables.task import Run

WARMUP = 0.05
"""Share of all steps during which the learning rate rises."""
LONGEST_STEP = 1.0
"""Gradients are shortened to this norm, so that the upper end of the learning rates trains badly but does train."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, whatever it starts from."""

    epochs: int
    learning_rate: float
    weight_decay: float
    augmentation: Augmentation
    seeds: tuple[int, ...]
    """Of the job; every random number follows from them, a purpose and the epoch."""


@dataclass(frozen=True)
class Trainer:
    """A network, its optimizer and its examples."""

    model: torch.nn.Module
    frozen: bool
    optimizer: torch.optim.Optimizer
    objective: Objective
    train: Examples
    validation: Examples
    recipe: Recipe

    @classmethod
    def prepare(
        cls,
        began: Start,
        recipe: Recipe,
        objective: Objective,
        regions: tuple[pl.DataFrame, pl.DataFrame],
        data: JobData,
        run: Run,
    ) -> Self:
        """Bring the pixels of training and validation regions to the device and set up the optimizer."""
        return cls(
            model=began.model,
            frozen=began.frozen,
            optimizer=optimizer_for(began.model, recipe.learning_rate, recipe.weight_decay),
            objective=objective,
            train=Examples.load(began.card, regions[0], data, run.device, reach=recipe.augmentation.reach),
            validation=Examples.load(began.card, regions[1], data, run.device),
            recipe=recipe,
        )

    def facts(self) -> dict[str, Any]:
        """What is about to happen, read back from the live objects, for the certificate."""
        parameters = list(self.model.parameters())
        group = self.optimizer.param_groups[0]
        return {
            "parameters_trainable": sum(each.numel() for each in parameters if each.requires_grad),
            "parameters_frozen": sum(each.numel() for each in parameters if not each.requires_grad),
            "optimizer": type(self.optimizer).__name__,
            "learning_rate": group["lr"],
            "weight_decay": group["weight_decay"],
            "augmentation": asdict(self.recipe.augmentation),
            "objective": self.objective.facts(),
            "regions": {"train": len(self.train.stack), "validation": len(self.validation.stack)},
            "autocast": str(precision(self.train.stack.pixels.device)).removeprefix("torch."),
        }

    def run(self, run: Run) -> Best:
        """Train from the newest checkpoint or from step 0; leaves the best epoch's weights in the model.

        Raises RuntimeError if not even the first epoch gave finite losses; a later one ends the training.
        """
        done, best = self._start(run)
        for epoch in range(done + 1, self.recipe.epochs + 1):
            train_loss = self._train_epoch(epoch)
            loss, value = self._validate()
            if not math.isfinite(train_loss + loss):
                run.certify({"diverged_in_epoch": epoch})
                break
            now = Best(value, loss, epoch, self._changing())
            if now.beats(best):
                best = Best(value, loss, epoch, {name: tensor.clone() for name, tensor in now.tensors.items()})
            rate = self.optimizer.param_groups[0]["lr"]
            losses = {"train/loss": train_loss, "validation/loss": loss}
            run.report(epoch, {**losses, f"validation/{self.objective.name}": value, "learning_rate": rate})
            # After the report: a kill between the two repeats an epoch, and leaves no gap in the journal.
            run.save_checkpoint(epoch, partial(self._write, epoch, best))
        if best is None:
            rate = self.recipe.learning_rate
            raise RuntimeError(f"The loss was not finite in the first epoch at learning rate {rate:g}.")
        self.model.load_state_dict(best.tensors, strict=False)
        return best

    def _start(self, run: Run) -> tuple[int, Best | None]:
        folder = run.newest_checkpoint()
        return (0, None) if folder is None else restore_checkpoint(folder, self.model, self.optimizer)

    def _write(self, epoch: int, best: Best | None, folder: Path) -> None:
        write_checkpoint(folder, epoch, self._changing(), self.optimizer, best)

    def _changing(self) -> Tensors:
        """The live tensors that training changes: all of them, or the trainable ones over a frozen backbone."""
        if self.frozen:
            return {name: value.detach() for name, value in self.model.named_parameters() if value.requires_grad}
        return dict(self.model.state_dict())

    def _train_epoch(self, epoch: int) -> float:
        """One pass over the training regions; the mean loss per region."""
        seed_torch(*self.recipe.seeds, "epoch", epoch)
        start_training(self.model, frozen=self.frozen)
        random = random_numbers(*self.recipe.seeds, "views", epoch)
        total = torch.zeros((), device=self.train.stack.pixels.device)
        for step, (inputs, labels) in enumerate(self.train.shuffled(self.recipe.augmentation, random)):
            self._set_rate(epoch, step)
            total += self._step(inputs, labels) * len(labels)
        return float(total) / len(self.train.stack)

    def _step(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        self.optimizer.zero_grad()
        with torch.autocast(
            inputs.device.type, dtype=precision(inputs.device), enabled=precision(inputs.device) != torch.float32
        ):
            logits = self.model(as_stored(inputs))
        loss = self.objective.loss(logits.float(), labels)
        torch.autograd.backward(loss)
        trained = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        torch.nn.utils.clip_grad_norm_(trained, LONGEST_STEP)
        self.optimizer.step()
        return loss.detach()

    def _set_rate(self, epoch: int, step: int) -> None:
        per_epoch = batches(len(self.train.stack))
        done = ((epoch - 1) * per_epoch + step) / (self.recipe.epochs * per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * rate_factor(done)

    def _validate(self) -> tuple[float, float]:
        """Loss over regions and value over images, NaN and 0 where the network gives no finite logits."""
        logits = logits_of(self.model, self.validation)
        if not np.isfinite(logits).all():
            return math.nan, 0.0
        labels = self.validation.labels
        assert labels is not None
        loss = self.objective.loss(torch.from_numpy(logits), labels.cpu())
        return float(loss), self.objective.value(logits, self.validation.regions)


def logits_of(model: torch.nn.Module, examples: Examples) -> Logits:
    """Logits (regions, outputs) of the unchanged regions, in full precision.

    Half precision would leave so few different logits that ties shape the ROC curve.
    """
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(as_stored(inputs)) for inputs in examples.in_order()]).double().cpu().numpy()


def rate_factor(done: float) -> float:
    """Share of the learning rate after a share of all steps: a short rise, then half a cosine to zero."""
    if done < WARMUP:
        return 0.1 + 0.9 * done / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (done - WARMUP) / (1 - WARMUP)))


def optimizer_for(model: torch.nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over what is trainable; weights decay, biases and normalization layers do not."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trainable if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trainable if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, fused=True)


def precision(device: torch.device) -> torch.dtype:
    """Of the forward pass in training: bfloat16 where a GPU has it; on CPUs it is several times slower."""
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32


def as_stored(inputs: torch.Tensor) -> torch.Tensor:
    """Inputs in the memory format that convolutions of the device read fastest."""
    return inputs.to(memory_format=torch.channels_last) if inputs.is_cuda else inputs
