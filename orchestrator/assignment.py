"""What exactly one job is handed: paths, hyperparameters, initial weights. A label only where it trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from infra.environment import QUIET
from orchestrator.intake import Cohort
from orchestrator.lock import write_opened
from orchestrator.resources import Shape
from orchestrator.tuning.choices import Choices
from orchestrator.tuning.halving import Halving
from orchestrator.workspace import Workspace
from search_spaces.arms import Arm
from search_spaces.job import Job
from search_spaces.pretraining import NONE, normalization, weights_file
from search_spaces.recipes import reads_boxes

TASKS = "trainables:TASKS"


@dataclass(frozen=True)
class Assigner:
    """Turns a job of the plan into the plain payload that its process reads."""

    workspace: Workspace
    cohort: Cohort
    jobs: Mapping[str, Job]
    shapes: Mapping[str, Shape]
    tasks: str = TASKS

    def __call__(self, job: Job) -> dict[str, Any]:
        """The payload of one job; tuning choices are read from the run store at this moment."""
        if job.sealed:
            write_opened(self.workspace, dict.fromkeys(other.cell for other in self.jobs.values() if other.cell))
        shape, resources = self.shapes[job.key], self._arm(job).resources
        return {
            "job": {**job.to_dict(), **self._details(job)},
            "store": str(self.workspace.run_store.root.resolve()),
            "directory": str(Path.cwd()),
            "threads": shape.cpus,
            "gpu": shape.gpu,
            "limits": {"memory_gb": resources.memory_gb, "hours": resources.hours},
            "environment": {**QUIET, "OMP_NUM_THREADS": str(shape.cpus)},
            "tasks": self.tasks,
            "preload": ["trainables.preload"] if self.tasks == TASKS else [],
        }

    def _details(self, job: Job) -> dict[str, Any]:
        arm = self._arm(job)
        corpus = self.workspace.study.corpora.get(job.pretraining) if job.kind == "pretrain" else None
        return {
            "arm": arm.model_dump(mode="json"),
            "cell": self._cell(job),
            "needs": self._needs(job),
            "hyperparameters": self._choices.hyperparameters(job),
            "source": self._source(job),
            "corpus": None if corpus is None else {"name": job.pretraining, **corpus.model_dump(mode="json")},
            "classes": self._classes(job),
            "inputs": self._inputs(job, arm),
            **self._stage(job),
        }

    def _stage(self, job: Job) -> dict[str, Any]:
        """Up to which epoch this attempt trains; what decides it was settled when the job was found ready."""
        stage = Halving(self.jobs, self.workspace.run_store).stage(job.key, lambda key: False)
        if stage is None:
            raise RuntimeError(f"{job.name} was started before its batch had come to the rung where it waits.")
        return vars(stage)

    def _source(self, job: Job) -> dict[str, Any] | None:
        """Where initial weights come from: a pretraining job of this study, or a file."""
        if job.kind not in {"tune", "fit"} or job.pretraining == NONE:
            return None
        trained = [key for key in job.needs if self.jobs[key].kind == "pretrain"]
        if trained:
            return {"kind": "corpus", "name": job.pretraining, "key": trained[0]}
        path = weights_file(self.workspace.study, job.pretraining, job.backbone)
        assert path is not None, "a sweep with missing weights is refused before it starts"
        return {
            "kind": "file",
            "name": job.pretraining,
            "path": str(path.resolve()),
            "sha256": job.recipe["cell"]["source"]["sha256"],
            "normalization": normalization(self.workspace.study, job.pretraining, job.backbone),
        }

    def _needs(self, job: Job) -> dict[str, Any]:
        of_kind: dict[str, list[str]] = {"features": [], "pretrain": [], "fit": []}
        for key in job.needs:
            of_kind[self.jobs[key].kind].append(key)
        return {
            "features": of_kind["features"],
            "pretrain": next(iter(of_kind["pretrain"]), None),
            "fit": next(iter(of_kind["fit"]), None),
        }

    def _inputs(self, job: Job, arm: Arm) -> dict[str, Any]:
        folds = job.kind in {"tune", "fit", "predict"} or job.purpose != "scores"
        return {
            "centers": [self._center(job, arm, name) for name in self._names(job)],
            "folds": str(self.workspace.folds.resolve()) if folds else None,
        }

    def _names(self, job: Job) -> tuple[str, ...]:
        if job.kind == "pretrain":
            return (job.pretraining,)
        return (job.center,) if job.center is not None else self.workspace.study.cohort.development

    def _center(self, job: Job, arm: Arm, name: str) -> dict[str, Any]:
        """Paths of one center: labels where a job trains, boxes where its regions need them."""
        is_corpus = job.kind == "pretrain"
        folder = (self.cohort.corpora if is_corpus else self.cohort.centers)[name].folder.resolve()
        learns = job.kind in {"tune", "fit", "pretrain"}
        boxes = (reads_boxes(arm) and not is_corpus) or (learns and job.task == "detection")
        external = name in self.workspace.study.cohort.external
        return {
            "name": name,
            "folder": str(folder),
            "role": "pretraining" if is_corpus else "external" if external else "train",
            "labels": str(folder / "labels.parquet") if learns else None,
            "boxes": str(folder / "boxes.parquet") if boxes else None,
        }

    def _classes(self, job: Job) -> list[str]:
        if job.kind != "pretrain":
            return []
        return sorted(self.cohort.corpora[job.pretraining].labels["label"].unique())

    def _cell(self, job: Job) -> dict[str, str] | None:
        if job.cell is None:
            return None
        return {"id": job.cell, "backbone": job.backbone, "pretraining": job.pretraining, "init": job.init}

    @cached_property
    def _choices(self) -> Choices:
        arms = {arm.name: arm for arm in self.workspace.study.arms}
        return Choices(self.workspace.run_store, self.jobs, arms)

    def _arm(self, job: Job) -> Arm:
        return next(arm for arm in self.workspace.study.arms if arm.name == job.arm)
