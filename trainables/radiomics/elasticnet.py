"""ElasticNet logistic regression on features: filter, scale, fit, chosen by patient-grouped inner folds."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from search_spaces.errors import StudyError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Split = tuple[Ints, Ints]

# Of equal inner AUCs the first wins, so both run from the simpler model to the richer one.
GRID: dict[str, tuple[float, ...]] = {
    "C": tuple(float(c) for c in np.logspace(-3, 0, 7)),
    "l1_ratio": (0.9, 0.5, 0.1),
}
INNER_FOLDS = 5
MIN_PATIENTS = 3
"""Per class; with fewer, no inner fold can hold a patient of each class on both sides."""

_MAX_CORRELATION = 0.9
_MAX_ITERATIONS = 2000
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Training:
    """Rows of a training set: features (regions, features), label 0 or 1 and patient of each region."""

    features: Floats
    labels: Ints
    patients: NDArray[np.str_]


class DistinctFeatures(TransformerMixin, BaseEstimator):
    """Keeps the features that vary and are not a near copy of an earlier one.

    Of two features with |Pearson r| above `max_correlation` the later is dropped. `kept_` holds column numbers.
    """

    def __init__(self, max_correlation: float = _MAX_CORRELATION) -> None:
        self.max_correlation = max_correlation

    def fit(self, features: Floats, labels: Ints | None = None) -> Self:
        """Choose the columns; `labels` are not looked at."""
        deviations = features.std(axis=0)
        # Relative, because a standardized mean of 300 differs between regions by rounding only.
        varying = np.flatnonzero(deviations > 1e-9 * np.abs(features).max(axis=0))
        if varying.size == 0:
            raise StudyError(f"All {features.shape[1]} features are constant over {len(features)} training regions.")
        scores = (features[:, varying] - features[:, varying].mean(axis=0)) / deviations[varying]
        correlations = np.abs(scores.T @ scores) / len(features)
        kept: list[int] = []
        for column in range(varying.size):
            if not (correlations[column, kept] > self.max_correlation).any():
                kept.append(column)
        self.kept_ = varying[kept]
        return self

    def transform(self, features: Floats) -> Floats:
        """The kept columns."""
        return features[:, self.kept_]


def search(training: Training, *, seed: int, hyperparameters: Mapping[str, Any] | None = None) -> GridSearchCV:
    """Try the grid on inner folds, refit the best on all rows; everything but the grid is learned inside the folds.

    `hyperparameters` may fix `C` or `l1_ratio`. The result has best_estimator_, best_params_ (`model__C`, …) and
    best_score_ (mean inner AUC over regions). Raises StudyError when a class has too few patients.
    """
    grid = {f"model__{name}": list(values) for name, values in _grid(hyperparameters or {}).items()}
    splits = list(inner_splits(training, seed=seed))
    candidates = GridSearchCV(pipeline(seed), grid, scoring="roc_auc", cv=splits, error_score="raise")
    with warnings.catch_warnings():
        # A weakly penalized candidate may stop early; whether the chosen one did is in the certificate.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return candidates.fit(training.features, training.labels)


def pipeline(seed: int) -> Pipeline:
    """Filter, scale and model as one estimator, so that no fold lends its statistics to another."""
    model = LogisticRegression(
        solver="saga", class_weight="balanced", max_iter=_MAX_ITERATIONS, tol=_TOLERANCE, random_state=seed
    )
    return Pipeline([("distinct", DistinctFeatures()), ("scale", StandardScaler()), ("model", model)])


def inner_splits(training: Training, *, seed: int) -> Iterator[Split]:
    """Stratified folds of whole patients, five or as many as leave both classes on each side of every fold."""
    patients = [len(set(training.patients[training.labels == label])) for label in (0, 1)]
    if min(patients) < MIN_PATIENTS:
        raise StudyError(
            f"Radiomics: the training part has features of {patients[1]} positive and {patients[0]} negative patients, "
            f"at least {MIN_PATIENTS} of each are needed; add patients or use fewer folds."
        )
    for folds in range(min(INNER_FOLDS, *patients), 1, -1):
        grouped = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        splits = list(grouped.split(training.features, training.labels, _numbered(training.patients)))
        if all(set(training.labels[part]) == {0, 1} for split in splits for part in split):
            return iter(splits)
    raise StudyError(
        f"Radiomics: {patients[1]} positive and {patients[0]} negative patients cannot be halved with both classes on "
        "each side; add patients or use fewer folds."
    )


def _numbered(patients: NDArray[np.str_]) -> NDArray[np.intp]:
    """Patients by the order in which they come: their hashes are salted, and no fold may depend on the salt."""
    _, first, number = np.unique(patients, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[number], np.intp)


def _grid(fixed: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    unknown = sorted(set(fixed) - set(GRID))
    if unknown:
        raise StudyError(f"Radiomics has no hyperparameter {unknown[0]!r}; it has {', '.join(sorted(GRID))}.")
    return {name: (float(fixed[name]),) if name in fixed else values for name, values in GRID.items()}
