"""Panels: the aggregated scores of all cells on the images of one role and center, ready to be compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from evaluation import delong
from evaluation.arrays import Bools, Floats
from evaluation.clustered import Clusters
from evaluation.comparison.aggregation import ROLES
from evaluation.delong import Placements

POOLED, STRATIFIED = "all", "stratified"


@dataclass(frozen=True, eq=False)
class Cases:
    """The images that some cells all scored, and on whose label they agree."""

    used: Bools
    """Which of the panel's images these are."""
    labels: NDArray[np.int64]
    patients: NDArray[np.int64]

    @cached_property
    def clusters(self) -> Clusters:
        """Positives and negatives by patient."""
        return Clusters.of(self.labels, self.patients)

    @property
    def n_positive(self) -> int:
        """Positive images."""
        return int(self.labels.sum())

    @property
    def n_negative(self) -> int:
        """Negative images."""
        return self.labels.size - self.n_positive

    @property
    def one_class(self) -> bool:
        """Whether there is nothing to discriminate."""
        return self.n_positive == 0 or self.n_negative == 0


@dataclass(frozen=True, eq=False)
class Panel:
    """Scores by cell and labels by arm over one list of images; NaN and -1 where a cell or arm lacks the image.

    `scores` are what images are ordered by: logits for the cells of `logits`, else scores between 0 and 1.
    Cases and placements are kept, so that a grid of k cells sorts k times and not once per pair.
    """

    role: str
    center: str
    patients: NDArray[np.int64]
    scores: dict[str, Floats]
    labels: dict[str, NDArray[np.int64]]
    arms: dict[str, str]
    logits: frozenset[str] = frozenset()
    _cases: dict[tuple[str, bytes], Cases] = field(default_factory=dict)
    _placements: dict[tuple[str, str, bytes], Placements] = field(default_factory=dict)

    def cases(self, *cells: str) -> Cases:
        """Images that all of the cells scored and that their arms label alike."""
        arm = self.arms[cells[0]]
        used = np.logical_and.reduce([~np.isnan(self.scores[cell]) for cell in cells])
        for other in {self.arms[cell] for cell in cells[1:]} - {arm}:
            used &= self.labels[other] == self.labels[arm]
        key = (arm, used.tobytes())
        if key not in self._cases:
            self._cases[key] = Cases(used, self.labels[arm][used], self.patients[used])
        return self._cases[key]

    def missing(self, cell: str) -> int:
        """Images that other cells of the arm scored and this one did not."""
        return int(np.count_nonzero(np.isnan(self.scores[cell]) & (self.labels[self.arms[cell]] >= 0)))

    def placements(self, cell: str, cases: Cases) -> Placements:
        """Placement values of a cell's score on these cases; both classes must be there."""
        key = (cell, self.arms[cell], cases.used.tobytes())
        if key not in self._placements:
            self._placements[key] = delong.placements(cases.labels, self.score(cell, cases))
        return self._placements[key]

    def score(self, cell: str, cases: Cases) -> Floats:
        """What the cell orders these cases by, in their order."""
        return self.scores[cell][cases.used]

    def shown(self, cell: str, thresholds: ArrayLike) -> Floats:
        """Thresholds on that scale as scores between 0 and 1; infinity, which calls nobody positive, stays."""
        values = np.asarray(thresholds, dtype=np.float64)
        return np.where(np.isinf(values) | (cell not in self.logits), values, expit(values))


def panels(scores: pl.DataFrame) -> Iterator[Panel]:
    """Per role, in the order of ROLES: a panel for each center by name, then the pooled one."""
    for role in ROLES:
        rows = scores.filter(pl.col("role") == role)
        for center in sorted(rows["center"].unique()):
            yield _panel(rows.filter(pl.col("center") == center), role, center)
        if rows.height:
            yield _panel(rows, role, POOLED)


def _panel(rows: pl.DataFrame, role: str, center: str) -> Panel:
    images = (
        rows.group_by("center", "image")
        .agg(pl.col("patient").first())
        .sort("center", "image")
        .select("center", "image", pl.col("patient").rank("dense").cast(pl.Int64))
        .with_row_index("place")
    )
    scores: dict[str, Floats] = {}
    labels: dict[str, NDArray[np.int64]] = {}
    arms: dict[str, str] = {}
    logits: set[str] = set()
    placed = rows.join(images.drop("patient"), on=["center", "image"])
    for part in placed.partition_by("cell", maintain_order=True):
        cell, arm, where = part["cell"][0], part["arm"][0], part["place"].to_numpy()
        arms[cell] = arm
        scores[cell] = np.full(images.height, np.nan)
        logit = part["logit"].to_numpy()
        if np.isnan(logit).any():
            scores[cell][where] = part["score"].to_numpy()
        else:
            scores[cell][where] = logit
            logits.add(cell)
        labels.setdefault(arm, np.full(images.height, -1, dtype=np.int64))[where] = part["label"].to_numpy()
    return Panel(role, center, images["patient"].to_numpy(), scores, labels, arms, frozenset(logits))
