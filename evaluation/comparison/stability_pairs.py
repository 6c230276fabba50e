"""Which cells, and which pretraining and init, are more stable: paired tests of patients' mean changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from math import nan
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evaluation.arrays import Floats
from evaluation.comparison.aggregation import ROLES
from evaluation.comparison.effects import KINDS, SOURCE, Effect, named_effects, pair_effects
from evaluation.comparison.panels import POOLED
from evaluation.comparison.perturbed import IMAGE
from evaluation.comparison.primary import primary_pairs
from evaluation.multiplicity import ADJUSTMENTS
from evaluation.robustness.perturbation import StabilityDifference, compare_stability
from search_spaces.study import Analysis

STABILITY_PAIRS: dict[str, pl.DataType] = {
    "family": pl.String(),  # planned effects | planned pairs | payoff | source | init | all pairs
    "effect": pl.String(),  # pair: two cells; payoff, source, init: averaged over backbones
    "arm": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "variant": pl.String(),
    "kind": pl.String(),
    "magnitude": pl.Float64(),
    "first": pl.String(),
    "second": pl.String(),
    "backbones": pl.String(),
    "without": pl.String(),
    "images": pl.Int64(),
    "patients": pl.Int64(),
    "mean_change_first": pl.Float64(),
    "mean_change_second": pl.Float64(),
    "difference": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "p": pl.Float64(),
    "p_adjusted": pl.Float64(),
    "relative_first": pl.Float64(),  # both changes in standard deviations of the cell's own scores
    "relative_second": pl.Float64(),
    "relative_difference": pl.Float64(),
    "relative_p": pl.Float64(),
    "adjustment": pl.String(),
    "method": pl.String(),
    "flag": pl.String(),
}
ALL = "all"
"""In the place of a perturbation: the mean over all of them, each with the same weight."""
PLANNED_EFFECTS, PLANNED_PAIRS, ALL_PAIRS = "planned effects", "planned pairs", "all pairs"
NOTHING = "nothing to compare: no image that all of its cells have"
_PERTURBATION = ("variant", "kind", "magnitude")
_NUMBERS = ("mean_change_first", "mean_change_second", "difference", "low", "high", "p")
_RELATIVE = ("relative_first", "relative_second", "relative_difference", "relative_p")

Row = dict[str, Any]


def stability_pairs(changes: pl.DataFrame, cells: pl.DataFrame, plan: Analysis) -> pl.DataFrame:
    """Paired tests (STABILITY_PAIRS), first minus second; negative: the first is more stable.

    `changes`: variant, kind, magnitude, the columns of perturbed.IMAGE, `change`, the mean absolute change of the
    image's score, and `spread`, the standard deviation of the cell's scores of images as they are. An effect is, of
    each image, the mean over backbones of the mean over its pairs of cells. The unit is the patient: the models are
    taken as they are, so nothing is said of other replicates. Planned tests are made at every place under every
    perturbation, all pairs of an arm on all centers together and over all perturbations. `relative_…`: the same of
    changes divided by `spread`, because scores that hardly differ between images change little, too.
    """
    families = _families(cells, plan)
    rows: list[Row] = []
    for (variant, kind, magnitude), part in _with_all(changes):
        where = {"variant": variant, "kind": kind, "magnitude": magnitude}
        for role, center, there in by_center(part):
            images = _Images.of(there)
            rows += [
                where | {"role": role, "center": center} | row
                for name, effects in families
                if name != ALL_PAIRS or (center == POOLED and (variant == ALL or changes["variant"].n_unique() == 1))
                for row in _family(name, effects, images, plan.adjust)
            ]
    return pl.DataFrame(rows, schema=STABILITY_PAIRS, orient="row")


def _families(cells: pl.DataFrame, plan: Analysis) -> list[tuple[str, list[Effect]]]:
    named = named_effects(cells)
    wanted = [*_planned_sources(named, plan), *(effect for effect in named if effect.kind in plan.primary.effects)]
    planned = {_sides(effect): effect for effect in reversed(wanted)}
    others = [effect for effect in named if _sides(effect) not in planned]
    arms = [combinations(arm["cell"], 2) for arm in cells.partition_by("arm", maintain_order=True)]
    return [
        (PLANNED_EFFECTS, [*reversed(planned.values())]),
        (PLANNED_PAIRS, pair_effects(primary_pairs(plan, cells), cells)),
        *((kind, [effect for effect in others if effect.kind == kind]) for kind in KINDS),
        *((ALL_PAIRS, [replace(pair, exploratory=False) for pair in pair_effects(pairs, cells)]) for pairs in arms),
    ]


def _sides(effect: Effect) -> tuple[str, str, frozenset[str]]:
    """What an effect compares, whichever comes first."""
    return effect.arm, effect.kind, frozenset((effect.first, effect.second))


def _planned_sources(named: Iterable[Effect], plan: Analysis) -> Iterator[Effect]:
    """Two sources of the plan's comparisons, in its order."""
    for first, second in plan.primary.comparisons:
        for effect in named:
            if effect.kind == SOURCE and {effect.first, effect.second} == {first, second}:
                yield effect if effect.first == first else _turned(effect)


def _turned(effect: Effect) -> Effect:
    pairs = {name: tuple(pair[::-1] for pair in pairs) for name, pairs in effect.pairs.items()}
    return replace(effect, first=effect.second, second=effect.first, pairs=pairs)


def _with_all(changes: pl.DataFrame) -> Iterator[tuple[tuple[Any, ...], pl.DataFrame]]:
    """Each perturbation, then their mean, of images that have as many as any image of their arm and role."""
    yield from changes.group_by(_PERTURBATION, maintain_order=True)
    if changes["variant"].n_unique() < 2:
        return
    each = changes.group_by(IMAGE, maintain_order=True).agg(
        pl.col("change", "spread").mean(), pl.len(), ladder=pl.col("variant").sort().str.join(", ")
    )
    every = each.filter(pl.col("len") == pl.col("len").max().over("arm", "role"))
    yield (ALL, ALL, nan), every.drop("len")


def by_center(rows: pl.DataFrame) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """Role, center and rows: in the order of the roles each center by name, then all centers together."""
    for role in ROLES:
        here = rows.filter(pl.col("role") == role)
        for center in sorted(here["center"].unique()):
            yield role, center, here.filter(pl.col("center") == center)
        if here.height:
            yield role, POOLED, here


@dataclass(frozen=True, eq=False)
class _Images:
    """Changes at one place under one perturbation: images x cells, NaN where a cell lacks one."""

    changes: Floats
    cells: dict[str, int]
    patients: NDArray[Any]
    arms: frozenset[str]
    spreads: Floats
    """Of each cell; NaN where its scores do not differ."""
    ladders: dict[str, str]
    """The perturbations whose mean a cell's changes are: arms with other ladders are not compared by it."""

    @classmethod
    def of(cls, part: pl.DataFrame) -> _Images:
        wide = part.pivot("cell", index=["center", "patient", "image"], values="change")
        cells = {cell: place for place, cell in enumerate(wide.columns[3:])}
        ladders = dict(part.select("cell", "ladder").unique().iter_rows()) if "ladder" in part.columns else {}
        changes = wide.select(pl.col(cell).cast(pl.Float64).fill_null(nan) for cell in cells).to_numpy()
        # One value per cell: a mean of equal numbers would differ in its last bits with the number of threads.
        spread = dict(part.group_by("cell").agg(pl.col("spread").first()).iter_rows())
        spreads = np.array([spread[cell] if spread[cell] > 0 else nan for cell in cells], dtype=np.float64)
        patients = wide["patient"].rank("dense").to_numpy()
        return cls(changes, cells, patients, frozenset(part["arm"]), spreads, ladders)

    def relative(self) -> _Images:
        """The changes in standard deviations of each cell's scores."""
        return replace(self, changes=self.changes / self.spreads)

    def side(self, effect: Effect, place: int) -> Floats:
        """Of each image the mean over backbones of the mean over the first (0) or second (1) cells of the pairs."""
        of_backbones = [
            self.changes[:, [self.cells[pair[place]] for pair in pairs]].mean(axis=1) for pairs in effect.pairs.values()
        ]
        return np.asarray(np.mean(of_backbones, axis=0), dtype=np.float64)

    def share_a_ladder(self, effect: Effect) -> bool:
        """Whether all cells of an effect were perturbed in the same ways."""
        return len({self.ladders.get(cell) for cell in effect.cells}) == 1


def _family(name: str, effects: Iterable[Effect], images: _Images, adjust: str) -> Iterator[Row]:
    """Tests of one family at one place; a planned one that cannot be made counts, unless nobody perturbs its arm."""
    rows = [_row(effect, images) for effect in effects if set(effect.arm.split(" vs ")) <= images.arms]
    if name not in (PLANNED_EFFECTS, PLANNED_PAIRS):
        rows = [row for row in rows if row["flag"] != NOTHING]
    for row, p in zip(rows, ADJUSTMENTS[adjust]([row["p"] for row in rows]), strict=True):
        yield row | {"family": name, "p_adjusted": float(p), "adjustment": adjust}


def _row(planned: Effect, images: _Images) -> Row:
    effect = planned.among(() if planned.exploratory else images.cells)
    about = {
        "effect": effect.kind,
        "arm": effect.arm,
        "first": effect.first,
        "second": effect.second,
        "backbones": ", ".join(effect.pairs),
        "without": ", ".join(effect.without),
    }
    return about | _measured(effect, images)


def _measured(effect: Effect, images: _Images) -> Row:
    nothing = dict.fromkeys((*_NUMBERS, *_RELATIVE), nan) | {"images": 0, "patients": 0, "method": "", "flag": NOTHING}
    if not effect.pairs or not images.share_a_ladder(effect):
        return nothing
    found, shared = _compared(effect, images)
    if found is None:
        return nothing
    relative, _ = _compared(effect, images.relative())
    same = (nan,) * 4 if relative is None else (relative.first, relative.second, relative.difference, relative.p)
    return {
        **dict(zip(_RELATIVE, same, strict=True)),
        "mean_change_first": found.first,
        "mean_change_second": found.second,
        **{name: getattr(found, name) for name in ("patients", "difference", "low", "high", "p", "method", "flag")},
        "images": shared,
    }


def _compared(effect: Effect, images: _Images) -> tuple[StabilityDifference | None, int]:
    """The paired test, and of how many images; None if no image is shared."""
    first, second = images.side(effect, 0), images.side(effect, 1)
    shared = ~np.isnan(first) & ~np.isnan(second)
    if not shared.any():
        return None, 0
    return compare_stability(first[shared], second[shared], images.patients[shared]), int(shared.sum())
