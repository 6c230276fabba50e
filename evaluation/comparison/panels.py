"""Panels: the scores of all cells, and of their single models, on the images of one role and center."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from evaluation.arrays import Bools, Floats
from evaluation.comparison.aggregation import ROLES
from evaluation.comparison.cases import Cases
from evaluation.comparison.models import Models, Placed, Replicate, models_of, spread
from evaluation.comparison.primary import Pair
from evaluation.discrimination import delong
from evaluation.discrimination.delong import Placements

POOLED, STRATIFIED = "all", "stratified"
FEW_IMAGES = 0.05


@dataclass(frozen=True, eq=False)
class Panel:
    """Scores by cell and labels by arm over one list of images; NaN and -1 where a cell or arm lacks the image.

    `scores` are what images are ordered by: logits for the cells of `logits`, else scores between 0 and 1.
    Cases and placements are kept, so that a grid of k cells sorts k times and not once per pair.
    """

    role: str
    center: str
    centers: NDArray[np.str_]
    patients: NDArray[np.int64]
    images: NDArray[np.str_]
    scores: dict[str, Floats]
    labels: dict[str, NDArray[np.int64]]
    arms: dict[str, str]
    logits: frozenset[str]
    models: dict[str, Models]
    _cases: dict[tuple[str, bytes], Cases] = field(default_factory=dict)
    _placements: dict[tuple[str, str, bytes], Placements] = field(default_factory=dict)
    _models: dict[tuple[str, str, bytes], dict[Replicate, Placements]] = field(default_factory=dict)

    @property
    def pooled(self) -> bool:
        """Whether it holds the images of all centers of its role."""
        return self.center == POOLED

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

    def by_cases(self, pairs: Iterable[Pair]) -> Iterator[tuple[Cases, list[Pair]]]:
        """Pairs grouped by the images that they share, mostly one group; one class and absent cells are left out."""
        groups: dict[bytes, tuple[Cases, list[Pair]]] = {}
        for pair in pairs:
            if set(pair) <= set(self.scores) and not self.cases(*pair).one_class:
                cases = self.cases(*pair)
                groups.setdefault(cases.used.tobytes() + cases.labels.tobytes(), (cases, []))[1].append(pair)
        yield from groups.values()

    def missing(self, cell: str) -> int:
        """Images that other cells of the arm scored and this one did not."""
        return int(np.count_nonzero(np.isnan(self.scores[cell]) & (self.labels[self.arms[cell]] >= 0)))

    def placements(self, cell: str, cases: Cases) -> Placements:
        """Placement values of a cell's score on these cases; both classes must be there."""
        key = (cell, self.arms[cell], cases.used.tobytes())
        if key not in self._placements:
            self._placements[key] = delong.placements(cases.labels, self.score(cell, cases))
        return self._placements[key]

    def scored_by_models(self, cells: Iterable[str], cases: Cases) -> Cases:
        """The cases that every single model of the cells scored, but for models that lack more than 5 % of them.

        A missing image then costs an image; a missing center costs the model, which `placed_models` leaves out.
        """
        lacking = np.zeros(cases.labels.size, dtype=bool)
        for cell in cells:
            unknown = np.isnan(self.models[cell].at(cases.used).scores)
            lacking |= unknown[unknown.mean(axis=1) <= FEW_IMAGES].any(axis=0)
        if not lacking.any():
            return cases
        used = cases.used.copy()
        used[np.flatnonzero(used)[lacking]] = False
        return Cases(used, cases.labels[~lacking], cases.patients[~lacking])

    def model_scores(self, cell: str, cases: Cases) -> dict[Replicate, Floats]:
        """Scores of these cases by each single model that scored all of them."""
        models = self.models[cell].at(cases.used)
        each = zip(models.replicates, models.scores, strict=True)
        return {replicate: scores for replicate, scores in each if not np.isnan(scores).any()}

    def placed_models(
        self, cells: Iterable[str], cases: Cases, only: Iterable[Replicate] | None = None
    ) -> tuple[list[Replicate], dict[str, Placed]]:
        """Replicates with which all of the cells scored all of these cases, and the placements of those models."""
        kept = {cell: self._placed(cell, cases) for cell in cells}
        shared = set.intersection(*(set(models) for models in kept.values()))
        chosen = sorted(shared if only is None else shared & set(only))
        if not chosen:
            return [], {}
        return chosen, {cell: Placed.of([models[one] for one in chosen]) for cell, models in kept.items()}

    def score(self, cell: str, cases: Cases) -> Floats:
        """What the cell orders these cases by, in their order."""
        return self.scores[cell][cases.used]

    def risks(self, cell: str, cases: Cases) -> Floats:
        """The cell's scores of these cases between 0 and 1."""
        return self.shown(cell, self.score(cell, cases))

    def shown(self, cell: str, thresholds: ArrayLike) -> Floats:
        """Thresholds on that scale as scores between 0 and 1; infinity, which calls nobody positive, stays."""
        values = np.asarray(thresholds, dtype=np.float64)
        return np.where(np.isinf(values) | (cell not in self.logits), values, expit(values))

    def at(self, center: str) -> Panel:
        """The part of a pooled panel that one center makes; cells that scored nothing there are left out."""
        here: Bools = self.centers == center
        scores = {cell: values[here] for cell, values in self.scores.items()}
        some = {cell for cell, values in scores.items() if not np.isnan(values).all()}
        return Panel(
            role=self.role,
            center=center,
            centers=self.centers[here],
            patients=self.patients[here],
            images=self.images[here],
            scores={cell: values for cell, values in scores.items() if cell in some},
            labels={arm: labels[here] for arm, labels in self.labels.items() if (labels[here] >= 0).any()},
            arms={cell: arm for cell, arm in self.arms.items() if cell in some},
            logits=self.logits & some,
            models={cell: models.at(here) for cell, models in self.models.items() if cell in some},
        )

    def _placed(self, cell: str, cases: Cases) -> dict[Replicate, Placements]:
        key = (cell, self.arms[cell], cases.used.tobytes())
        if key not in self._models:
            self._models[key] = {
                replicate: delong.placements(cases.labels, scores)
                for replicate, scores in self.model_scores(cell, cases).items()
            }
        return self._models[key]


def panels(scores: pl.DataFrame, replicates: pl.DataFrame) -> Iterator[Panel]:
    """Per role, in the order of ROLES: a panel for each center by name, then the pooled one."""
    for role in ROLES:
        rows = scores.filter(pl.col("role") == role)
        if rows.height:
            pooled = _pooled(rows, replicates.filter(pl.col("role") == role), role)
            yield from (pooled.at(center) for center in sorted(rows["center"].unique()))
            yield pooled


def _pooled(rows: pl.DataFrame, replicates: pl.DataFrame, role: str) -> Panel:
    images = (
        rows.group_by("center", "image")
        .agg(pl.col("patient").first())
        .sort("center", "image")
        .with_columns(pl.col("patient").rank("dense").cast(pl.Int64))
        .with_row_index("place")
    )
    places = images.select("center", "image", "place")
    parts = rows.join(places, on=["center", "image"]).partition_by("cell", as_dict=True, maintain_order=True)
    cells = {str(cell): part for (cell,), part in parts.items()}
    logits = frozenset(cell for cell, part in cells.items() if not part["logit"].is_nan().any())
    labels: dict[str, NDArray[np.int64]] = {}
    for part in cells.values():
        of_arm = labels.setdefault(part["arm"][0], np.full(images.height, -1, dtype=np.int64))
        of_arm[part["place"].to_numpy()] = part["label"].to_numpy()
    return Panel(
        role=role,
        center=POOLED,
        centers=images["center"].to_numpy().astype(np.str_),
        patients=images["patient"].to_numpy(),
        images=images["image"].to_numpy().astype(np.str_),
        scores={
            cell: spread(part, "logit" if cell in logits else "score", images.height) for cell, part in cells.items()
        },
        labels=labels,
        arms={cell: str(part["arm"][0]) for cell, part in cells.items()},
        logits=logits,
        models=models_of(replicates.join(places, on=["center", "image"]), images.height),
    )


def shared_patients(centers: Sequence[Panel]) -> int:
    """Patients with images at several centers, which are then not independent."""
    seen = np.concatenate([np.unique(panel.patients) for panel in centers])
    return int(seen.size - np.unique(seen).size)
