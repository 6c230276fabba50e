"""What goes into a key: exactly what a job reads, nothing about where or how fast it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_spaces.arms import Arm, ClassificationArm, DetectionArm, RadiomicsArm
from search_spaces.backbones import input_size
from search_spaces.grid import Cell
from search_spaces.starting_points import Corpus
from search_spaces.study import StudySpec

Fingerprints = Mapping[str, Mapping[str, str]]
"""Center or corpus -> {images, labels, boxes} -> content hash."""


def cell_recipe(arm: Arm, cell: Cell, source: dict[str, Any] | None) -> dict[str, Any]:
    """How one cell turns images into scores; the arm's name is not in it."""
    recipe = {
        "task": arm.task,
        "backbone": cell.backbone,
        "init": cell.init,
        "source": source,
        "labels": {"positive": sorted(arm.labels.positive), "negative": sorted(arm.labels.negative)},
    }
    if isinstance(arm, ClassificationArm):
        margin = arm.margin if arm.region == "box" else 0.0
        return {
            **recipe,
            "region": arm.region,
            "margin": margin,
            "image_size": image_size(arm, cell.backbone),
            "channels": arm.channels,
            "batch": [arm.batch_size, arm.accumulate],
        }
    if isinstance(arm, DetectionArm):
        return {
            **recipe,
            "negatives": arm.negatives,
            "image_size": arm.image_size,
            "score": arm.score,
            "batch": arm.batch_size,
        }
    return {**recipe, "margin": arm.margin}


def image_size(arm: ClassificationArm, backbone: str) -> int:
    """Network input in pixels: the arm's, or the backbone's own."""
    return arm.image_size or input_size(backbone)


def development_inputs(study: StudySpec, arm: Arm, prints: Fingerprints) -> dict[str, Any]:
    """What training reads of each development center: images, labels and, where used, boxes."""
    kinds = ("images", "labels", "boxes") if reads_boxes(arm) or isinstance(arm, DetectionArm) else ("images", "labels")
    return {name: _content(name, kinds, prints) for name in study.cohort.development}


def split_recipe(study: StudySpec) -> dict[str, Any]:
    """How patients are dealt into folds; whether equal ids of two hospitals are one person is a part of it."""
    return {**study.split.model_dump(), "patient_ids": study.cohort.patient_ids}


def reserve_recipe(study: StudySpec, prints: Fingerprints) -> dict[str, Any]:
    """Which development patients are the reserve: they are dealt together, by the labels of all development centers."""
    dealt = {name: _content(name, ("images", "labels"), prints) for name in study.cohort.development}
    return {"split": split_recipe(study), "dealt": dealt}


def region_inputs(arm: Arm, center: str, prints: Fingerprints) -> dict[str, str]:
    """What prediction reads of a center: images, and boxes where regions come from them; never labels."""
    kinds = ("images", "boxes") if reads_boxes(arm) else ("images",)
    return _content(center, kinds, prints)


def pretrain_recipe(arm: Arm, cell: Cell, corpus: Corpus, seed: int, prints: Fingerprints) -> dict[str, Any]:
    """How a backbone is trained on a corpus; no fold and no development center in it."""
    kinds = ("images", "labels", "boxes") if arm.task == "detection" else ("images", "labels")
    how = corpus.pretrain
    return {
        "task": arm.task,
        "backbone": cell.backbone,
        "channels": arm.channels if isinstance(arm, ClassificationArm) else 3,
        "corpus": _content(cell.pretraining, kinds, prints),
        "epochs": how.epochs if arm.task != "detection" else how.detection_epochs or how.epochs,
        "image_size": how.image_size,
        "seed": seed,
    }


def reads_boxes(arm: Arm) -> bool:
    """Whether the arm's regions come from boxes, at development and external centers alike."""
    return isinstance(arm, RadiomicsArm) or (isinstance(arm, ClassificationArm) and arm.region == "box")


def _content(name: str, kinds: tuple[str, ...], prints: Fingerprints) -> dict[str, str]:
    """What is known of a center's content; before it is ingested, only which center it is."""
    return {kind: prints[name][kind] if name in prints else f"{name}, not ingested" for kind in kinds}
