"""A training epoch as jobs run it against bare forward and backward passes on inputs that lie in memory.

The ratio holds all that a job adds: gathering, augmenting, sampling and normalizing regions, clipping gradients, the
optimizer's step. Aim: at most 1.15. Beside it the ratio to bare passes with the optimizer's step.
Usage: python benchmarks/input_pipeline.py [images] [rounds]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from cohorts.regions import region_table
from trainables.classification.augmentation import Augmentation
from trainables.classification.examples import Examples
from trainables.classification.model import ModelCard, build
from trainables.classification.objective import Malignancy
from trainables.classification.optimizer import optimizer_for
from trainables.classification.pace import PLAIN
from trainables.classification.recipe import Recipe
from trainables.classification.schedule import Phase
from trainables.classification.seeds import be_deterministic
from trainables.classification.training import Trainer
from trainables.data import JobData
from trainables.sampling import Normalization

NETWORKS = (("resnet10t", 64), ("test_resnet", 96))
STORED = 512


@dataclass
class OneImage:
    """A store whose every image is the same noise."""

    pixels: npt.NDArray[np.uint16]

    def read(self, image: str) -> npt.NDArray[np.uint16]:
        """The image."""
        return self.pixels


def main() -> None:
    """Print seconds of CPU per epoch, both ways, their ratio, and what the inputs alone take."""
    images, rounds = (int(value) for value in (*sys.argv[1:3], *("128", "5")[len(sys.argv) - 1 :]))
    be_deterministic(threads=1)
    for region in ("image", "box"):
        for backbone, size in NETWORKS:
            plain, stepped, whole, reading = measured(prepared(backbone, size, region, images), rounds)
            print(
                f"{backbone} {size} px, region {region}: bare {plain:.3f} s, epoch {whole:.3f} s, "
                f"ratio {whole / plain:.3f}, with the optimizer's step {whole / stepped:.3f}; "
                f"inputs alone {reading / plain:.1%} of bare"
            )


def measured(trainer: Trainer, rounds: int) -> list[float]:
    """CPU seconds of a bare epoch, one with steps, a whole one, and its inputs: the fastest of interleaved rounds."""
    batches, optimizer = inputs(trainer), optimizer_for(trainer.model, 1e-3, 1e-2)
    works: list[Callable[[], object]] = [
        lambda: bare(trainer, batches),
        lambda: bare(trainer, batches, optimizer),
        lambda: trainer.train_epoch(trainer.phases[0], optimizer, 1),
        lambda: inputs(trainer),
    ]
    return [min(times) for times in zip(*([seconds(work) for work in works] for _ in range(rounds)), strict=True)]


def prepared(backbone: str, size: int, region: str, count: int) -> Trainer:
    """A trainer over `count` stored images of 512 x 410 pixels with one box each."""
    random = np.random.default_rng(0)
    store = OneImage(random.integers(0, 65536, (STORED, STORED * 4 // 5)).astype(np.uint16))
    names = [f"i{number}" for number in range(count)]
    table = pl.DataFrame({"image": names, "patient": names, "center": "a", "height": STORED, "width": STORED * 4 // 5})
    corner, side = random.uniform(0, 200, (2, count)), random.uniform(60, 200, count)
    boxes = pl.DataFrame({"image": names, "box": 0, "x0": corner[0], "y0": corner[1]})
    boxes = boxes.with_columns(x1=pl.col("x0") + side, y1=pl.col("y0") + side)
    data = JobData(table, boxes, {"a": store})  # type: ignore[dict-item]
    card = ModelCard(backbone, size, 1, Normalization(), region, 0.2)  # type: ignore[arg-type]
    labeled = region_table(table, boxes, region=card.region, margin=card.margin).with_columns(
        label=pl.int_range(pl.len()) % 2
    )
    recipe = Recipe(1, 1e-3, 1e-2, Augmentation.of_strength(0.5), (0, 0), until=1)
    model = build(card)
    examples = Examples.load(card, labeled, data, "cpu", recipe.augmentation.reach)
    phases = (Phase(1, 1, frozenset()),)
    return Trainer(model, Malignancy(1.0), examples, examples, recipe, phases, PLAIN, model, None)


def inputs(trainer: Trainer) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """All batches of one epoch."""
    return list(trainer.train.shuffled(trainer.recipe.augmentation, np.random.default_rng(0), trainer.recipe.batches))


def bare(
    trainer: Trainer,
    batches: list[tuple[torch.Tensor, torch.Tensor]],
    optimizer: torch.optim.Optimizer | None = None,
) -> None:
    """Forward, loss and backward over given batches, and the optimizer's step where there is one."""
    trainer.model.train()
    for values, labels in batches:
        trainer.model.zero_grad()
        torch.autograd.backward(trainer.objective.loss(trainer.model(values), labels))
        if optimizer is not None:
            optimizer.step()


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process: the wall clock also counts what other programs do."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


if __name__ == "__main__":
    main()
