"""Who trains, who validates, who is kept in reserve: always whole patients, stratified by their labels."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import numpy as np
import polars as pl

from cohorts.roles import ALWAYS_TRAINED, RESERVE
from search_spaces.errors import StudyError
from search_spaces.study import Holdout, KFold

Strata = np.ndarray[Any, np.dtype[np.str_]]
Places = np.ndarray[Any, np.dtype[np.intp]]


def assign_folds(images: pl.DataFrame, labels: pl.DataFrame, split: KFold | Holdout) -> pl.DataFrame:
    """One row per labeled patient: patient, fold (k: validated in fold k; -1: reserve; -2: trained in every fold).

    The stratum of a patient is the set of labels on the images. The result depends on image ids and labels, not on
    row order, paths or the salt of the patient hashes. Raises StudyError where patients are too few.
    """
    patients = _patients(images, labels)
    strata = patients["stratum"].to_numpy().astype(str)
    _enough(len(strata), split)
    everyone = np.arange(len(strata))
    rest, reserve = _part(everyone, strata, split.reserve, split.seed) if split.reserve else (everyone, everyone[:0])
    folds = np.full(len(strata), ALWAYS_TRAINED)
    folds[reserve] = RESERVE
    if isinstance(split, KFold):
        for fold, validated in enumerate(_validated(strata[rest], split)):
            folds[rest[validated]] = fold
    else:
        folds[_part(rest, strata[rest], split.validation, split.seed)[1]] = 0
    return pl.DataFrame(
        {"patient": patients["patient"], "fold": folds}, schema={"patient": pl.String, "fold": pl.Int64}
    )


def _patients(images: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """patient, stratum in the order of each patient's smallest image id."""
    labeled = images.select("image", "patient").join(labels.select("image", "label"), on="image")
    grouped = labeled.group_by("patient").agg(
        pl.col("image").min().alias("first"), pl.col("label").unique().sort().str.join("+").alias("stratum")
    )
    return grouped.sort("first").select("patient", "stratum")


def _enough(patients: int, split: KFold | Holdout) -> None:
    parts = split.folds if isinstance(split, KFold) else 2
    what = f"{split.folds} folds" if isinstance(split, KFold) else "a training and a validation part"
    rest = patients - (np.ceil(patients * split.reserve) if split.reserve else 0)
    if rest < parts:
        raise StudyError(
            f"`split`: {what} beside a reserve of {split.reserve:g} need at least {parts} patients outside it, but of "
            f"{patients} labeled development patients {int(rest)} are; lower `folds` or `reserve`, or add patients."
        )


def _part(everyone: Places, strata: Strata, share: float, seed: int) -> tuple[Places, Places]:
    """Split off a stratified share of the patients, rounded up; at least one stays."""
    count = min(int(np.ceil(len(everyone) * share)), len(everyone) - 1)
    from sklearn.model_selection import train_test_split

    merged = _merge(strata, most=min(count, len(everyone) - count))
    stratify = merged if len(set(merged)) > 1 else None
    rest, part = train_test_split(everyone, test_size=count, stratify=stratify, random_state=seed)
    return np.sort(rest), np.sort(part)


def _merge(strata: Strata, most: int) -> Strata:
    """Merge the rarest strata until each has two patients and there are at most `most`: less cannot be split."""
    merged = strata.astype(object)
    while len(counts := Counter(merged)) > 1 and (min(counts.values()) < 2 or len(counts) > most):
        first, second = sorted(counts, key=lambda stratum: (counts[stratum], stratum))[:2]
        merged[(merged == first) | (merged == second)] = f"{first}|{second}"
    return merged.astype(str)


def _validated(strata: Strata, split: KFold) -> list[Places]:
    """Places of the patients validated in each fold; a stratum's counts differ by at most one between folds."""
    from sklearn.model_selection import StratifiedKFold

    if max(Counter(strata).values()) < split.folds:
        strata = np.full(len(strata), "all")
    folds = StratifiedKFold(split.folds, shuffle=True, random_state=split.seed)
    with warnings.catch_warnings():  # a stratum rarer than the folds is spread as far as it goes
        warnings.simplefilter("ignore", UserWarning)
        return [validated for _, validated in folds.split(strata, strata)]
