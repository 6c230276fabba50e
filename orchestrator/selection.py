"""ONLY=, ARM=: what runs now; never a part of a key or of the lock."""

from __future__ import annotations

from dataclasses import dataclass, field

from search_spaces.errors import StudyError, nearest
from search_spaces.jobs import Job
from search_spaces.study import StudySpec

_FIELDS = ("backbone", "pretraining", "init", "cell", "kind", "fold", "seed")


@dataclass(frozen=True)
class Selection:
    """Which jobs a command restricts itself to; empty means all."""

    arm: str | None = None
    only: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def covers(self, job: Job) -> bool:
        """Whether a job is wanted for itself; what it needs comes along."""
        if job.cell is None and (self.only or self.arm):
            return False
        if self.arm is not None and job.arm != self.arm:
            return False
        return all(str(getattr(job, name)) in values for name, values in self.only.items())

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
        wanted[name] = tuple(values.split(","))
    return Selection(arm or None, wanted)
