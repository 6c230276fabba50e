"""What a network starts from: nothing, or the weights of a source, and how that is proven."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from search_spaces.backbones import input_size
from search_spaces.errors import StudyError
from trainables.classification.model import (
    WEIGHTS,
    ModelCard,
    backbone_names,
    backbone_tensors,
    build,
    first_conv,
    freeze_backbone,
)
from trainables.classification.seeds import seed_torch
from trainables.sampling import Normalization
from trainables.weights import LEAST_SHARE, Loaded, fingerprint, load_backbone, sha256_of

if TYPE_CHECKING:
    from trainables.task import Job, Run


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
    fingerprint: str
    """Of the backbone, batch norm's statistics included."""

    @property
    def frozen(self) -> bool:
        """Whether only the head is trained."""
        return self.init == "frozen"

    def facts(self) -> dict[str, Any]:
        """For the certificate."""
        origin, loaded = self.origin, self.loaded
        return {
            "init": self.init,
            "backbone": self.card.backbone,
            "backbone_tensors": len(backbone_names(self.model)),
            "source": origin and {"kind": origin.kind, "file": origin.path.name, "sha256": origin.sha256},
            **(loaded.facts() if loaded else {"tensors_loaded": [], "share_loaded": 0.0}),
            "normalization": self.card.normalization.facts(),
            "fingerprint_before": self.fingerprint,
        }

    def finish(self) -> dict[str, Any]:
        """For the certificate after training; RuntimeError if a frozen backbone changed by so much as a byte."""
        after = fingerprint(backbone_tensors(self.model))
        if self.frozen and after != self.fingerprint:
            raise RuntimeError(f"The frozen backbone {self.card.backbone} changed in training, weights or batch norm.")
        return {"fingerprint_after": after}


def start(job: Job, run: Run) -> Start:
    """The job's network with the weights that its cell names; StudyError for a file that misfits."""
    init, source = job["cell"]["init"], job.get("source")
    if (init == "scratch") != (source is None):
        raise RuntimeError(f"Init {init} with source {source}: scratch has none, all others need one.")
    if source is None:
        return from_scratch(_card(job, Normalization()), job, run)
    origin = _origin(source, run)
    card = _card(job, origin.normalization)
    model = _seeded(card, job)
    loaded = load_backbone(
        model,
        origin.path,
        backbone=card.backbone,
        names=backbone_names(model),
        first_conv=first_conv(model),
        # What a frozen backbone lacks would stay random for good.
        least=1.0 if init == "frozen" else LEAST_SHARE,
    )
    if init == "frozen":
        freeze_backbone(model)
    return Start(init, _on_device(model, run.device), card, origin, loaded, fingerprint(backbone_tensors(model)))


def from_scratch(card: ModelCard, job: Job, run: Run) -> Start:
    """The card's network with random weights that follow from the job's seed and fold."""
    model = _on_device(_seeded(card, job), run.device)
    return Start("scratch", model, card, None, None, fingerprint(backbone_tensors(model)))


def _seeded(card: ModelCard, job: Job) -> torch.nn.Module:
    seed_torch(job["seed"], job["fold"], "weights")
    return build(card)


def _card(job: Job, normalization: Normalization) -> ModelCard:
    arm, backbone = job["arm"], job["cell"]["backbone"]
    return ModelCard(
        backbone=backbone,
        image_size=arm["image_size"] or input_size(backbone),
        outputs=1,
        normalization=normalization,
        region=arm["region"],
        margin=arm["margin"] if arm["region"] == "box" else 0.0,
    )


def _origin(source: dict[str, Any], run: Run) -> Origin:
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
    return Origin("file", path, found, Normalization.of(source.get("normalization")))


def _on_device(model: torch.nn.Module, device: str) -> torch.nn.Module:
    """On a GPU, convolutions read channels-last tensors fastest."""
    if device.startswith("cuda"):
        return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
    return model.to(device)
