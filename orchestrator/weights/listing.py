"""What `osteogrid weights list` prints: the catalogue of sources, and what is there of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from orchestrator.weights.checking import WeightsFile, files_in, files_of
from search_spaces.pretraining import NONE, SOURCES, Source, describe, known_sources
from search_spaces.starting_points import MeanAndDeviation
from search_spaces.study import StudySpec

UNKNOWN = "unknown"
_PER_IMAGE = "each image by itself"


def lines_of(folder: Path, study: StudySpec | None) -> Iterator[str]:
    """A paragraph per source: the catalogue's, those with files in the folder, and those that a study declares."""
    there: dict[str, list[WeightsFile]] = defaultdict(list)
    for file in files_in(folder):
        there[file.source].append(file)
    declared = [] if study is None else [name for name in known_sources(study) if name in study.sources]
    for name in dict.fromkeys([*SOURCES, *sorted(there), *declared]):
        files = there[files_of(study, name)]
        source = _source(name, files) if study is None else describe(study, name)
        yield from _paragraph(source, files, _normalization(source, files, study))
    if study is not None:
        yield from (f"{name}: a corpus on which study {study.name!r} trains itself" for name in study.corpora)
    yield f"{NONE}: no weights; needs no file"


def _source(name: str, files: list[WeightsFile]) -> Source:
    """The catalogue's entry, or what the files' records say."""
    if name in SOURCES:
        return SOURCES[name]
    record = next((file.record for file in files if file.record), None)
    if record is None:
        return Source(name, UNKNOWN, UNKNOWN, UNKNOWN, "unknown", None, None)
    return Source(name, record.modality, record.anatomy, record.license, record.commercial_use, None, None)


def _normalization(source: Source, files: list[WeightsFile], study: StudySpec | None) -> str:
    """What the study says, or the files' records, or the catalogue."""
    declared = None if study is None else study.sources.get(source.name)
    said = None if declared is None else declared.normalization
    recorded = next((file.record.normalization for file in files if file.record and file.record.normalization), None)
    found = said or recorded
    if found == "per_image":
        return _PER_IMAGE
    if isinstance(found, MeanAndDeviation):
        return f"mean {_numbers(found.mean)}, std {_numbers(found.std)}"
    if source.library == "ultralytics":
        return "none: detectors read gray values from 0 to 1"
    return f"mean {_numbers(source.mean)}, std {_numbers(source.std)}" if source.mean else _PER_IMAGE


def _paragraph(source: Source, files: list[WeightsFile], normalization: str) -> Iterator[str]:
    any_of = f"any of {source.library}" if source.library else "any that has a file"
    yield f"{source.name}: {source.modality}, {source.anatomy}"
    yield f"  license         {source.license}; commercial use: {source.commercial_use}"
    yield f"  normalization   {normalization}"
    yield f"  backbones       {', '.join(source.backbones) if source.backbones else any_of}"
    if source.where:
        yield f"  published as    {source.where}"
    if source.note:
        yield f"  note            {source.note}"
    for file in files:
        added = f"added {file.record.added[:10]} from {file.record.origin}" if file.record else "no record"
        yield f"  there           {file.path} ({added})"
    if not files:
        yield f"  there           nothing; osteogrid weights add FILE --as {source.name}"


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values)
