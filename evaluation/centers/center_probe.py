"""Whether scores or features betray the center that an image comes from."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp
from scipy.stats import rankdata
from scipy.stats import t as t_distribution

from evaluation.arrays import Floats, Integers

METHOD = "linear discriminant analysis, Ledoit-Wolf shrinkage, {} patient-grouped folds"
P_METHOD = "t test against {} permutations of patients"
ONE_CENTER, CONSTANT = "one center", "constant features"
_SPECK = 1e-6


@dataclass(frozen=True)
class CenterProbe:
    """How well a classifier that has not seen a patient tells the patient's center.

    `balanced_accuracy`: mean over centers of the share of their cases that are recognized, `chance` its level without
    information. `auc`: mean over centers of the AUC of a center against the others, .5 without information.
    """

    balanced_accuracy: float
    auc: float
    chance: float
    p: float
    centers: int
    cases: int
    permutations: int
    method: str
    flag: str = ""


@dataclass(frozen=True, eq=False)
class _Part:
    """Cases of one class: standardized features (n, d), centers and patients as numbers."""

    features: Floats
    centers: Integers
    patients: Integers
    count: int
    flag: str


@dataclass(frozen=True)
class _Found:
    balanced_accuracy: float
    auc: float


def center_probe(
    features: ArrayLike,
    centers: ArrayLike,
    patients: ArrayLike,
    labels: ArrayLike | None = None,
    folds: int = 5,
    seed: int = 0,
    permutations: int = 19,
) -> CenterProbe:
    """Cross-validated recognition of the center from `features` (n,) or (n, d), one row per case.

    With `labels` the classes are probed apart and averaged, so that other prevalences alone betray nothing. Linear
    discriminant analysis (Fisher 1936) with the shrinkage of Ledoit & Wolf (2004) and equal priors; a patient's cases
    stay in one fold. Centers with fewer patients than folds are left out and flagged. The one-sided p-value compares
    the AUC with those after shuffling centers among patients; NaN with fewer than two permutations. Raises ValueError
    for NaN, unequal lengths, a third label, fewer than two folds or negative permutations.
    """
    values, where, who, classes = _checked(features, centers, patients, labels)
    if folds < 2 or permutations < 0:
        raise ValueError(f"folds must be at least 2 and permutations at least 0, got {folds} and {permutations}")
    rng = np.random.default_rng(seed)
    parts = [_part(values[used], where[used], who[used], folds, rng) for used in classes]
    probed = [part for part in parts if part.count > 1]
    flag = "; ".join(dict.fromkeys(part.flag for part in parts if part.flag))
    method = METHOD.format(folds) + ("" if labels is None else ", within classes")
    if not probed:
        return CenterProbe(nan, nan, nan, nan, 0, 0, 0, method, flag)
    found = _probe(probed, folds, rng)
    null = [_probe([_shuffled(part, rng) for part in probed], folds, rng).auc for _ in range(permutations)]
    return CenterProbe(
        balanced_accuracy=found.balanced_accuracy,
        auc=found.auc,
        chance=float(np.mean([1 / part.count for part in probed])),
        p=_p(found.auc, np.array(null)),
        centers=max(part.count for part in probed),
        cases=sum(part.centers.size for part in probed),
        permutations=permutations,
        method=f"{method}; {P_METHOD.format(permutations)}" if permutations > 1 else method,
        flag=flag,
    )


def _checked(
    features: ArrayLike, centers: ArrayLike, patients: ArrayLike, labels: ArrayLike | None
) -> tuple[Floats, NDArray[np.str_], Integers, list[NDArray[np.bool_]]]:
    values = np.asarray(features, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    where, who = np.asarray(centers).astype(np.str_), np.asarray(patients)
    classes = np.zeros(where.size) if labels is None else np.asarray(labels)
    if values.ndim != 2 or not {(len(values),)} == {where.shape, who.shape, classes.shape} or not values.size:
        raise ValueError(f"each case needs features, center and patient, got {len(values)}, {where.size}, {who.size}")
    if not np.isfinite(values).all():
        raise ValueError(f"{int((~np.isfinite(values)).sum())} features are NaN or infinite; every case needs them all")
    if not np.isin(classes, (0, 1)).all():
        raise ValueError(f"labels must be 0 or 1, found {classes[~np.isin(classes, (0, 1))][0]!r}")
    codes = np.unique(who, return_inverse=True)[1]
    return values, where, codes, [classes == label for label in np.unique(classes)]


def _part(
    features: Floats, centers: NDArray[np.str_], patients: Integers, folds: int, rng: np.random.Generator
) -> _Part:
    names, codes = np.unique(centers, return_inverse=True)
    patients_of = np.bincount(_first(codes, patients), minlength=names.size)
    kept = patients_of >= folds
    left_out = [
        f"{name} left out ({size} patients)" for name, size in zip(names, patients_of, strict=True) if size < folds
    ]
    used = kept[codes]
    spread = features[used].std(axis=0) if used.any() else np.zeros(1)
    if kept.sum() < 2 or not spread.any():
        flag = "; ".join([ONE_CENTER if kept.sum() < 2 else CONSTANT, *left_out])
        return _Part(features[:0], codes[:0], patients[:0], 0, flag)
    varying = features[used][:, spread > 0]
    scaled = (varying - varying.mean(axis=0)) / spread[spread > 0]
    # A feature that is constant within every center has no variance to divide by, and yet betrays the center.
    scaled += _SPECK * rng.standard_normal(scaled.shape)
    return _Part(
        scaled,
        np.unique(codes[used], return_inverse=True)[1],
        np.unique(patients[used], return_inverse=True)[1],
        int(kept.sum()),
        "; ".join(left_out),
    )


def _first(centers: Integers, patients: Integers) -> Integers:
    """The center of each patient, of several the first."""
    return centers[np.unique(patients, return_index=True)[1]]


def _shuffled(part: _Part, rng: np.random.Generator) -> _Part:
    """Centers dealt anew among the patients; what a patient has at two centers counts as two patients here."""
    units, codes = np.unique(part.patients * part.count + part.centers, return_inverse=True)
    return _Part(part.features, rng.permutation(units % part.count)[codes], part.patients, part.count, part.flag)


def _probe(parts: list[_Part], folds: int, rng: np.random.Generator) -> _Found:
    found = [_probe_part(part, _folds(part, folds, rng), folds) for part in parts]
    return _Found(float(np.mean([one.balanced_accuracy for one in found])), float(np.mean([one.auc for one in found])))


def _folds(part: _Part, folds: int, rng: np.random.Generator) -> Integers:
    """A fold for each case: patients of a center are dealt out in random order."""
    of_patient = _first(part.centers, part.patients)
    order = rng.permutation(of_patient.size)
    order = order[np.argsort(of_patient[order], kind="stable")]
    sizes = np.bincount(of_patient, minlength=part.count)
    place = np.arange(of_patient.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    fold = np.empty(of_patient.size, np.int64)
    fold[order] = place % folds
    return fold[part.patients]


def _probe_part(part: _Part, fold: Integers, folds: int) -> _Found:
    recognized, size, wins, pairs = np.zeros((4, part.count))
    for number in range(folds):
        held_out = fold == number
        scores = _log_odds(part.features[~held_out], part.centers[~held_out], part.features[held_out], part.count)
        is_center = part.centers[held_out, None] == np.arange(part.count)
        of_center = is_center.sum(axis=0)
        recognized += (is_center & (scores.argmax(axis=1)[:, None] == np.arange(part.count))).sum(axis=0)
        size += of_center
        # Within a fold only, where one model gave all the scores: pooled folds push a useless probe below .5.
        wins += (rankdata(scores, axis=0) * is_center).sum(axis=0) - of_center * (of_center + 1) / 2
        pairs += of_center * (of_center.sum() - of_center)
    return _Found(float((recognized / size).mean()), float((wins / pairs).mean()))


def _log_odds(features: Floats, centers: Integers, held_out: Floats, count: int) -> Floats:
    """Log odds of every center for the cases held out; probabilities would be 1 for many and tie."""
    one = features.shape[1] == 1
    linear = (_single if one else _several)(features, centers, held_out, count)
    return np.column_stack(
        [linear[:, center] - logsumexp(np.delete(linear, center, axis=1), axis=1) for center in range(count)]
    )


def _several(features: Floats, centers: Integers, held_out: Floats, count: int) -> Floats:
    # scikit-learn takes seconds to import, and a report, which probes single scores, does without it.
    from sklearn import config_context
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=np.full(count, 1 / count))
    with config_context(assume_finite=True, skip_parameter_validation=True):
        model.fit(features, centers)
    linear: Floats = held_out @ model.coef_.T + model.intercept_
    return np.column_stack([-linear[:, 0], linear[:, 0]]) / 2 if count == 2 else linear


def _single(features: Floats, centers: Integers, held_out: Floats, count: int) -> Floats:
    """The same for one feature, which shrinkage leaves alone, without scikit-learn's 10 ms per fit."""
    values, sizes = features[:, 0], np.bincount(centers, minlength=count)
    means = np.bincount(centers, values, count) / sizes
    within = float(np.mean(np.bincount(centers, (values - means[centers]) ** 2, count) / sizes))
    return np.asarray((held_out * means - means**2 / 2) / within, dtype=np.float64)


def _p(auc: float, null: Floats) -> float:
    if null.size < 2 or not null.std():
        return nan
    z = (auc - null.mean()) / (null.std(ddof=1) * sqrt(1 + 1 / null.size))
    return float(t_distribution.sf(z, null.size - 1))
