"""The training loop: the same for a replicate, a tuning trial and a pretraining."""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
import torch

from trainables.classification.averaging import Average
from trainables.classification.checkpoint import (
    Best,
    Learner,
    Progress,
    Saver,
    read_progress,
    restore_optimizer,
    restore_weights,
)
from trainables.classification.examples import Examples
from trainables.classification.model import backbone_tensors
from trainables.classification.objective import Objective
from trainables.classification.optimizer import highest, optimizer_for, set_rate, shorten_and_step
from trainables.classification.pace import Network, Way, pace_of
from trainables.classification.recipe import Recipe
from trainables.classification.schedule import Phase, left_over, rate_factor
from trainables.classification.scoring import logits_of
from trainables.classification.seeds import random_numbers, seed_torch
from trainables.classification.stages import freeze, start_training
from trainables.weights.loading import Tensors, fingerprint

if TYPE_CHECKING:
    from trainables.classification.initialization import Start
    from trainables.data import JobData
    from trainables.task import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trainer:
    """A network, what it is trained for and on, and how."""

    model: torch.nn.Module
    objective: Objective
    train: Examples
    validation: Examples
    recipe: Recipe
    phases: tuple[Phase, ...]
    way: Way
    network: Network
    """The model as training steps call it."""
    average: Average | None

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
        """Bring the pixels of training and validation regions to the device, and choose how steps are computed."""
        train = Examples.load(began.card, regions[0], data, run.device, reach=recipe.augmentation.reach)
        validation = Examples.load(began.card, regions[1], data, run.device)
        pace = pace_of(began, train, objective, recipe, run)
        pixels = {"train": train.stack.facts(), "validation": validation.stack.facts()}
        log.info("Pixels: %s. Pace: %s.", pixels, pace["way"])
        run.certify(
            {
                "augmentation": asdict(recipe.augmentation),
                "objective": objective.facts(),
                "regions": {"train": len(train.stack), "validation": len(validation.stack)},
                "batch": asdict(recipe.batches),
                "ema": recipe.ema,
                "pixels": pixels,
                "pace": pace,
            }
        )
        way = Way(**pace["way"])
        network, phases = way.prepare(began.model), began.phases(recipe.epochs)
        average = Average.of(began.model, recipe.ema)
        return cls(began.model, objective, train, validation, recipe, phases, way, network, average)

    def run(self, run: Run) -> Best:
        """Train from the newest checkpoint or from step 0; leaves the best epoch's weights in the model.

        Raises RuntimeError if not even the first epoch gave finite losses; a later one ends the training.
        """
        folder = run.newest_checkpoint()
        progress = Progress() if folder is None else self._restored(folder)
        saver, ahead = Saver(run), left_over(self.phases, progress.epoch, self.recipe.until)
        for phase in ahead:
            optimizer, progress = self._enter(phase, progress, folder)
            run.certify(self._facts(optimizer))
            progress = self._go_through(phase, optimizer, progress, saver)
        probe = self._of_backbone() if ahead[-1].is_probe else progress.probe
        run.certify({"epochs_trained": progress.epoch, **({"fingerprint_probe": probe} if probe else {})})
        if progress.best is None:
            rate = self.recipe.learning_rate
            raise RuntimeError(f"The loss was not finite in the first epoch at learning rate {rate:g}.")
        self.model.load_state_dict(progress.best.tensors, strict=False)
        return progress.best

    def _restored(self, folder: Path) -> Progress:
        restore_weights(folder, self.model, self.averaged)
        return read_progress(folder)

    def _enter(self, phase: Phase, progress: Progress, folder: Path | None) -> tuple[torch.optim.Optimizer, Progress]:
        """A phase's optimizer; in the middle of the phase as it was, at its start new, with no best epoch yet."""
        freeze(self.model, phase.frozen)
        recipe = self.recipe
        optimizer = optimizer_for(self.model, recipe.learning_rate, recipe.weight_decay, recipe.layer_decay)
        if progress.epoch < phase.first:
            probe = "" if phase is self.phases[0] else self._of_backbone()
            return optimizer, replace(progress, best=None, probe=probe)
        assert folder is not None, "only a checkpoint's progress lies within a phase"
        restore_optimizer(folder, optimizer)
        return optimizer, progress

    def _facts(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """What is about to happen, read back from the live objects, for the certificate; the last phase's stays."""
        parameters = list(self.model.parameters())
        return {
            "parameters_trainable": sum(each.numel() for each in parameters if each.requires_grad),
            "parameters_frozen": sum(each.numel() for each in parameters if not each.requires_grad),
            "optimizer": type(optimizer).__name__,
            "learning_rate": highest(optimizer, "initial_lr"),
            "weight_decay": highest(optimizer, "weight_decay"),
        }

    def _go_through(self, phase: Phase, optimizer: torch.optim.Optimizer, progress: Progress, saver: Saver) -> Progress:
        """Train the epochs of a phase that lie ahead, until its end, the attempt's, or patience's."""
        last, run = min(phase.last, self.recipe.until), saver.run
        learner = Learner(self.model, optimizer, self.averaged, self._changing)
        for epoch in range(max(progress.epoch + 1, phase.first), last + 1):
            if self._has_waited(phase, progress):
                break
            train_loss = self.train_epoch(phase, optimizer, epoch)
            loss, value = self._validate()
            if not math.isfinite(train_loss + loss):
                run.certify({"diverged_in_epoch": epoch})
                if phase.last < self.recipe.until:
                    raise RuntimeError(f"The loss was not finite in epoch {epoch}, before the backbone was trained.")
                break
            now = Best(value, loss, epoch, self._changing(self.averaged or self.model))
            progress = replace(progress, epoch=epoch, best=now.kept() if now.beats(progress.best) else progress.best)
            losses = {"train/loss": train_loss, "validation/loss": loss}
            rate = highest(optimizer, "lr")
            run.report(epoch, {**losses, f"validation/{self.objective.name}": value, "learning_rate": rate})
            # After the report: a kill between the two repeats an epoch, and leaves no gap in the journal.
            write = partial(learner.write, progress=progress)
            saver.save(epoch, write, is_last=epoch == self.recipe.until)
        return progress

    def _has_waited(self, phase: Phase, progress: Progress) -> bool:
        """Whether patience has run out; it follows from two epochs, so a resumed training stops at the same one."""
        if self.recipe.patience is None or progress.best is None or phase is not self.phases[-1]:
            return False
        return progress.epoch - progress.best.epoch >= self.recipe.patience

    def _changing(self, model: torch.nn.Module) -> Tensors:
        """The live tensors that training changes in any phase."""
        kept = self.phases[-1].frozen
        return {name: value for name, value in model.state_dict().items() if name not in kept}

    def _of_backbone(self) -> str:
        return fingerprint(backbone_tensors(self.model))

    def train_epoch(self, phase: Phase, optimizer: torch.optim.Optimizer, epoch: int) -> float:
        """One pass over the training regions; the mean loss per region."""
        recipe = self.recipe
        seed_torch(*recipe.seeds, "epoch", epoch)
        start_training(self.model, phase.frozen)
        random = random_numbers(*recipe.seeds, "views", epoch)
        count = recipe.batches.per_epoch(len(self.train.stack))
        total = torch.zeros((), device=self.train.stack.device)
        for step, (inputs, labels) in enumerate(self.train.shuffled(recipe.augmentation, random, recipe.batches)):
            factor = rate_factor(recipe.schedule, phase.done(epoch, step / count))
            set_rate(optimizer, recipe.learning_rate * factor)
            total += self.gather_gradient(inputs, labels) * len(labels)
            shorten_and_step(optimizer)
            if self.average is not None:
                self.average.follow(self.model, (epoch - 1) * count + step + 1)
        return float(total) / len(self.train.stack)

    def gather_gradient(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Gather the gradient of a batch's mean loss, part by part; returns the loss."""
        parts = self.recipe.batches.of_step(len(labels))
        total = torch.zeros((), device=inputs.device)
        for part, known in zip(inputs.tensor_split(parts), labels.tensor_split(parts), strict=True):
            loss = self.objective.loss(self.way.logits(self.network, part), known) * (len(known) / len(labels))
            torch.autograd.backward(loss)
            total += loss.detach()
        return total

    @property
    def averaged(self) -> torch.nn.Module | None:
        """The copy that is validated and published instead of the network, where there is one."""
        return None if self.average is None else self.average.model

    def _validate(self) -> tuple[float, float]:
        """Loss over regions and value over images, NaN and 0 where the network gives no finite logits."""
        logits = logits_of(self.averaged or self.model, self.validation)
        if not np.isfinite(logits).all():
            return math.nan, 0.0
        labels = self.validation.labels
        assert labels is not None
        loss = self.objective.loss(torch.from_numpy(logits), labels.cpu())
        return float(loss), self.objective.value(logits, self.validation.regions)
