"""What a network starts from: nothing, or the weights of a source, and how that is proven."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch

from search_spaces.backbones import input_size
from search_spaces.errors import StudyError
from search_spaces.hyperparameters import settings
from search_spaces.initialization import SCRATCH, trained_stages
from trainables.classification.model import (
    WEIGHTS,
    ModelCard,
    backbone_names,
    backbone_tensors,
    build,
    first_conv,
    own_size,
)
from trainables.classification.schedule import Phase, phases_of
from trainables.classification.seeds import seed_torch
from trainables.classification.stages import frozen_names
from trainables.sampling import Normalization
from trainables.weights.loading import LEAST_SHARE, Loaded, fingerprint, load_backbone, sha256_of
from trainables.weights.variants import stride_variant

if TYPE_CHECKING:
    from trainables.task import Job, Run

STRIDE, PATCH = 8, 16
"""Pixels to multiples of which a scaled input is rounded: for convolutions, and for transformers' patches."""


@dataclass(frozen=True)
class Origin:
    """A weights file, and the normalization it was made with."""

    kind: str
    path: Path
    sha256: str
    normalization: Normalization


@dataclass(frozen=True)
class Start:
    """A network before step 0."""

    init: str
    model: torch.nn.Module
    card: ModelCard
    origin: Origin | None
    loaded: Loaded | None
    frozen: frozenset[str]
    """Tensors that are never changed, batch norm's statistics included."""
    fingerprints: dict[str, str]
    """Of the backbone, of what is frozen, and of what is trained."""

    @classmethod
    def of(
        cls, init: str, model: torch.nn.Module, card: ModelCard, origin: Origin | None, loaded: Loaded | None
    ) -> Self:
        """With the fingerprints taken now."""
        frozen = frozen_names(model, init)
        return cls(init, model, card, origin, loaded, frozen, _fingerprints(model, frozen))

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        """How the epochs are divided."""
        return phases_of(self.init, epochs, frozen=self.frozen, backbone=frozenset(backbone_names(self.model)))

    def facts(self) -> dict[str, Any]:
        """For the certificate."""
        origin, loaded = self.origin, self.loaded
        return {
            "init": self.init,
            "backbone": self.card.backbone,
            "variant": stride_variant(self.model),
            "backbone_tensors": len(backbone_names(self.model)),
            "source": origin and {"kind": origin.kind, "file": origin.path.name, "sha256": origin.sha256},
            **(loaded.facts() if loaded else {"tensors_loaded": [], "share_loaded": 0.0}),
            "normalization": self.card.normalization.facts(),
            "inputs": {"pixels": self.card.image_size, "channels": self.card.in_chans, "margin": self.card.margin},
            **{f"{name}_before": value for name, value in self.fingerprints.items()},
        }

    def finish(self, averaged: torch.nn.Module | None) -> dict[str, Any]:
        """For the certificate after training, of what is published and of the copy that was averaged."""
        after = _fingerprints(self.model, self.frozen)
        kept = "" if averaged is None else _fingerprint_of(averaged, self.frozen)
        return {**{f"{name}_after": value for name, value in after.items()}, "fingerprint_frozen_average": kept}


def start(job: Job, run: Run) -> Start:
    """The job's network with the weights that its cell names; StudyError for a file that misfits."""
    init, source = job["cell"]["init"], job.get("source")
    if (init == SCRATCH) != (source is None):
        raise RuntimeError(f"Init {init} with source {source}: scratch has none, all others need one.")
    if source is None:
        return from_scratch(card_of(job, Normalization()), job, run)
    origin = _origin(source, job["arm"]["channels"], run)
    card = card_of(job, origin.normalization)
    model = _seeded(card, job)
    loaded = load_backbone(
        model,
        origin.path,
        backbone=card.backbone,
        names=backbone_names(model),
        first_conv=first_conv(model),
        # What a frozen part lacks would stay random for good.
        least=LEAST_SHARE if trained_stages(init) is None else 1.0,
    )
    return Start.of(init, model.to(run.device), card, origin, loaded)


def from_scratch(card: ModelCard, job: Job, run: Run) -> Start:
    """The card's network with random weights that follow from the job's seed and fold."""
    return Start.of(SCRATCH, _seeded(card, job).to(run.device), card, None, None)


def card_of(job: Job, normalization: Normalization) -> ModelCard:
    """The inputs that the arm and the job's hyperparameters ask for."""
    arm, backbone = job["arm"], job["cell"]["backbone"]
    chosen = settings("classification", job["hyperparameters"])
    margin = arm["margin"] if chosen["margin"] is None else chosen["margin"]
    return ModelCard(
        backbone=backbone,
        image_size=scaled_size(backbone, arm["image_size"] or input_size(backbone), float(chosen["image_scale"])),
        outputs=1,
        normalization=normalization,
        region=arm["region"],
        margin=margin if arm["region"] == "box" else 0.0,
        in_chans=arm["channels"],
    )


def scaled_size(backbone: str, size: int, scale: float) -> int:
    """Pixels on a side, rounded so that feature maps stay whole; a scale of 1 keeps the size as it is."""
    if scale == 1:
        return size
    step = PATCH if own_size(backbone) else STRIDE
    return max(16, round(size * scale / step) * step)


def _seeded(card: ModelCard, job: Job) -> torch.nn.Module:
    seed_torch(job["seed"], job["fold"], "weights")
    return build(card)


def _fingerprints(model: torch.nn.Module, frozen: frozenset[str]) -> dict[str, str]:
    # Without batch norm's statistics, which move even where nothing is learned.
    trained = frozenset(name for name, _ in model.named_parameters()) - frozen
    return {
        "fingerprint": fingerprint(backbone_tensors(model)),
        "fingerprint_frozen": _fingerprint_of(model, frozen),
        "fingerprint_trained": _fingerprint_of(model, trained),
    }


def _fingerprint_of(model: torch.nn.Module, names: frozenset[str]) -> str:
    state = model.state_dict()
    return fingerprint({name: state[name] for name in names}) if names else ""


def _origin(source: dict[str, Any], channels: int, run: Run) -> Origin:
    """A pretraining of this study, or a file whose content must be the one that was planned."""
    if source["kind"] == "corpus":
        folder = run.need(source["key"])
        return Origin("corpus", folder / WEIGHTS, sha256_of(folder / WEIGHTS), ModelCard.read(folder).normalization)
    path = Path(source["path"])
    if not path.is_file():
        raise StudyError(f"{path}: there is no such weights file; put it there or leave the source out of the grid.")
    found = sha256_of(path)
    if found != source["sha256"]:
        raise StudyError(
            f"{path}: its sha256 is {found[:12]}…, the study was planned with {source['sha256'][:12]}…; "
            "bring the planned file back, or plan anew with this one."
        )
    return Origin("file", path, found, Normalization.of(source.get("normalization"), channels))
