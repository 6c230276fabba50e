"""Do the centers have what the arms need: boxes, both classes, and enough patients in every fold?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import polars as pl

from cohorts.manifest import Center
from search_spaces.arms import Arm, DetectionArm, RadiomicsArm
from search_spaces.errors import StudyError
from search_spaces.recipes import reads_boxes
from search_spaces.study import StudySpec

LEAST_FOR_INNER_FOLDS = 3
"""Patients of each class that the ElasticNet's inner cross-validation needs."""


def check_centers(study: StudySpec, centers: Mapping[str, Center], corpora: Mapping[str, Center]) -> None:
    """Raise StudyError for the first thing that an arm needs and a center or corpus lacks."""
    from cohorts.checks import check_classes, check_shared_patients

    develop = [centers[name] for name in study.cohort.development]
    for arm in study.arms:
        where = _where(study, arm)
        for name in study.cohort.centers if reads_boxes(arm) else study.cohort.development:
            if (reads_boxes(arm) or isinstance(arm, DetectionArm)) and centers[name].boxes.is_empty():
                raise StudyError(f"{where}: center {name!r} has no boxes, which the arm reads; add its boxes.csv.")
        _check_corpora(where, arm, corpora)
        images, labels = _usable(arm, develop), _labels(develop)
        rule, folds = arm.labels, study.split.folds
        check_classes(images, labels, rule.positive, rule.negative, folds, where, study.split.reserve)
    if study.cohort.patient_ids == "shared":
        check_shared_patients(develop, [centers[name] for name in study.cohort.external])


def deal_folds(study: StudySpec, develop: Sequence[Center]) -> pl.DataFrame:
    """patient, fold of the development centers, as cohorts.splits deals them."""
    from cohorts.splits import assign_folds

    return assign_folds(_images(develop), _labels(develop), study.split)


def check_folds(study: StudySpec, develop: Sequence[Center], folds: pl.DataFrame) -> None:
    """Raise StudyError where the training or validation part of a fold has too few patients of a class for an arm."""
    from cohorts.roles import roles

    labels = _labels(develop)
    for arm, fold in product(study.arms, range(study.split.folds)):
        dealt = _usable(arm, develop).join(labels, on="image").join(roles(folds, fold), on="patient")
        classes = {"positive": arm.labels.positive, "negative": arm.labels.negative}
        for (name, words), role in product(classes.items(), ("train", "validation")):
            found = dealt.filter((pl.col("role") == role) & pl.col("label").is_in(words))["patient"].n_unique()
            least = LEAST_FOR_INNER_FOLDS if isinstance(arm, RadiomicsArm) and role == "train" else 1
            if found < least:
                raise StudyError(
                    f"{_where(study, arm)}: the {role} part of fold {fold} has {found} {name} patients "
                    f"({', '.join(words)}) that the arm can use, at least {least} are needed; use fewer folds, a "
                    "smaller reserve, another split.seed, or add patients."
                )


def _check_corpora(where: str, arm: Arm, corpora: Mapping[str, Center]) -> None:
    """A detector is pretrained on boxes."""
    if isinstance(arm, DetectionArm):
        for name in arm.grid.pretraining:
            if name in corpora and corpora[name].boxes.is_empty():
                raise StudyError(f"{where}: corpus {name!r} has no boxes to pretrain a detector on; add its boxes.csv.")


def _where(study: StudySpec, arm: Arm) -> str:
    boxed = " (images with a box)" if reads_boxes(arm) else ""
    return f"Study {study.name!r}, arm {arm.name!r}{boxed}"


def _usable(arm: Arm, develop: Sequence[Center]) -> pl.DataFrame:
    """The development images from which the arm can cut a region."""
    if not reads_boxes(arm):
        return _images(develop)
    return _images(develop).join(pl.concat([center.boxes for center in develop]), on="image", how="semi")


def _images(centers: Sequence[Center]) -> pl.DataFrame:
    return pl.concat([center.images for center in centers], how="vertical_relaxed")


def _labels(centers: Sequence[Center]) -> pl.DataFrame:
    return pl.concat([center.labels for center in centers], how="vertical_relaxed")
