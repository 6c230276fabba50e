"""Phantoms as a source: centers of knee radiographs (DICOM) and pretraining corpora (PNG), written once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

from cohorts.phantom.centers import center_effects
from cohorts.phantom.chest import CHEST_LABELS, draw_chest
from cohorts.phantom.lesions import Box
from cohorts.phantom.natural import NATURAL_LABELS, draw_natural
from cohorts.phantom.noise import generator, noise_pool
from cohorts.phantom.patient import PatientLabel, draw_patient, patient_labels, take_radiograph
from cohorts.phantom.picture import Picture
from cohorts.phantom.writing import (
    BOX_COLUMNS,
    VERSION,
    Mapper,
    Stamp,
    is_finished,
    processes,
    publish,
    write_csv,
)
from search_spaces.starting_points import PhantomCorpus
from search_spaces.study import Phantom

Row = Sequence[object]
_CHEST, _NATURAL = 4, 5


@dataclass(frozen=True)
class _Written:
    """The table rows of what one task wrote."""

    labels: list[Row]
    boxes: list[Row]


def write_centers(spec: Phantom, centers: tuple[str, ...], out: Path, workers: int = 2) -> None:
    """Write <out>/<center> (images/*.dcm, labels.csv, boxes.csv) for every center that is not there yet.

    The order of the centers decides their detectors and file formats. Raises StudyError, before anything is
    written, if a center's folder holds something else than this phantom.
    """
    stamps = {center: _center_stamp(spec, row) for row, center in enumerate(centers)}
    waiting = [center for center in centers if not is_finished(out / center, stamps[center])]
    with processes(workers, len(waiting) * spec.patients * spec.height**2) as run:
        for center in waiting:
            fill = partial(_fill_center, spec=spec, center=center, row=centers.index(center), run=run)
            publish(out / center, stamps[center], fill)


def write_corpus(spec: PhantomCorpus, out: Path, workers: int = 2) -> None:
    """Write a corpus (images/*.png, labels.csv, boxes.csv) into `out`, unless it is there.

    Raises StudyError if the folder holds something else than this corpus.
    """
    stamp: Stamp = {"version": VERSION, "what": "corpus", "spec": spec.model_dump(mode="json")}
    if is_finished(out, stamp):
        return
    with processes(workers, spec.images * spec.height**2) as run:
        publish(out, stamp, partial(_fill_corpus, spec=spec, run=run))


def _center_stamp(spec: Phantom, row: int) -> Stamp:
    return {"version": VERSION, "what": "center", "position": row, "spec": spec.model_dump(mode="json")}


def _fill_center(folder: Path, spec: Phantom, center: str, row: int, run: Mapper) -> None:
    (folder / "images").mkdir()
    patients = list(enumerate(patient_labels(spec, row), start=1))
    written = list(run(partial(_write_patient, folder, spec, center, row), patients))
    _write_tables(folder, ("file", "patient_id", "label", "view", "age", "sex"), written)


def _write_patient(folder: Path, spec: Phantom, center: str, row: int, who: tuple[int, PatientLabel]) -> _Written:
    from cohorts.phantom.dicom_file import write_dicom

    patient = draw_patient(spec, row, *who)
    file_format = center_effects(row, spec.seed, spec.difficulty).file_format
    written = _Written([], [])
    for view in patient.views:
        radiograph = take_radiograph(spec, row, patient, view)
        file = f"images/{patient.number:04d}-{view}.dcm"
        write_dicom(folder / file, radiograph.stored, patient, view, center, file_format, spec.seed)
        written.labels.append((file, patient.patient_id, patient.label, view, patient.age, patient.sex))
        if radiograph.box:
            written.boxes.append(_box_row(file, radiograph.box))
    return written


def _fill_corpus(folder: Path, spec: PhantomCorpus, run: Mapper) -> None:
    (folder / "images").mkdir()
    written = list(run(partial(_write_picture, folder, spec), range(spec.images)))
    people = ("view", "age", "sex") if spec.kind == "chest" else ()
    _write_tables(folder, ("file", "patient_id", "label", *people), written)


def _write_picture(folder: Path, spec: PhantomCorpus, index: int) -> _Written:
    file = f"images/{index:05d}.png"
    rng = generator(spec.seed, _CHEST if spec.kind == "chest" else _NATURAL, index)
    people = ("PA", int(rng.integers(18, 90)), str(rng.choice(["F", "M"]))) if spec.kind == "chest" else ()
    picture = _draw(spec, index)
    _, encoded = cv2.imencode(".png", picture.pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    (folder / file).write_bytes(encoded.tobytes())
    label_row = (file, f"{spec.kind}-{index:05d}", picture.label, *people)
    return _Written([label_row], [_box_row(file, box) for box in picture.boxes])


def _draw(spec: PhantomCorpus, index: int) -> Picture:
    pool = noise_pool(spec.seed, spec.height)
    if spec.kind == "chest":
        rng = generator(spec.seed, _CHEST, index, 1)
        return draw_chest(CHEST_LABELS[index % len(CHEST_LABELS)], spec.height, rng, pool)
    rng = generator(spec.seed, _NATURAL, index, 1)
    return draw_natural(NATURAL_LABELS[index % len(NATURAL_LABELS)], spec.height, rng, pool)


def _box_row(file: str, box: Box) -> Row:
    return (file, box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0)


def _write_tables(folder: Path, columns: tuple[str, ...], written: list[_Written]) -> None:
    write_csv(folder / "labels.csv", columns, [row for part in written for row in part.labels])
    write_csv(folder / "boxes.csv", BOX_COLUMNS, [row for part in written for row in part.boxes])
