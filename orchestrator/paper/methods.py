"""The methods of a study in words: facts of its plan, lock and records, and a named gap for everything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from orchestrator.paper.methods_models import initializations, models, pretraining, training, tuning
from orchestrator.paper.methods_statistics import (
    calibration,
    decisions,
    explanations,
    heterogeneity,
    inference,
    robustness,
    summaries,
)
from orchestrator.paper.words import Section, counted, gap, listed, section
from search_spaces.study import StudySpec

if TYPE_CHECKING:
    from evaluation.report.context import ReportContext

SYNTHETIC = "All radiographs are synthetic (phantoms); nothing here is evidence about patients."
LIBRARIES = ("python", "torch", "timm", "ultralytics", "scikit-learn", "mirp", "optuna", "ray", "mlflow")


@dataclass(frozen=True)
class Subject:
    """What the methods are written from."""

    study: StudySpec
    context: ReportContext
    locked_at: str = ""
    plan_hash: str = ""
    opened_at: str = ""


def methods(subject: Subject) -> list[Section]:
    """Every part in the order of a paper."""
    study, context = subject.study, subject.context
    return [
        _design(subject),
        _cohort(subject),
        _reference_standard(study),
        _images(study),
        _partition(study),
        models(study),
        initializations(study),
        pretraining(study, context),
        tuning(study),
        training(study, context),
        _aggregation(study),
        decisions(study),
        inference(study),
        calibration(context),
        summaries(study, context),
        heterogeneity(context),
        robustness(study),
        explanations(study),
        _seal(subject),
        _software(context),
    ]


def _design(subject: Subject) -> Section:
    study = subject.study
    arms = [f"{arm.name} ({'box given' if _reads_boxes(arm) else 'box not given'})" for arm in study.arms]
    return section(
        "design",
        "Study design",
        SYNTHETIC if study.cohort.phantom else "",
        f"Models were developed on {counted(len(study.cohort.development), 'center')} "
        f"({listed(study.cohort.development)})"
        + (
            f" and tested on {counted(len(study.cohort.external), 'other center')} ({listed(study.cohort.external)}), "
            "which took no part in training, tuning, early stopping or the choice of thresholds."
            if study.cohort.external
            else "; no external center is named."
        ),
        f"{counted(len(study.arms), 'task family', 'task families').capitalize()} were compared: {listed(arms)}."
        if len(study.arms) > 1
        else f"One task family was studied: {arms[0]}.",
        gap("whether data were collected before (prospective) or after (retrospective) planning, and the study's goal"),
        gap("ethics approval or waiver, and consent"),
    )


def _reads_boxes(arm: object) -> bool:
    return getattr(arm, "task", "") == "radiomics" or getattr(arm, "region", "") == "box"


def _cohort(subject: Subject) -> Section:
    context = subject.context
    totals = [row for row in context.cohort.iter_rows(named=True) if row["label"] is None]
    told = [
        f"{row['center']} ({row['role']}): {counted(row['patients'], 'patient')}, "
        f"{counted(row['images'], 'radiograph')}"
        for row in totals
    ]
    aside = int(context.quarantine["count"].sum())
    return section(
        "cohort",
        "Patients and radiographs",
        f"{'; '.join(told)}." if told else gap("no center has been ingested yet"),
        f"{counted(aside, 'file was', 'files were')} set aside because {'it' if aside == 1 else 'they'} could not be "
        "used, each with a recorded reason."
        if aside
        else "No file was set aside as unusable.",
        "Patient identifiers were replaced by keyed hashes (HMAC-SHA256); of DICOM headers only view, age, sex, pixel "
        "spacing and what concerns pixels were kept.",
        "Duplicates were looked for between centers and pretraining corpora by equal pixels and by difference hashes "
        "with correlated thumbnails; a duplicate between an external center and anything that trains stops a study.",
        gap("where and when patients were identified, whether consecutively, and who was eligible or excluded"),
        gap("demographics, scanners and acquisition protocols as far as the report does not show them"),
        gap("how the sample size was determined"),
    )


def _reference_standard(study: StudySpec) -> Section:
    rules = [f"{arm.name}: {listed(arm.labels.positive)} against {listed(arm.labels.negative)}" for arm in study.arms]
    boxes = any(_reads_boxes(arm) or arm.task == "detection" for arm in study.arms)
    return section(
        "outcome",
        "Reference standard",
        f"Positive against negative labels: {'; '.join(rules)}; images with other labels were left out and counted.",
        gap("how labels were established (for example histology), why so, by whom, and blinded to what"),
        gap("who drew the boxes, with which experience and tool, and how much readers differ") if boxes else "",
    )


def _images(study: StudySpec) -> Section:
    size = study.preprocessing.size
    return section(
        "images",
        "Image preparation",
        f"Each radiograph was decoded once (modality and value-of-interest transforms, polarity) and resized by area "
        f"to at most {size} pixels on its longest side; smaller ones were not enlarged.",
    )


def _partition(study: StudySpec) -> Section:
    split = study.split
    reserve = (
        f"A reserve of {split.reserve:.0%} of the development patients was set aside first; it was used for thresholds "
        "and recalibration only."
        if split.reserve
        else "No reserve was set aside."
    )
    if split.kind == "kfold":
        rest = f"The other development patients were dealt into {split.folds} folds; each replicate held one out."
    else:
        rest = f"Of the other development patients {split.validation:.0%} were held out for validation, once."
    shared = study.cohort.patient_ids == "shared"
    return section(
        "partition",
        "Data partition",
        reserve,
        rest,
        f"Patients were never torn apart, and the parts were stratified by label (seed {split.seed}).",
        "Equal patient identifiers of different centers were taken as one patient."
        if shared
        else "Equal patient identifiers of different centers were taken as different patients.",
    )


def _aggregation(study: StudySpec) -> Section:
    box = any(_reads_boxes(arm) for arm in study.arms)
    detectors = [arm for arm in study.arms if arm.task == "detection"]
    highest = "the highest confidence of the target class"
    rule = {"max": highest, "noisy_or": "1 − Π(1 − p) over its boxes of the target class"}
    return section(
        "aggregation",
        "From models to scores",
        "An image with several boxes has the highest score of its regions." if box else "",
        *(f"{arm.name}: an image's score is {rule[arm.score]}." for arm in detectors),
        "A cell's score of an image is the mean over its replicates, of logits where every prediction has one and of "
        "scores otherwise; the same rule holds on the reserve and on external centers.",
    )


def _seal(subject: Subject) -> Section:
    context, external = subject.context, subject.study.cohort.external
    locked = (
        f"Cells, replicates, analysis plan and data fingerprints were locked on {subject.locked_at} (plan hash "
        f"{subject.plan_hash})."
        if subject.locked_at
        else "The plan has not been locked yet: no sweep has been started."
    )
    if not external:
        seal = "No external center is named."
    elif context.external_open and subject.opened_at:
        seal = (
            f"External labels were read for the comparison only after every locked replicate had ended; they were "
            f"opened on {subject.opened_at}."
        )
    else:
        seal = "External centers not opened: no result on them is in this kit."
    changed = context.changes.filter(pl.col("in_effect")).iter_rows(named=True)
    changes = [f"{row['what'].rstrip('.')}{_what_it_makes(row['exploratory'])}" for row in changed]
    return section(
        "seal",
        "Lock and seal",
        locked,
        seal,
        f"Changes after the lock: {'; '.join(changes)}." if changes else "",
        gap("registration of the study and where its protocol can be read"),
    )


def _what_it_makes(exploratory: str | None) -> str:
    return f" (exploratory: {exploratory})" if exploratory else ""


def _software(context: ReportContext) -> Section:
    known = [(name, context.environment.get(name, "")) for name in LIBRARIES]
    versions = listed(f"{name} {version}" for name, version in known if version)
    commit = context.environment.get("commit", "")
    return section(
        "software",
        "Software",
        f"osteogrid {context.environment.get('osteogrid', 'of unknown version')}"
        f"{f', commit {commit}' if commit else ''}, code fingerprint {context.environment.get('code', 'unknown')}; "
        f"{versions}.",
        f"Computed on {context.environment['machine']} (where this kit was written)."
        if "machine" in context.environment
        else "",
    )
