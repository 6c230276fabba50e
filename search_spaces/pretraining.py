"""The catalogue of pretraining sources: files brought along, and corpora that a study trains on itself."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from search_spaces.backbones import TIMM_MODELS, Library
from search_spaces.parts import CommercialUse
from search_spaces.starting_points import DeclaredSource
from search_spaces.study import StudySpec
from search_spaces.weights_record import read_record


@dataclass(frozen=True)
class Source:
    """Where initial weights can come from, and what a reader must know about them."""

    name: str
    modality: str
    anatomy: str
    license: str
    commercial_use: CommercialUse
    library: Library | None
    """Whose backbones the files are for; None: whatever has a file."""
    backbones: tuple[str, ...] | None
    """Architectures with published weights; None: any of the library that has a file."""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    """Normalization of pixels in [0, 1]; empty: each image is standardized by itself."""
    where: str = ""
    """Where the files are published."""
    note: str = ""


NONE = "none"
IMAGENET = "imagenet"

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            IMAGENET, "photographs", "natural objects", "BSD-3-Clause weights, non-commercial images", "unknown",
            "timm", None, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225),
            "timm <backbone>.tv_in1k, as model.safetensors",
            "mean and std are those of timm's pretrained configuration of the backbone",
        ),
        Source(
            "radimagenet", "CT, MR and ultrasound (no radiographs)", "whole body", "on request from the authors",
            "unknown",
            "timm", ("resnet50", "inception_v3", "densenet121"), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5),
            "RadImageNet's PyTorch files ResNet50.pt, InceptionV3.pt, DenseNet121.pt",
            "its normalization is contested: the authors' PyTorch notebook scales to [-1, 1]",
        ),
        Source(
            "torchxrayvision", "radiographs", "chest", "Apache-2.0 code; the data sets have terms of their own",
            "unknown", "timm", ("densenet121", "resnet50"), (0.5,), (1 / 2048,),
            "torchxrayvision's densenet121-res224-* and resnet50-res512-all",
            "made for one channel of [-1024, 1024]",
        ),
        Source(
            "coco", "photographs", "natural objects", "AGPL-3.0", "no",
            "ultralytics", None, (), (), "Ultralytics' yolov5nu.pt and siblings, or the original yolov5n.pt",
            "a legacy yolov5 file gives backbone and neck; its head has anchors and is left out",
        ),
    )
}  # fmt: skip

_UNKNOWN = "unknown"
_SUFFIXES = (".safetensors", ".pth", ".pt")


def describe(study: StudySpec, source: str) -> Source:
    """What is known of a source: the study's words, then the catalogue, or else the records of its files."""
    declared = study.sources.get(source, DeclaredSource())
    entry = SOURCES.get(_folder(study, source)) or _of_records(study, source)
    told = {name: getattr(declared, name) for name in ("modality", "anatomy", "license", "commercial_use")}
    return replace(entry, name=source, **{name: value for name, value in told.items() if value is not None})


def known_sources(study: StudySpec) -> list[str]:
    """Everything a grid's `pretraining` may name in this study."""
    return sorted({NONE, *SOURCES, *study.corpora, *study.sources, *_folders(study)})


def weights_file(study: StudySpec, source: str, backbone: str) -> Path | None:
    """The file that holds this source's weights of a backbone, if it is there."""
    folder = Path(study.weights) / _folder(study, source)
    candidates = [folder / f"{backbone}{suffix}" for suffix in _SUFFIXES]
    return next((path for path in candidates if path.exists()), None)


def weights_sha256(path: Path) -> str:
    """Hex sha256 of a weights file; read once as long as its size and time stay the same."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


def expected_file(study: StudySpec, source: str, backbone: str) -> Path:
    """Where a missing file is expected."""
    return Path(study.weights) / _folder(study, source) / f"{backbone}.safetensors"


def normalization(study: StudySpec, source: str, backbone: str) -> dict[str, tuple[float, ...]] | None:
    """Mean and standard deviation that come with a source; None: every image is standardized by itself."""
    declared = study.sources.get(source)
    if declared is not None and declared.normalization is not None:
        return None if declared.normalization == "per_image" else declared.normalization.model_dump()
    path = weights_file(study, source, backbone)
    record = None if path is None else read_record(path)
    if record is not None and record.normalization is not None:
        return record.normalization.model_dump()
    return _of_catalogue(_folder(study, source), backbone)


def _of_catalogue(source: str, backbone: str) -> dict[str, tuple[float, ...]] | None:
    entry = SOURCES.get(source)
    if entry is None or not entry.mean:
        return None
    published = TIMM_MODELS.get(backbone)
    if source == IMAGENET and published is not None:
        # One of them, inception_v3, was trained on [-1, 1].
        return {"mean": published.mean, "std": published.std}
    return {"mean": entry.mean, "std": entry.std}


@functools.cache
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder(study: StudySpec, source: str) -> str:
    """The folder that holds a source's files: its own name, or the source whose files the study names."""
    declared = study.sources.get(source)
    return source if declared is None or declared.files is None else declared.files


def _folders(study: StudySpec) -> list[str]:
    root = Path(study.weights)
    return [path.name for path in root.iterdir() if path.is_dir()] if root.is_dir() else []


def _of_records(study: StudySpec, source: str) -> Source:
    """A source of which nobody but its own files' records knows anything."""
    folder = Path(study.weights) / _folder(study, source)
    found = [record for path in sorted(folder.glob("*.safetensors")) if (record := read_record(path))]
    if not found:
        return Source(source, _UNKNOWN, _UNKNOWN, _UNKNOWN, "unknown", None, None)
    first = found[0]
    return Source(source, first.modality, first.anatomy, first.license, first.commercial_use, None, None)
