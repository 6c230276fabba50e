"""Files to stored images, in parallel processes; a file that breaks its decoder is quarantined and the rest goes on."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2

from cohorts.dicom import read_dicom
from cohorts.radiograph import Radiograph, UnreadableError
from cohorts.raster import JPEG, PNG, read_raster
from cohorts.resize import difference_hash, shrink

IN_PROCESS = 16
"""Centers of fewer files are decoded in this process: starting others takes longer."""

CHUNK = 4
"""Files that a process is handed at a time."""


@dataclass(frozen=True)
class Stored:
    """One image as it enters the pixel store: `radiograph.values` are at stored size."""

    sha256: str
    radiograph: Radiograph
    source_height: int
    source_width: int
    pixels_sha: str
    dhash: str


@dataclass(frozen=True)
class Known:
    """A file whose content an earlier ingestion has decoded."""

    sha256: str


@dataclass(frozen=True)
class Refused:
    """A file for the quarantine."""

    sha256: str
    reason: str


Outcome = Stored | Known | Refused


def read_image(data: bytes) -> Radiograph:
    """PNG, JPEG or DICOM by content, never by name; raises UnreadableError."""
    return read_raster(data) if data.startswith((PNG, JPEG)) else read_dicom(data)


def decode_files(paths: Sequence[Path], size: int, known: frozenset[str], workers: int) -> Iterator[Outcome]:
    """Outcomes in the order of `paths`, longest side at most `size`; `known` are the sha256 not to decode again."""
    decode = partial(_decode, size=size, known=known)
    if workers <= 1 or len(paths) < IN_PROCESS:
        yield from map(decode, paths)
        return
    done = 0
    while done < len(paths):
        try:
            with _pool(min(workers, len(paths) - done)) as pool:
                for outcome in pool.map(decode, paths[done:], chunksize=CHUNK):
                    yield outcome
                    done += 1
        except BrokenProcessPool:
            for outcome in _one_by_one(paths[done : done + CHUNK * workers], size, known):
                yield outcome
                done += 1


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread)


def _one_thread() -> None:
    cv2.setNumThreads(1)


def _one_by_one(paths: Sequence[Path], size: int, known: frozenset[str]) -> Iterator[Outcome]:
    """Outcomes up to and with the first file that takes its process down."""
    with _pool(1) as pool:
        pool.submit(_one_thread).result()  # where no process can start at all, no file is to blame
        for path in paths:
            try:
                yield pool.submit(_decode, path, size, known).result()
            except BrokenProcessPool:
                yield Refused(
                    hashlib.sha256(path.read_bytes()).hexdigest(), "corrupt: the decoder crashed at this file"
                )
                return


def _decode(path: Path, size: int, known: frozenset[str]) -> Outcome:
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 in known:
        return Known(sha256)
    try:
        radiograph = read_image(data)
    except UnreadableError as error:
        return Refused(sha256, str(error))
    height, width = radiograph.values.shape
    values = shrink(radiograph.values, size)
    return Stored(
        sha256=sha256,
        radiograph=replace(radiograph, values=values),
        source_height=height,
        source_width=width,
        pixels_sha=hashlib.sha256(f"{values.shape}".encode() + values.astype("<u2").tobytes()).hexdigest(),
        dhash=difference_hash(values),
    )
