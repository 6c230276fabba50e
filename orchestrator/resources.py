"""What a job occupies, what there is, and whether it can ever fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from search_spaces.errors import StudyError
from search_spaces.job import Job
from search_spaces.study import StudySpec

_ON_GPU = {"classification", "detection"}


@dataclass(frozen=True)
class Shape:
    """CPUs and share of a GPU; few different ones, because only equal shapes share a warm worker."""

    cpus: int = 1
    gpu: float = 0.0


@dataclass(frozen=True)
class Capacity:
    """CPUs and GPUs of the machine or cluster."""

    cpus: float
    gpus: float = 0.0

    def minus(self, shapes: Iterable[Shape]) -> Capacity:
        """What is left when these run."""
        taken = list(shapes)
        return Capacity(self.cpus - sum(s.cpus for s in taken), self.gpus - sum(s.gpu for s in taken))

    def holds(self, shape: Shape) -> bool:
        """Whether a job of this shape fits."""
        return shape.cpus <= self.cpus + 1e-9 and shape.gpu <= self.gpus + 1e-9


def shape_of(study: StudySpec, job: Job, capacity: Capacity) -> Shape:
    """One CPU without a GPU in the cluster; otherwise what the arm asks for."""
    if capacity.gpus == 0 or job.task not in _ON_GPU:
        return Shape()
    arm = next(arm for arm in study.arms if arm.name == job.arm)
    return Shape(arm.resources.cpus, float(arm.resources.gpu))


def check_capacity(study: StudySpec, jobs: Iterable[Job], capacity: Capacity, nodes: Sequence[Capacity]) -> None:
    """Refuse a study in which a job could never start, because no node is large enough for it."""
    for job in jobs:
        shape = shape_of(study, job, capacity)
        if not any(node.holds(shape) for node in nodes):
            largest = max(nodes, key=lambda node: (node.gpus, node.cpus))
            raise StudyError(
                f"Study {study.name!r}, arm {job.arm!r}, resources: a job asks for {shape.cpus} CPUs and "
                f"{shape.gpu:g} GPU, the largest node has {largest.cpus:g} and {largest.gpus:g}; lower `resources` "
                "or join a larger node."
            )
