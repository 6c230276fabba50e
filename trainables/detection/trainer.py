"""Ultralytics' training loop on films, with our data, our checkpoints and our choice of the best epoch."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import DetectionModel

from trainables.detection import checkpoint
from trainables.detection.certificate import start_facts
from trainables.detection.dataset import Film, FilmDataset, Pixels
from trainables.detection.network import backbone_layers, in_layers
from trainables.detection.recipe import Recipe, arguments, seed_of
from trainables.detection.validation import FilmValidator
from trainables.task import Run
from trainables.weights import Tensors, fingerprint

Rank = tuple[float, float]
"""How an epoch is ranked: image AUC (-1 where undefined), then mAP at IoU 0.5."""


class FilmTrainer(DetectionTrainer):
    """Trains a detector on some films and judges every epoch on others.

    Every epoch draws its random numbers from (seed, epoch) alone, so a run that goes on from a checkpoint sees what
    the undisturbed run would have seen. Without validation films the last epoch is the best.
    """

    amp: bool

    def __init__(
        self,
        recipe: Recipe,
        model: DetectionModel,
        parts: tuple[Sequence[Film], Sequence[Film]],
        read: Callable[[str, str], Pixels],
        run: Run,
    ) -> None:
        self.recipe, self.read, self.run = recipe, read, run
        self.films = dict(zip(("train", "val"), parts, strict=True))
        self.kept: Tensors = {}
        self.kept_rank: Rank | None = None
        self.kept_epoch = 0
        folder = run.folder.resolve() / "ultralytics"
        options = arguments(recipe, folder, run.device, backbone_layers(model), _precision(run.device))
        super().__init__(overrides=options)
        # Only what is below listens: Ultralytics' own callbacks are for loggers and its web platform.
        self.callbacks = defaultdict(list, on_train_epoch_start=[FilmTrainer.begin_epoch])
        self.model = model
        _shorten_memory(model, math.ceil(len(parts[0]) / recipe.batch_size))
        # Choosing a device sets torch to a thread count of Ultralytics' own.
        torch.set_num_threads(run.threads)

    def get_dataset(self) -> dict[str, Any]:
        """Class names and the two parts; there is no data file."""
        names = dict(enumerate(self.recipe.classes))
        return {"names": names, "nc": len(names), "channels": 3, "train": "train", "val": "val"}

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> FilmDataset:
        """The films of one part; whole squares, so that no score depends on the other films of a batch."""
        films = self.films[img_path] or self.films["train"]  # a loader must hold something, even if it is never read
        options = {"imgsz": self.args.imgsz, "augment": mode == "train", "hyp": self.args, "data": self.data}
        return FilmDataset(films, self.read, batch_size=batch, **options)

    def get_validator(self) -> FilmValidator:
        """The validator that keeps image scores."""
        return FilmValidator(self.test_loader, self.save_dir, copy(self.args), self.callbacks)

    def _do_train(self) -> None:
        """Train what is left; a run that was killed after its last epoch has nothing left."""
        self.checkpoint = self.run.newest_checkpoint()
        if self.checkpoint and checkpoint.read_values(self.checkpoint)["epoch"] >= self.epochs:
            self._setup_train()
        else:
            super()._do_train()

    def resume_training(self, ckpt: Any) -> None:
        """Certify what training starts from, then go on from this job's newest checkpoint if there is one."""
        self.frozen_at_start = fingerprint(self._frozen(self.model))
        self.run.certify(start_facts(self))
        if self.checkpoint is None:
            return
        values, tensors = checkpoint.read_values(self.checkpoint), checkpoint.read_tensors(self.checkpoint)
        self.model.load_state_dict(tensors["model"])
        self.ema.ema.load_state_dict(tensors["ema"])
        self.ema.updates = values["updates"]
        checkpoint.restore_optimizer(self.optimizer, tensors.get("optimizer", {}), values["param_groups"])
        self.scaler.load_state_dict(values["scaler"])
        self.kept, self.kept_epoch, self.kept_rank = tensors["best"], values["best_epoch"], tuple(values["best_rank"])
        self.start_epoch = values["epoch"]
        self._advance_criterion()

    def _advance_criterion(self) -> None:
        """Losses of two-headed detectors shift their weight with every epoch."""
        self.model.criterion = self.model.init_criterion()
        if hasattr(self.model.criterion, "update"):
            self.model.criterion.updates = self.start_epoch - 1
            self.model.criterion.update()

    def begin_epoch(self) -> None:
        """Seed everything from the epoch, and refuse the library's silent halving of the batch."""
        seed = seed_of(self.recipe.seed, self.epoch)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - Ultralytics draws from the global state
        torch.manual_seed(seed)
        self.train_loader.generator.manual_seed(seed)
        self.train_loader.reset()
        self._oom_retries = 3

    def validate(self) -> tuple[dict[str, float], float]:
        """Metrics of the averaged weights, in full precision as in prediction."""
        if not self.films["val"]:
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
        """End an epoch: keep it if it is the best, then report and leave a checkpoint.

        A training that diverges ends before this epoch; RuntimeError if that is the first.
        """
        if not self._is_finite():
            if not self.kept:
                raise RuntimeError(
                    f"Training diverged in the first epoch at learning rate {self.recipe.learning_rate:g}."
                )
            self.stop = True
            return False
        rank = self.metrics.get("auc", -1.0), self.metrics.get("metrics/mAP50(B)", 0.0)
        if self.kept_rank is None or rank > self.kept_rank or not self.films["val"]:
            self.kept_rank, self.kept_epoch = rank, self.epoch + 1
            self.kept = {name: tensor.detach().cpu().clone() for name, tensor in self.ema.ema.state_dict().items()}
        # In this order: a job killed in between repeats the epoch, in the other its journal would lack it.
        self.run.report(self.epoch + 1, self._reported())
        self.run.save_checkpoint(self.epoch + 1, self._write_checkpoint)
        return False

    def _is_finite(self) -> bool:
        """Of the losses and of the averaged weights: batch norm can hide infinite activations from the loss."""
        losses, averages = self.tloss.values(), self.ema.ema.state_dict().values()
        return all(bool(torch.isfinite(tensor).all()) for tensor in (*losses, *averages))

    def _reported(self) -> dict[str, float]:
        values = {f"train/{name}": float(value) for name, value in self.tloss.items()}
        values["learning_rate"] = float(self.optimizer.param_groups[0]["lr"])
        names = {"metrics/mAP50(B)": "map50", "metrics/mAP50-95(B)": "map50_95", "auc": "auc"}
        losses = {f"val/{name}": name for name in self.tloss}
        for theirs, ours in {**names, **losses}.items():
            if theirs in self.metrics:
                values[f"validation/{ours}"] = float(self.metrics[theirs])
        return values

    def _write_checkpoint(self, folder: Path) -> None:
        tensors = {"model": self.model.state_dict(), "ema": self.ema.ema.state_dict(), "best": self.kept}
        values = {
            "epoch": self.epoch + 1,
            "updates": self.ema.updates,
            "best_epoch": self.kept_epoch,
            "best_rank": self.kept_rank,
            "scaler": self.scaler.state_dict(),
        }
        checkpoint.write(folder, tensors, self.optimizer, values)

    def check_frozen(self) -> None:
        """RuntimeError unless frozen weights and batch-norm statistics are as at the start, also in the average."""
        for name, module in (("model", self.model), ("averaged model", self.ema.ema)):
            if fingerprint(self._frozen(module)) != self.frozen_at_start:
                raise RuntimeError(f"frozen tensors of the {name} changed during training")

    def _frozen(self, model: DetectionModel) -> Tensors:
        first = backbone_layers(model) if self.recipe.frozen else 0
        return {name: tensor for name, tensor in model.state_dict().items() if in_layers(name, first)}


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
