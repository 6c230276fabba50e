"""Brings one weights file to where studies look for it, with a record of where it came from."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from infra.store import file_sha256, replace, to_json
from orchestrator.weights.process import import_file
from search_spaces.backbones import BACKBONES, TIMM_MODELS, Backbone, find
from search_spaces.errors import StudyError, nearest
from search_spaces.parts import CommercialUse, Name
from search_spaces.pretraining import NONE, SOURCES, Source
from search_spaces.starting_points import MeanAndDeviation
from search_spaces.weights_record import WeightsRecord, record_path

UNKNOWN = "unknown"
SUFFIXES = (".safetensors", ".pth", ".pt")

_HASH_IN_NAME = re.compile(r".*-(?=\d*[a-f])([0-9a-f]{8})\.pth")
"""torch.hub's convention, as in resnet50-0676ba61.pth: the first digits of the file's sha256. A date is none."""


@dataclass(frozen=True)
class Words:
    """What the user says of a file; None: as the catalogue says of its source."""

    license: str | None = None
    commercial_use: CommercialUse | None = None
    modality: str | None = None
    anatomy: str | None = None
    normalization: MeanAndDeviation | None = None


@dataclass(frozen=True)
class Added:
    """A file that studies can use now."""

    path: Path
    record: WeightsRecord
    share: float
    """Of the backbone's tensors that the file held."""


def add(
    file: Path, source: str, folder: Path, words: Words, *, backbone: str = "", prefix: str = "", again: bool = False
) -> Added:
    """Convert `file` and put it under `folder`/<source>/; StudyError if it is refused or is there and not `again`."""
    _check_source(source)
    _check_name(file)
    candidates = _candidates(file, source, backbone)
    if len(candidates) == 1:
        _check_place(folder / source, candidates[0][1], again)
    with _scratch(folder) as scratch:
        draft = Path(scratch) / "draft.safetensors"
        facts = import_file(file, candidates, Path(scratch) / "tensors.safetensors", draft, prefix)
        _check_place(folder / source, facts["backbone"], again)
        record = _record(file, source, words, facts, file_sha256(draft))
        return Added(_put(draft, folder / source, record), record, facts["share"])


def _check_source(source: str) -> None:
    try:
        TypeAdapter(Name).validate_python(source)
    except ValidationError:
        raise StudyError(f"--as {source}: a source is named with letters, digits, '-', '_' and '.'.") from None
    if source == NONE:
        raise StudyError(f"--as {source}: means no pretraining; name where the weights come from, such as radimagenet.")


def _check_name(file: Path) -> None:
    """The digits in a file's name are the first of its sha256, where they are there at all."""
    if not file.is_file():
        raise StudyError(f"{file}: there is no such file; give the path of the weights file that you brought.")
    promised = _HASH_IN_NAME.fullmatch(file.name)
    if promised and not (found := file_sha256(file)).startswith(promised.group(1)):
        raise StudyError(
            f"{file}: its name promises a sha256 that starts with {promised.group(1)}, it is {found[:8]}…; the file is "
            "damaged or another one. Fetch it anew, or rename it if the digits mean something else."
        )


def _candidates(file: Path, source: str, backbone: str) -> list[tuple[str, str]]:
    """Task and name of the backbones that the file may be of."""
    entry = SOURCES.get(source)
    if backbone:
        return [_named(backbone, source, entry)]
    if entry is not None and entry.backbones is not None:
        return [("classification", name) for name in entry.backbones]
    of_library = [each for each in BACKBONES.values() if _has_files(each, entry)]
    hinted = [each for name in _timm_names_in(file.stem) if (each := find(name)) and _has_files(each, entry)]
    return [(each.task, each.name) for each in {each.name: each for each in (*hinted, *of_library)}.values()]


def _named(backbone: str, source: str, entry: Source | None) -> tuple[str, str]:
    found = find(backbone)
    if found is None or found.library == "scikit-learn":
        raise StudyError(f"--backbone {backbone}: no backbone is called so.{nearest(backbone, BACKBONES)}")
    if not _has_files(found, entry) or (entry and entry.backbones and backbone not in entry.backbones):
        assert entry is not None
        of = ", ".join(entry.backbones) if entry.backbones else f"those of {entry.library}"
        raise StudyError(f"--backbone {backbone}: {source} has weights for {of}; name one of them, or another source.")
    return found.task, found.name


def _has_files(backbone: Backbone, entry: Source | None) -> bool:
    library = None if entry is None else entry.library
    return backbone.library != "scikit-learn" and library in {None, backbone.library}


def _timm_names_in(stem: str) -> list[str]:
    """The longest name of a timm model that a file's name contains, as in resnet34.tv_in1k.safetensors."""
    words = re.split(r"[^a-z0-9_]+", stem.lower())
    found = [name for name in TIMM_MODELS if any(name in word for word in words) and len(name) > 4]
    return sorted(found, key=len)[-1:]


def _check_place(folder: Path, backbone: str, again: bool) -> None:
    there = next((path for suffix in SUFFIXES if (path := folder / f"{backbone}{suffix}").exists()), None)
    if there is not None and not again:
        raise StudyError(f"{there}: is there already; --replace puts the new file in its place.")


def _scratch(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """On the disk of the weights, so that the last step is a renaming."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=".adding-", dir=folder)
    except OSError as error:
        raise StudyError(
            f"{folder}: cannot be written ({error.strerror}); make the folder of weights writable or name another with "
            "--weights."
        ) from None


def _record(file: Path, source: str, words: Words, facts: dict[str, Any], sha256: str) -> WeightsRecord:
    entry = SOURCES.get(source)
    return WeightsRecord(
        source=source,
        backbone=facts["backbone"],
        task=facts["task"],
        sha256=sha256,
        origin=file.name,
        origin_sha256=file_sha256(file),
        layout=facts["layout"],
        tensors=facts["tensors"],
        dropped=tuple(facts["dropped"]),
        modality=words.modality or (entry.modality if entry else UNKNOWN),
        anatomy=words.anatomy or (entry.anatomy if entry else UNKNOWN),
        license=words.license or (entry.license if entry else UNKNOWN),
        commercial_use=words.commercial_use or (entry.commercial_use if entry else "unknown"),
        normalization=words.normalization,
        added=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _put(draft: Path, folder: Path, record: WeightsRecord) -> Path:
    """The record first: killed in between, it has no file or another's hash, and a study refuses both."""
    path = folder / f"{record.backbone}.safetensors"
    replace(record_path(path), to_json(record.model_dump(mode="json")))
    return draft.replace(path)
