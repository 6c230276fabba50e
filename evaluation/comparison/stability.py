"""How stable every cell is when the input is perturbed, and which cells are more stable than others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from math import isnan, nan
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from evaluation.comparison.aggregation import ROLES
from evaluation.comparison.panels import POOLED
from evaluation.comparison.performance import ONE_CLASS
from evaluation.comparison.perturbed import IMAGE, ORIGINAL, Perturbation, aggregated, opened, perturbations, scored
from evaluation.multiplicity import ADJUSTMENTS
from evaluation.readers.agreement import METHODS, intraclass
from evaluation.robustness.perturbation import (
    StabilityDifference,
    compare_stability,
    mean_changes,
    patient_means,
    stability,
)

_PERTURBATION: dict[str, pl.DataType] = {"variant": pl.String(), "kind": pl.String(), "magnitude": pl.Float64()}
STABILITY: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "cell": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    **_PERTURBATION,
    "draws": pl.Int64(),
    "n_positive": pl.Int64(),
    "n_negative": pl.Int64(),
    "patients": pl.Int64(),
    "auc": pl.Float64(),
    "auc_original": pl.Float64(),
    "difference": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "p": pl.Float64(),
    "mean_change": pl.Float64(),
    "flips": pl.Float64(),
    "decision_flips": pl.Float64(),
    "decision_flips_positive": pl.Float64(),
    "decision_flips_negative": pl.Float64(),
    "icc": pl.Float64(),
    "icc_agreement": pl.Float64(),
    "method": pl.String(),
    "flag": pl.String(),
}
STABILITY_PAIRS: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    **_PERTURBATION,
    "first": pl.String(),
    "second": pl.String(),
    "patients": pl.Int64(),
    "mean_change_first": pl.Float64(),
    "mean_change_second": pl.Float64(),
    "difference": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "p": pl.Float64(),
    "p_adjusted": pl.Float64(),
    "adjustment": pl.String(),
    "method": pl.String(),
    "flag": pl.String(),
}
ALL = "all"
_AREAS = (
    *("auc", "auc_original", "difference", "low", "high", "p", "flips"),
    *("decision_flips", "decision_flips_positive", "decision_flips_negative"),
)

Row = dict[str, Any]


class StabilityFrames(NamedTuple):
    """Columns: STABILITY and STABILITY_PAIRS; a number that cannot be estimated is NaN, never null."""

    stability: pl.DataFrame
    pairs: pl.DataFrame


def stability_frames(
    predictions: pl.DataFrame,
    labels: pl.DataFrame,
    cells: pl.DataFrame,
    variants: pl.DataFrame | None = None,
    thresholds: Mapping[str, float] | None = None,
    *,
    open_external: bool,
    adjust: str = "holm",
) -> StabilityFrames:
    """Every perturbation against the original, and pairs of cells of one arm by their mean absolute change.

    A perturbed image gets its score exactly as the original does (`replicate_scores`, `image_scores`), from the
    replicates that scored the original and every draw. Areas and flips are taken on the scale by which a cell orders
    images (logits where it has them), changes and intraclass correlations on scores between 0 and 1. `variants`
    (VARIANTS) groups the draws of a perturbation; without it each variant is one. `thresholds`: by cell, on the
    ordering scale, for `decision_flips`. `adjust`: how the p-values of pairs are adjusted, per arm, place and
    perturbation. External rows only if `open_external`. Raises StudyError as `replicate_scores` does, and for a
    variant that `variants` does not know.
    """
    table = opened(predictions, open_external=open_external)
    if (table["variant"] == ORIGINAL).all():
        return StabilityFrames(pl.DataFrame(schema=STABILITY), pl.DataFrame(schema=STABILITY_PAIRS))
    originals = aggregated(table, ORIGINAL, labels, cells)
    rows: list[Row] = []
    changes: list[tuple[Perturbation, pl.DataFrame]] = []
    for perturbation in perturbations(table, variants):
        images = scored(table, originals, perturbation, labels, cells)
        for cell in cells["cell"]:
            limit = (thresholds or {}).get(cell, nan)
            mine = images.filter(pl.col("cell") == cell)
            rows += [
                _row(part, center, perturbation, limit)
                for _, center, part in _by_center(mine)
                if part["replicates"].count()
            ]
        changes.append((perturbation, images.drop_nulls().select(*IMAGE, _mean_change(perturbation))))
    pairs = [
        row
        for perturbation, found in _with_all(changes)
        for arm in cells["arm"].unique(maintain_order=True)
        for role, center, part in _by_center(found.filter(pl.col("arm") == arm))
        for row in _pairs(part, cells, {"arm": arm, "role": role, "center": center} | _named(perturbation), adjust)
    ]
    return StabilityFrames(
        pl.DataFrame(rows, schema=STABILITY, orient="row"), pl.DataFrame(pairs, schema=STABILITY_PAIRS, orient="row")
    )


def _by_center(rows: pl.DataFrame) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """Role, center and rows: in the order of the roles each center by name, then all centers together."""
    for role in ROLES:
        here = rows.filter(pl.col("role") == role)
        for center in sorted(here["center"].unique()):
            yield role, center, here.filter(pl.col("center") == center)
        if here.height:
            yield role, POOLED, here


def _row(part: pl.DataFrame, center: str, perturbation: Perturbation, threshold: float) -> Row:
    used, first = part.drop_nulls(), part.row(0, named=True)
    labels, patients = used["label"].to_numpy(), used["patient"].rank("dense").to_numpy()
    draws = range(len(perturbation.variants))
    before, after = used["score"].to_numpy(), used.select(f"score_{draw}" for draw in draws).to_numpy()
    both = np.column_stack((before, after))
    consistency, agreement = intraclass(both, "ICC(3,1)"), intraclass(both, "ICC(2,1)")
    changed = patient_means(mean_changes(before, after), patients)
    discrimination = _discrimination(used, draws, threshold)
    flags = [discrimination.pop("flag"), f"ICC: {consistency.flag}" if consistency.flag else "", _lacking(part, used)]
    return {
        **{name: first[name] for name in ("arm", "cell", "role")},
        "center": center,
        **_named(perturbation),
        "draws": len(draws),
        "n_positive": int(labels.sum()),
        "n_negative": labels.size - int(labels.sum()),
        "patients": changed.size,
        "mean_change": float(changed.mean()),
        "icc": consistency.value,
        "icc_agreement": agreement.value,
        **discrimination,
        "flag": "; ".join(filter(None, flags)),
    }


def _named(perturbation: Perturbation) -> Row:
    return {"variant": perturbation.name, "kind": perturbation.kind, "magnitude": perturbation.magnitude}


def _discrimination(used: pl.DataFrame, draws: range, threshold: float) -> Row:
    labels = used["label"].to_numpy()
    if np.unique(labels).size < 2:
        return dict.fromkeys(_AREAS, nan) | {"method": METHODS["ICC(3,1)"], "flag": ONE_CLASS}
    found = stability(
        labels,
        used["order"].to_numpy(),
        used.select(f"order_{draw}" for draw in draws).to_numpy(),
        used["patient"].rank("dense").to_numpy(),
        None if isnan(threshold) else threshold,
    )
    change, flips = found.change, found.decision_flips
    areas = (change.first, change.second, change.difference, change.low, change.high, change.p, found.pair_flips)
    return dict(zip(_AREAS, (*areas, *flips), strict=True)) | {
        "method": f"{change.method}; {found.consistency.method}",
        "flag": change.flag,
    }


def _lacking(part: pl.DataFrame, used: pl.DataFrame) -> str:
    images = part.height - used.height
    replicates = int((used["planned"] - used["replicates"]).sum())
    flags = (f"images without it: {images}", images), (f"replicates without it: {replicates}", replicates)
    return "; ".join(text for text, count in flags if count)


def _mean_change(perturbation: Perturbation) -> pl.Expr:
    """Mean over the draws of the absolute change of an image's score."""
    draws = range(len(perturbation.variants))
    return pl.mean_horizontal((pl.col(f"score_{draw}") - pl.col("score")).abs() for draw in draws).alias("change")


def _with_all(changes: list[tuple[Perturbation, pl.DataFrame]]) -> list[tuple[Perturbation, pl.DataFrame]]:
    """Also the mean over perturbations, of images that have as many as any image of their arm and role."""
    if len(changes) < 2:
        return changes
    each = pl.concat([found for _, found in changes]).group_by(IMAGE).agg(pl.col("change").mean(), pl.len())
    every = each.filter(pl.col("len") == pl.col("len").max().over("arm", "role"))
    return [*changes, (Perturbation(ALL, ALL, nan, ()), every.drop("len").sort(IMAGE))]


def _pairs(part: pl.DataFrame, cells: pl.DataFrame, where: Row, adjust: str) -> Iterator[Row]:
    """Pairs of an arm at one place under one perturbation: a family."""
    rows = list(_compared(part, cells, where))
    for row, p in zip(rows, ADJUSTMENTS[adjust]([row["p"] for row in rows]), strict=True):
        yield row | {"p_adjusted": float(p), "adjustment": adjust}


def _compared(part: pl.DataFrame, cells: pl.DataFrame, where: Row) -> Iterator[Row]:
    wide = part.pivot("cell", index=["center", "patient", "image"], values="change")
    patients = wide["patient"].rank("dense").to_numpy()
    for first, second in combinations([cell for cell in cells["cell"] if cell in wide.columns], 2):
        changes = wide.select(first, second).to_numpy()
        shared = ~np.isnan(changes).any(axis=1)
        if shared.any():
            found = compare_stability(changes[shared, 0], changes[shared, 1], patients[shared])
            yield where | {"first": first, "second": second} | _numbers(found)


def _numbers(found: StabilityDifference) -> Row:
    return {
        "mean_change_first": found.first,
        "mean_change_second": found.second,
        **{name: getattr(found, name) for name in ("patients", "difference", "low", "high", "p", "method", "flag")},
    }
