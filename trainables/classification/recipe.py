"""How one job trains its network: the chosen hyperparameters over the defaults, and the arm's budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from search_spaces.hyperparameters import settings
from trainables.classification.augmentation import Augmentation
from trainables.classification.averaging import OFF
from trainables.classification.examples import Batches

if TYPE_CHECKING:
    from trainables.task import Job


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, whatever it starts from."""

    epochs: int
    """Over which the schedules run."""
    learning_rate: float
    weight_decay: float
    augmentation: Augmentation
    seeds: tuple[int, ...]
    """Of the job; every random number follows from them, a purpose and the epoch."""
    until: int
    """Epoch at which this attempt ends: `epochs`, unless the trial is judged before."""
    patience: int | None = None
    """Epochs without a better value after which the training ends."""
    batches: Batches = field(default_factory=Batches)
    layer_decay: float = 1.0
    schedule: str = "cosine"
    ema: str = OFF

    @classmethod
    def of(cls, job: Job, parts: int = 1) -> Self:
        """Of a job; StudyError for hyperparameters outside of the space. `parts` divides batches further."""
        chosen = settings("classification", job["hyperparameters"])
        arm, on_a_corpus = job["arm"], job["kind"] == "pretrain"
        batches = Batches() if on_a_corpus else Batches(arm["batch_size"], arm["accumulate"])
        return cls(
            epochs=job["epochs"],
            learning_rate=chosen["learning_rate"],
            weight_decay=chosen["weight_decay"],
            augmentation=Augmentation.of_strength(chosen["augmentation"]),
            seeds=(job["seed"], job["fold"]),
            until=job.get("until") or job["epochs"],
            patience=arm["fit"]["patience"] if job["kind"] == "fit" else None,
            batches=batches.divided(parts),
            layer_decay=chosen["layer_decay"],
            schedule=chosen["schedule"],
            ema=chosen["ema"],
        )
