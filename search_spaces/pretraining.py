"""The catalogue of pretraining sources: files brought along, and corpora that a study trains on itself."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

from search_spaces.parts import CommercialUse
from search_spaces.study import StudySpec


@dataclass(frozen=True)
class Source:
    """Where initial weights can come from, and what a reader must know about them."""

    name: str
    modality: str
    anatomy: str
    license: str
    commercial_use: CommercialUse
    backbones: tuple[str, ...] | None
    """Architectures with published weights; None: any that has a file."""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    """Normalization of pixels in [0, 1]; empty: each image is standardized by itself."""
    where: str = ""
    """Where the files are published."""


NONE = "none"

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            "imagenet", "photographs", "natural objects", "BSD-3-Clause weights, non-commercial images", "unknown",
            None, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225),
            "timm <backbone>.tv_in1k, as model.safetensors",
        ),
        Source(
            "radimagenet", "CT, MR and ultrasound (no radiographs)", "whole body", "on request from the authors",
            "unknown",
            ("resnet50", "inception_v3", "densenet121"), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5),
            "RadImageNet's PyTorch files ResNet50.pt, InceptionV3.pt, DenseNet121.pt",
        ),
        Source(
            "coco", "photographs", "natural objects", "AGPL-3.0", "no",
            None, (), (), "Ultralytics' yolov5nu.pt and siblings, converted to safetensors",
        ),
    )
}  # fmt: skip

_SUFFIXES = (".safetensors", ".pth", ".pt")


def known_sources(study: StudySpec) -> list[str]:
    """Everything a grid's `pretraining` may name in this study."""
    return sorted({NONE, *SOURCES, *study.corpora, *_folders(study)})


def weights_file(study: StudySpec, source: str, backbone: str) -> Path | None:
    """The file that holds this source's weights of a backbone, if it is there."""
    candidates = [Path(study.weights) / source / f"{backbone}{suffix}" for suffix in _SUFFIXES]
    return next((path for path in candidates if path.exists()), None)


def weights_sha256(path: Path) -> str:
    """Hex sha256 of a weights file; read once as long as its size and time stay the same."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


def expected_file(study: StudySpec, source: str, backbone: str) -> Path:
    """Where a missing file is expected."""
    return Path(study.weights) / source / f"{backbone}.safetensors"


def normalization(source: str, backbone: str) -> dict[str, tuple[float, ...]] | None:
    """Mean and standard deviation that come with a source; None: every image is standardized by itself."""
    entry = SOURCES.get(source)
    if entry is None or not entry.mean:
        return None
    if source == "imagenet" and backbone == "inception_v3":
        # tv_in1k's inception_v3 is the one torchvision model that was trained on [-1, 1].
        return {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    return {"mean": entry.mean, "std": entry.std}


@functools.cache
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folders(study: StudySpec) -> list[str]:
    root = Path(study.weights)
    return [path.name for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
