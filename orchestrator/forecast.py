"""How long jobs take: measured medians where there are any, a rough model where not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from orchestrator.tuning.halving import mean_epochs
from search_spaces.arms import ClassificationArm, DetectionArm, RadiomicsArm
from search_spaces.backbones import find
from search_spaces.job import Job
from search_spaces.study import Holdout, StudySpec

# Core-seconds on one CPU core, read off the records of the demo study (two cores, no GPU).
_PER_JOB = {"features": 2.5, "pretrain": 1.0, "tune": 0.6, "fit": 0.6, "predict": 0.65}
_DETECTOR_START = 2.0
_ELASTICNET_FIT = 4.5
_PER_IMAGE_EPOCH_AT_64_PIXELS = 0.0096
_PER_REGION_FEATURES = 0.2
_VALIDATION_COST = 0.3
"""Of an image that is validated or scored, against one that is trained on."""
_PER_IMAGE_INGESTED = 0.04
START_AND_REPORT = 60.0
"""Ray, the libraries of two workers, MLflow and the report."""


@dataclass(frozen=True)
class Sizes:
    """How many images a forecast counts with: per center and per corpus."""

    images: Mapping[str, int]

    @classmethod
    def of_study(cls, study: StudySpec, ingested: Mapping[str, int]) -> Sizes:
        """What is ingested, and before that what a phantom will write."""
        cohort = study.cohort
        written = dict.fromkeys(cohort.centers, round(1.45 * cohort.phantom.patients)) if cohort.phantom else {}
        written |= {name: corpus.phantom.images for name, corpus in study.corpora.items() if corpus.phantom}
        return cls({**written, **ingested})

    def of(self, name: str) -> int:
        """Images of a center or corpus; 100 if unknown."""
        return self.images.get(name, 100)


def estimate(study: StudySpec, job: Job, sizes: Sizes) -> float:
    """Core-seconds of a job on a CPU, roughly."""
    arm = next(arm for arm in study.arms if arm.name == job.arm)
    seconds = _PER_JOB[job.kind]
    if isinstance(arm, RadiomicsArm):
        if job.kind == "features":
            seconds += _PER_REGION_FEATURES * _seen(study, job, sizes) / job.recipe["part"][1]
        return seconds + (_ELASTICNET_FIT if job.kind == "fit" else 0.0)
    if job.kind == "predict":
        # A map needs a backward pass, and with the sanity check a second network's.
        cost = 1.0 + job.recipe["saliency"]["sanity"] if job.purpose == "saliency" else _VALIDATION_COST
        return seconds + cost * _seen(study, job, sizes) * _per_image(study, arm, job)
    if isinstance(arm, DetectionArm):
        seconds += _DETECTOR_START
    epochs = mean_epochs(arm.tune) if job.kind == "tune" else job.epochs
    return seconds + epochs * _images(study, job, sizes) * _per_image(study, arm, job)


def estimate_ingestion(names: Iterable[str], sizes: Sizes) -> float:
    """Core-seconds to write (phantoms) and read centers and corpora."""
    return _PER_IMAGE_INGESTED * sum(sizes.of(name) for name in names)


def longest_paths(jobs: Iterable[Job]) -> dict[str, float]:
    """For each job the length of the chain of work that waits for it, itself included."""
    known = {job.key: job for job in jobs}
    behind: dict[str, list[str]] = {key: [] for key in known}
    for job in known.values():
        for need in {*job.needs, *job.trials} & known.keys():
            behind[need].append(job.key)
    lengths: dict[str, float] = {}
    for key in TopologicalSorter(behind).static_order():
        after = max((lengths[other] for other in behind[key]), default=0.0)
        lengths[key] = _weight(known[key]) + after
    return lengths


def _weight(job: Job) -> float:
    return _PER_JOB[job.kind] + job.epochs * (2.0 if job.task == "detection" else 1.0)


def _seen(study: StudySpec, job: Job, sizes: Sizes) -> int:
    """Images of its center that a job scores, maps or measures, counted once per variant."""
    assert job.center is not None, "only jobs of a center look at its images"
    images = sizes.of(job.center)
    if job.kind == "predict" or job.purpose != "scores":  # of development centers the reserve, or it and a fold
        validated = _validated(study) if job.purpose == "scores" else 0.0
        held_out = study.split.reserve + validated * (1 - study.split.reserve)
        images = round(images * (held_out if job.center in study.cohort.development else 1.0))
    most = job.recipe.get("images")
    return (images if most is None else min(most, images)) * len(job.recipe.get("variants", [None]))


def _images(study: StudySpec, job: Job, sizes: Sizes) -> int:
    if job.kind == "pretrain":
        return sizes.of(job.pretraining)
    total = sum(sizes.of(name) for name in study.cohort.development)
    validated = _validated(study)
    return round(total * (1 - study.split.reserve) * (1 - validated + _VALIDATION_COST * validated))


def _validated(study: StudySpec) -> float:
    """Share of the patients outside the reserve that one replicate is validated on."""
    return study.split.validation if isinstance(study.split, Holdout) else 1 / study.split.folds


def _per_image(study: StudySpec, arm: ClassificationArm | DetectionArm, job: Job) -> float:
    backbone = find(job.backbone)
    assert backbone is not None, "a grid with an unknown backbone is refused"
    own = arm.image_size or backbone.input_size
    size = study.corpora[job.pretraining].pretrain.image_size if job.kind == "pretrain" else own
    share = 0.35 if job.init == "frozen" else 1.0
    return _PER_IMAGE_EPOCH_AT_64_PIXELS * backbone.relative_cost * (size / 64) ** 2 * share
