"""What a job sees of its images: once as they are, or once per variant of its arm's ladder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cohorts.perturbing import perturbed
from search_spaces.ladder import Robustness
from trainables.data import JobData
from trainables.task import Job

ORIGINAL = "original"
"""The variant of images and boxes as they are."""


def is_perturbed(job: Job) -> bool:
    """Whether a job's images are seen with other boxes than their own."""
    return bool(job["recipe"].get("variants", [ORIGINAL]) != [ORIGINAL])


def views(job: Job, data: JobData) -> Iterator[tuple[str, JobData]]:
    """Each variant that the job's recipe names, with the data under it; variants differ in their boxes alone."""
    if not is_perturbed(job):
        yield ORIGINAL, data
        return
    variants = Robustness.model_validate(job["arm"]["robustness"]).variants()
    wanted = [variant.id for variant in variants]
    # The key was made from the ids in the recipe: scores of other boxes must never be published under it.
    assert wanted == job["recipe"]["variants"], "the arm's ladder is not the one of the job's recipe"
    assert data.boxes is not None, "an arm without boxes has no ladder"
    for variant in variants:
        yield variant.id, replace(data, boxes=perturbed(data.boxes, variant, job["recipe"]["drawn_for"]))
