"""One replicate or tuning trial, from its images to its published network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cohorts.regions import region_table
from search_spaces.hyperparameters import settings
from trainables.classification.initialization import start
from trainables.classification.model import ModelCard, write_model
from trainables.classification.objective import malignancy
from trainables.classification.recipe import Recipe
from trainables.classification.seeds import be_deterministic
from trainables.classification.training import Trainer
from trainables.memory import with_smaller_parts

if TYPE_CHECKING:
    from trainables.data import JobData
    from trainables.task import Job, Run


def fit(job: Job, data: JobData, run: Run) -> None:
    """Train on `train`, choose the epoch on `validation`; leaves model, certificate and result."""
    be_deterministic(run.threads)
    with_smaller_parts(run, lambda parts: _fit(job, data, run, parts))


def _fit(job: Job, data: JobData, run: Run, parts: int) -> None:
    began = start(job, run)
    run.certify(began.facts())
    train, validation = (_regions(began.card, data, role) for role in ("train", "validation"))
    chosen = settings("classification", job["hyperparameters"])
    objective = malignancy(
        train,
        validation,
        class_weighting=chosen["class_weighting"],
        label_smoothing=chosen["label_smoothing"],
    )
    trainer = Trainer.prepare(began, Recipe.of(job, parts), objective, (train, validation), data, run)
    best = trainer.run(run)
    run.certify(began.finish(trainer.averaged))
    write_model(run.folder, began.card, began.model.state_dict())
    run.set_result({"value": best.value, "epoch": best.epoch})


def _regions(card: ModelCard, data: JobData, role: str) -> pl.DataFrame:
    images = data.images.filter(pl.col("role") == role)
    return region_table(images, data.boxes, region=card.region, margin=card.margin)
