"""A backbone trained on a corpus, for other jobs to start from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from cohorts.regions import region_table
from search_spaces.errors import StudyError
from trainables.classification.initialization import from_scratch
from trainables.classification.model import ModelCard, backbone_tensors, write_model
from trainables.classification.objective import Classes
from trainables.classification.recipe import Recipe
from trainables.classification.seeds import be_deterministic, random_numbers
from trainables.classification.training import Trainer
from trainables.memory import with_smaller_parts
from trainables.sampling import Normalization

if TYPE_CHECKING:
    from trainables.data import JobData
    from trainables.task import Job, Run

HELD_OUT = 0.1
"""Share of the corpus's patients that are not trained on; their accuracy is reported and picks the epoch."""


def pretrain(job: Job, data: JobData, run: Run) -> None:
    """Learn a corpus's classes from whole images; leaves the backbone without its head, certificate and result."""
    be_deterministic(run.threads)
    with_smaller_parts(run, lambda parts: _pretrain(job, data, run, parts))


def _pretrain(job: Job, data: JobData, run: Run, parts: int) -> None:
    began = from_scratch(_card(job), job, run)
    run.certify(began.facts())
    trainer = Trainer.prepare(began, Recipe.of(job, parts), Classes(), _halves(job, data), data, run)
    best = trainer.run(run)
    run.certify(began.finish(trainer.averaged))
    write_model(run.folder, replace(began.card, outputs=0), backbone_tensors(began.model))
    run.set_result({"value": best.value, "epoch": best.epoch})


def _card(job: Job) -> ModelCard:
    return ModelCard(
        backbone=(job.get("cell") or job)["backbone"],  # several cells share the job, so it names the backbone itself
        image_size=job["corpus"]["pretrain"]["image_size"],
        outputs=len(job["classes"]),
        normalization=Normalization(),
        region="image",
        margin=0.0,
        in_chans=job["arm"]["channels"],
    )


def _halves(job: Job, data: JobData) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Training and held-out regions, divided by patient; who is held out does not depend on the patients' hashes."""
    regions = region_table(data.images, None, region="image", margin=0.0)
    # Hashes are salted by workspace: ordered by them, one recipe would give other weights at every hospital.
    patients = regions.group_by("patient").agg(pl.col("image").min()).sort("image")["patient"]
    if len(patients) < 2:
        raise StudyError(
            f"Corpus {job['corpus']['name']!r} has images of {len(patients)} patient; at least 2 are needed."
        )
    shuffled = random_numbers(job["seed"], job["fold"], "held out").permutation(len(patients))
    held_out = patients.gather(shuffled[: max(1, round(HELD_OUT * len(patients)))])
    is_held_out = pl.col("patient").is_in(held_out.implode())
    return regions.filter(~is_held_out), regions.filter(is_held_out)
