"""Ultralytics' training loop on films, with our data, our checkpoints and our choice of the best epoch."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import DetectionModel

from trainables.detection import checkpoint
from trainables.detection.arguments import arguments
from trainables.detection.best import Best
from trainables.detection.certificate import backbone_print, live_facts
from trainables.detection.dataset import FilmDataset, TrainingFilms
from trainables.detection.phases import Phase
from trainables.detection.recipe import Recipe, seed_of
from trainables.detection.stages import decay_by_depth
from trainables.detection.validation import FilmValidator
from trainables.task import Run


class FilmTrainer(DetectionTrainer):
    """Trains a detector through one phase and judges every epoch on other films.

    Every epoch draws its random numbers from (seed, epoch) alone, so a run that goes on from a checkpoint sees what
    the undisturbed run would have seen. Without validation films the last epoch is the best. A batch goes through the
    network in `parts`, whose gradients are added before the step.
    """

    amp: bool
    epoch: int
    start_epoch: int
    """Both counted from 0 within the phase."""

    def __init__(
        self,
        recipe: Recipe,
        phase: Phase,
        model: DetectionModel,
        films: TrainingFilms,
        run: Run,
        *,
        parts: int = 1,
        newest: Path | None = None,
    ) -> None:
        self.recipe, self.phase, self.films, self.run = recipe, phase, films, run
        self.parts, self.newest = parts, newest
        self.best_so_far: Best | None = None
        self.diverged = False
        batch = max(1, recipe.batch_size // parts)
        folder = run.folder.resolve() / "ultralytics"
        super().__init__(overrides=arguments(recipe, phase, batch, folder, run.device, _precision(run.device)))
        # Only what is below listens: Ultralytics' own callbacks are for loggers and its web platform.
        self.callbacks = defaultdict(list, on_train_epoch_start=[FilmTrainer.begin_epoch])
        self.model = model.requires_grad_(True)
        model.criterion = None  # of the phase before, if there was one; the average would copy it
        _shorten_memory(model, math.ceil(len(films.train) / batch))
        # Choosing a device sets torch to a thread count of Ultralytics' own.
        torch.set_num_threads(run.threads)

    @property
    def epochs_done(self) -> int:
        """Epochs behind the training, counted over all phases, at the end of the current one."""
        return self.phase.first + self.epoch + 1

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps, the last of them perhaps of a smaller batch."""
        return math.ceil(len(self.train_loader) / self.parts)

    def get_dataset(self) -> dict[str, Any]:
        """Class names and the two parts; there is no data file."""
        names = dict(enumerate(self.recipe.classes))
        return {"names": names, "nc": len(names), "channels": 3, "train": "train", "val": "val"}

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> FilmDataset:
        """The films of one part; whole squares, so that no score depends on the other films of a batch."""
        # A loader must hold something, even if it is never read.
        films = self.films.validation if mode == "val" and self.films.validation else self.films.train
        options = {"imgsz": self.args.imgsz, "augment": mode == "train", "hyp": self.args, "data": self.data}
        return FilmDataset(films, self.films.read, batch_size=batch, **options)

    def get_validator(self) -> FilmValidator:
        """The validator that keeps image scores."""
        return FilmValidator(self.recipe.score, self.test_loader, self.save_dir, copy(self.args), self.callbacks)

    def build_optimizer(self, *args: Any, **options: Any) -> torch.optim.Optimizer:
        """Ultralytics' groups of weights, norms and biases, with smaller learning rates towards the input if asked."""
        optimizer: torch.optim.Optimizer = super().build_optimizer(*args, **options)
        if self.recipe.layer_decay != 1:
            decay_by_depth(optimizer, self.model, self.recipe.layer_decay)
        return optimizer

    def _do_train(self) -> None:
        """Train what is left; a run that was killed after its last epoch has nothing left."""
        done = checkpoint.read_values(self.newest) if self.newest else None
        if done and self._is_over(done["epoch"], done["best_epoch"]):
            self._setup_train()
        else:
            super()._do_train()

    def _is_over(self, epoch: int, best_epoch: int) -> bool:
        """Whether this phase ends with an epoch; it follows from the epochs alone, so a resumed run ends alike."""
        if epoch >= min(self.recipe.until, self.phase.end):
            return True
        if self.recipe.patience is None or not self.phase.is_last:
            return False
        return epoch - max(best_epoch, self.phase.first) >= self.recipe.patience

    def resume_training(self, ckpt: Any) -> None:
        """Certify what trains, then go on from this job's newest checkpoint if there is one."""
        self.run.certify(live_facts(self))
        if self.newest is not None:
            self._restore(self.newest)
        if self.start_epoch == 0:
            self.backbone_at_start = backbone_print(self.model)
        self._advance_criterion()

    def _restore(self, folder: Path) -> None:
        values, tensors = checkpoint.read_values(folder), checkpoint.read_tensors(folder)
        self.model.load_state_dict(tensors["model"])
        if values["epoch"] == self.phase.first:  # the phase before left it: average, optimizer and best begin anew
            self.ema.ema.load_state_dict(tensors["model"])
            return
        self.best_so_far = Best(values["best_epoch"], tuple(values["best_rank"]), tensors["best"])
        self.ema.ema.load_state_dict(tensors["ema"])
        self.ema.updates = values["updates"]
        checkpoint.restore_optimizer(self.optimizer, tensors.get("optimizer", {}), values["param_groups"])
        self.scaler.load_state_dict(values["scaler"])
        self.backbone_at_start = values["backbone_at_start"]
        self.start_epoch = values["epoch"] - self.phase.first

    def _advance_criterion(self) -> None:
        """Losses of two-headed detectors shift their weight with every epoch."""
        self.model.criterion = self.model.init_criterion()
        if hasattr(self.model.criterion, "update"):
            self.model.criterion.updates = self.start_epoch - 1
            self.model.criterion.update()

    def begin_epoch(self) -> None:
        """Seed everything from the epoch, and refuse the library's silent halving of the batch."""
        seed = seed_of(self.recipe.seed, self.phase.first + self.epoch)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - Ultralytics draws from the global state
        torch.manual_seed(seed)
        self.train_loader.generator.manual_seed(seed)
        self.train_loader.reset()
        self._oom_retries = 3
        self.parts_seen = 0

    def optimizer_step(self) -> None:
        """Step once a batch's parts are together; what an epoch's end leaves over makes a smaller batch."""
        self.parts_seen += 1
        if self.parts_seen % self.parts == 0 or self.parts_seen == len(self.train_loader):
            super().optimizer_step()

    def validate(self) -> tuple[dict[str, float], float]:
        """Metrics of the averaged weights, in full precision as in prediction."""
        if not self.films.validation:
            return {}, 0.0
        mixed, self.amp = self.amp, False
        metrics, fitness = super().validate()
        self.amp = mixed
        auc = self.validator.image_auc()
        return metrics if auc is None else {**metrics, "auc": auc}, fitness

    def final_eval(self) -> None:
        """Nothing: the best epoch has been judged, and its weights are kept."""

    def save_metrics(self, metrics: dict[str, float]) -> None:
        """Nothing: the journal is the run's."""

    def _handle_nan_recovery(self, epoch: int) -> bool:
        """Nothing: going back to an earlier epoch would hide that training diverged."""
        return False

    def save_model(self) -> bool:
        """End an epoch: keep it if it is the phase's best, then report and leave a checkpoint.

        A training that diverges ends before this epoch; RuntimeError if its last phase has no epoch before it.
        """
        if not self._is_finite():
            self._end_diverged()
            return False
        rank = self.metrics.get("auc", -1.0), self.metrics.get("metrics/mAP50(B)", 0.0)
        if self.best_so_far is None or rank > self.best_so_far.rank or not self.films.validation:
            averages = {name: tensor.detach().cpu().clone() for name, tensor in self.ema.ema.state_dict().items()}
            self.best_so_far = Best(self.epochs_done, rank, averages)
        # In this order: a job killed in between repeats the epoch, in the other its journal would lack it.
        self.run.report(self.epochs_done, self._reported())
        self.run.save_checkpoint(self.epochs_done, self._write_checkpoint)
        self.stop |= self._is_over(self.epochs_done, self.best_so_far.epoch)
        return False

    def _is_finite(self) -> bool:
        """Of the losses and of the averaged weights: batch norm can hide infinite activations from the loss."""
        losses, averages = self.tloss.values(), self.ema.ema.state_dict().values()
        return all(bool(torch.isfinite(tensor).all()) for tensor in (*losses, *averages))

    def _end_diverged(self) -> None:
        # What a probe left is no transfer, however good it was.
        ends_too_early = not self.phase.is_last and self.phase.end < self.recipe.until
        if self.best_so_far is None or ends_too_early:
            raise RuntimeError(
                f"Training diverged in epoch {self.epochs_done} at learning rate {self.recipe.learning_rate:g}, "
                "before an epoch that could be published."
            )
        self.run.certify({"diverged_in_epoch": self.epochs_done})
        self.diverged = self.stop = True

    def _reported(self) -> dict[str, float]:
        values = {f"train/{name}": float(value) for name, value in self.tloss.items()}
        values["learning_rate"] = max(float(group["lr"]) for group in self.optimizer.param_groups)
        names = {"metrics/mAP50(B)": "map50", "metrics/mAP50-95(B)": "map50_95", "auc": "auc"}
        losses = {f"val/{name}": name for name in self.tloss}
        for theirs, ours in {**names, **losses}.items():
            if theirs in self.metrics:
                values[f"validation/{ours}"] = float(self.metrics[theirs])
        return values

    def _write_checkpoint(self, folder: Path) -> None:
        best = self.best_so_far
        assert best is not None, "an epoch has ended"
        tensors = {"model": self.model.state_dict(), "ema": self.ema.ema.state_dict(), "best": best.tensors}
        values = {
            "epoch": self.epochs_done,
            "updates": self.ema.updates,
            "best_epoch": best.epoch,
            "best_rank": best.rank,
            "scaler": self.scaler.state_dict(),
            "backbone_at_start": self.backbone_at_start,
        }
        checkpoint.write(folder, tensors, self.optimizer, values)


def _precision(device: str) -> str | bool:
    """bfloat16 on GPUs that have it: Ultralytics' float16 is checked against a model that it would download."""
    on_gpu = device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if on_gpu else False


def _shorten_memory(model: DetectionModel, steps_per_epoch: int) -> None:
    """Let batch norm's averages reach back about half an epoch, 5 to 33 steps.

    Ultralytics' 33 steps are longer than the whole training on a few dozen films: detectors that had learned their
    task scored every validation film alike, because the averages were still those of the initialization.
    (Its average of the weights needs no such care: after n steps it decays by 1 - exp(-n / 2000), so short trainings
    end with their last weights.)
    """
    momentum = min(0.2, max(0.03, 2 / steps_per_epoch))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = momentum
