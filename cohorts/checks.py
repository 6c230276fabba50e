"""What must hold between centers and within labels before anything is trained."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import polars as pl

from cohorts.duplicates import Duplicate, find_duplicates
from cohorts.manifest import Center
from search_spaces.errors import StudyError

__all__ = ["Duplicate", "check_classes", "check_shared_patients", "count_classes", "find_duplicates"]


def check_classes(
    images: pl.DataFrame,
    labels: pl.DataFrame,
    positive: Sequence[str],
    negative: Sequence[str],
    folds: int,
    where: str,
    reserve: float = 0.0,
) -> None:
    """Raise StudyError unless both classes have a patient for every fold, beside the reserved share of them.

    `where` names the arm or the center, and begins the sentence.
    """
    labeled = images.select("image", "patient").join(labels, on="image")
    for role, names in (("positive", positive), ("negative", negative)):
        listed = ", ".join(names)
        patients = labeled.filter(pl.col("label").is_in(list(names)))["patient"].n_unique()
        if patients == 0:
            found = ", ".join(sorted(set(labeled["label"]))) or "none"
            raise StudyError(
                f"{where}: no patient has a {role} label ({listed}), so there is one class only; the labels found are "
                f"{found}; correct `labels.{role}` or add such patients."
            )
        kept = math.ceil(patients * reserve)
        if patients - kept < folds:
            beside = f" beside {kept} in the reserve" if kept else ""
            raise StudyError(
                f"{where}: {patients} patients have a {role} label ({listed}), at least {folds} are needed{beside}, "
                "one for each fold; lower `folds` or `reserve`, or add patients."
            )


def check_shared_patients(development: Iterable[Center], external: Iterable[Center]) -> None:
    """With ids shared across centers: raise StudyError where a development patient is external too."""
    external = tuple(external)
    for trained in development:
        for tested in external:
            both = set(trained.images["patient"]) & set(tested.images["patient"])
            if both:
                raise StudyError(
                    f"{len(both)} patients of the development center {trained.name!r} are in the external center "
                    f"{tested.name!r} too; with `patient_ids: shared` a patient may be in one of them only; remove "
                    "them from one labels.csv, or set `patient_ids: per_center` if the hospitals number independently."
                )


def count_classes(center: Center, positive: Sequence[str], negative: Sequence[str]) -> dict[str, int]:
    """Images with a positive, a negative and another label; the others are left out by an arm."""
    role = {**dict.fromkeys(positive, "positive"), **dict.fromkeys(negative, "negative")}
    found = Counter(role.get(label, "other") for label in center.labels["label"])
    return {name: found[name] for name in ("positive", "negative", "other")}
