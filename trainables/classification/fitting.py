"""One replicate or tuning trial, from its images to its published network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cohorts.regions import region_table
from search_spaces.hyperparameters import settings
from trainables.classification.augmentation import Augmentation
from trainables.classification.initialization import start
from trainables.classification.model import ModelCard, write_model
from trainables.classification.objective import malignancy
from trainables.classification.seeds import be_deterministic
from trainables.classification.training import Recipe, Trainer

if TYPE_CHECKING:
    from trainables.data import JobData
    from trainables.task import Job, Run


def fit(job: Job, data: JobData, run: Run) -> None:
    """Train on `train`, choose the epoch on `validation`; leaves model, certificate and result."""
    be_deterministic(run.threads)
    began = start(job, run)
    train, validation = (_regions(began.card, data, role) for role in ("train", "validation"))
    trainer = Trainer.prepare(began, recipe_of(job), malignancy(train, validation), (train, validation), data, run)
    run.certify({**began.facts(), **trainer.facts()})
    best = trainer.run(run)
    run.certify(began.finish())
    write_model(run.folder, began.card, began.model.state_dict())
    run.set_result({"value": best.value, "epoch": best.epoch})


def recipe_of(job: Job) -> Recipe:
    """The job's hyperparameters over the defaults of the space; StudyError for names and values outside of it."""
    chosen = settings("classification", job["hyperparameters"])
    return Recipe(
        epochs=job["epochs"],
        learning_rate=chosen["learning_rate"],
        weight_decay=chosen["weight_decay"],
        augmentation=Augmentation.of_strength(chosen["augmentation"]),
        seeds=(job["seed"], job["fold"]),
    )


def _regions(card: ModelCard, data: JobData, role: str) -> pl.DataFrame:
    images = data.images.filter(pl.col("role") == role)
    return region_table(images, data.boxes, region=card.region, margin=card.margin)
