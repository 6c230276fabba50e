"""One phantom patient: who it is, which lesion it has, and the radiographs that its center takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from cohorts.phantom.acquisition import expose, finish, quantize
from cohorts.phantom.centers import center_effects
from cohorts.phantom.knee import Film, View, draw_anatomy, render_knee
from cohorts.phantom.lesions import Box, add_lesion, draw_lesion
from cohorts.phantom.noise import FILM, Array, generator, noise_pool
from search_spaces.study import Phantom

PatientLabel = Literal["malignant", "benign", "normal"]
_ANATOMY, _VIEW, _CLASSES = 1, 2, 3
_LARGEST_RENDERED = 640
"""Anatomy has no detail beyond this height; larger films are enlarged before they are exposed."""


@dataclass(frozen=True)
class Patient:
    """Header data of one patient; `number` counts from 1 within the center."""

    number: int
    label: PatientLabel
    age: int
    sex: str
    views: tuple[View, ...]

    @property
    def patient_id(self) -> str:
        """The hospital's number; like real ones, it occurs again in other centers."""
        return f"CANARY-{self.number:04d}"


@dataclass(frozen=True)
class Radiograph:
    """`stored`: uint16 as the file holds them, shape (height, width); `box` around the lesion in these pixels."""

    stored: npt.NDArray[np.uint16]
    box: Box | None


def patient_labels(spec: Phantom, row: int) -> list[PatientLabel]:
    """The label of each patient of the row-th center, shuffled."""
    malignant = round(spec.prevalence * spec.patients)
    benign = (spec.patients - malignant + 1) // 2
    counts: dict[PatientLabel, int] = {
        "malignant": malignant,
        "benign": benign,
        "normal": spec.patients - malignant - benign,
    }
    labels = [label for label, count in counts.items() for _ in range(count)]
    return [labels[place] for place in generator(spec.seed, _CLASSES, row).permutation(len(labels))]


def draw_patient(spec: Phantom, row: int, number: int, label: PatientLabel) -> Patient:
    """Age, sex and views of a patient; none of them depends on the label."""
    rng = generator(spec.seed, _ANATOMY, row, number, 0)
    views: tuple[View, ...] = ("AP", "LAT") if rng.random() < 0.45 else ("AP",)
    return Patient(number, label, int(rng.integers(8, 86)), str(rng.choice(["F", "M"])), views)


def take_radiograph(spec: Phantom, row: int, patient: Patient, view: View) -> Radiograph:
    """One view of a patient's knee; the lesion is the patient's, position, texture and exposure are the view's."""
    effects = center_effects(row, spec.seed, spec.difficulty)
    own = generator(spec.seed, _ANATOMY, row, patient.number, 1)
    rng = generator(spec.seed, _VIEW, row, patient.number, patient.views.index(view))
    height = min(spec.height, _LARGEST_RENDERED)
    pool = noise_pool(spec.seed, height)
    film = render_knee(draw_anatomy(own), view, height, rng, pool)
    box = None
    if patient.label != "normal":
        lesion = draw_lesion(own, patient.label, spec.difficulty)
        box = add_lesion(film, lesion, rng, pool, keep_out=effects.file_format.collimation * FILM)
    attenuation, box = _enlarge(film, box, spec.height)
    picture = finish(expose(attenuation, effects.detector, rng), effects.file_format, rng)
    return Radiograph(quantize(picture, effects.file_format.bits, effects.file_format.inverted), box)


def _enlarge(film: Film, box: Box | None, height: int) -> tuple[Array, Box | None]:
    rendered, width = film.attenuation.shape
    if rendered == height:
        return film.attenuation, box
    factor = height / rendered
    larger: Array = cv2.resize(film.attenuation, (round(width * factor), height), interpolation=cv2.INTER_CUBIC)
    if box is None:
        return larger, None
    x0, y0, x1, y1 = (round(factor * side) for side in (box.x0, box.y0, box.x1, box.y1))
    return larger, replace(box, x0=x0, y0=y0, x1=min(x1, larger.shape[1]), y1=min(y1, height))
