"""ONLY=, ARM=: what runs now; never a part of a key or of the lock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from search_spaces.errors import StudyError, nearest
from search_spaces.job import Job
from search_spaces.study import StudySpec

_FIELDS = ("backbone", "pretraining", "init", "cell", "kind", "purpose", "fold", "seed")


@dataclass(frozen=True)
class Selection:
    """Which jobs a command restricts itself to; empty means all."""

    arm: str | None = None
    only: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def covers(self, job: Job) -> bool:
        """Whether a job is wanted for itself; what it needs comes along."""
        if job.cell is None and (self.arm or self.only.keys() - {"kind", "purpose"}):
            return False  # shared by cells: it comes along with those that need it
        if self.arm is not None and job.arm != self.arm:
            return False
        return all(str(getattr(job, name)) in values for name, values in self.only.items())

    def check(self, jobs: Iterable[Job]) -> None:
        """Raise StudyError for a value that no job of the study has."""
        jobs = list(jobs)
        for name, values in self.only.items():
            known = sorted({str(getattr(job, name)) for job in jobs if getattr(job, name) is not None})
            for value in values:
                if value not in known:
                    raise StudyError(
                        f"ONLY: no job has {name} {value!r}.{nearest(value, known)} The study has: {', '.join(known)}."
                    )

    def describe(self) -> str:
        """As the user wrote it."""
        parts = [f"ARM={self.arm}"] if self.arm else []
        parts += (
            [f"ONLY={' '.join(f'{name}={chr(44).join(values)}' for name, values in self.only.items())}"]
            if self.only
            else []
        )
        return " ".join(parts) or "the whole study"


def parse_selection(study: StudySpec, only: str, arm: str) -> Selection:
    """Read `backbone=resnet50,resnet18 init=frozen`; raises StudyError for an unknown field or arm."""
    names = [entry.name for entry in study.arms]
    if arm and arm not in names:
        raise StudyError(
            f"ARM={arm}: study {study.name!r} has no such arm.{nearest(arm, names)} Allowed: {', '.join(names)}."
        )
    wanted: dict[str, tuple[str, ...]] = {}
    for part in only.split():
        name, equals, values = part.partition("=")
        if not equals or name not in _FIELDS or not values:
            raise StudyError(
                f"ONLY={only!r}: {part!r} is not <field>=<value>[,<value>].{nearest(name, _FIELDS)} "
                f"Fields: {', '.join(_FIELDS)}."
            )
        wanted[name] = (*wanted.get(name, ()), *values.split(","))
    return Selection(arm or None, wanted)
