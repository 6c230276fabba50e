"""How stable every cell is when the input is perturbed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isnan, nan
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from evaluation.comparison.aggregation import refuse_unknown_cells
from evaluation.comparison.performance import ONE_CLASS
from evaluation.comparison.perturbed import IMAGE, Perturbation, images_scored, opened, perturbed_images
from evaluation.comparison.stability_pairs import by_center, stability_pairs
from evaluation.readers.agreement import METHODS, intraclass
from evaluation.robustness.perturbation import mean_changes, patient_means, stability
from search_spaces.study import Analysis

_PERTURBATION: dict[str, pl.DataType] = {"variant": pl.String(), "kind": pl.String(), "magnitude": pl.Float64()}
STABILITY: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "cell": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    **_PERTURBATION,
    "draws": pl.Int64(),
    "images": pl.Int64(),  # with every draw: all other columns are of these
    "images_scored": pl.Int64(),  # as they are, whether perturbed or not
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
    "relative_change": pl.Float64(),  # in standard deviations of the cell's scores of the images as they are
    "flips": pl.Float64(),
    "decision_flips": pl.Float64(),
    "decision_flips_positive": pl.Float64(),
    "decision_flips_negative": pl.Float64(),
    "icc": pl.Float64(),
    "icc_agreement": pl.Float64(),
    "method": pl.String(),
    "flag": pl.String(),
}
_CHANGES: dict[str, pl.DataType] = {
    **_PERTURBATION,
    **dict.fromkeys(IMAGE, pl.String()),
    **dict.fromkeys(("change", "spread"), pl.Float64()),
}
_AREAS = (
    *("auc", "auc_original", "difference", "low", "high", "p", "flips"),
    *("decision_flips", "decision_flips_positive", "decision_flips_negative"),
)

Row = dict[str, Any]


class StabilityFrames(NamedTuple):
    """Columns: STABILITY and stability_pairs.STABILITY_PAIRS; a number that cannot be estimated is NaN, never null."""

    stability: pl.DataFrame
    pairs: pl.DataFrame


def stability_frames(
    predictions: pl.DataFrame,
    labels: pl.DataFrame,
    cells: pl.DataFrame,
    plan: Analysis,
    variants: pl.DataFrame | None = None,
    thresholds: Mapping[str, float] | None = None,
    *,
    open_external: bool,
) -> StabilityFrames:
    """Every perturbation against the original, and paired tests of the mean absolute changes of cells.

    A perturbed image gets its score exactly as the original does (`replicate_scores`, `image_scores`), from the
    replicates that scored the original and every draw. A study may perturb some of its images only: originals are
    those of the same images. Areas and flips are taken on the scale by which a cell orders images (logits where it has
    them), changes and intraclass correlations on scores between 0 and 1. `variants` (VARIANTS) groups the draws of a
    perturbation; without it each variant is one. `thresholds`: by cell, on the ordering scale, for `decision_flips`.
    Pairs: see stability_pairs. External rows only if `open_external`. Raises StudyError as `replicate_scores` does,
    and for a variant that `variants` does not know.
    """
    table = opened(predictions, open_external=open_external)
    refuse_unknown_cells(table, cells)
    counts, rows = images_scored(table, labels, cells), list[Row]()
    changes = [pl.DataFrame(schema=_CHANGES)]
    for arm in cells.partition_by("arm", maintain_order=True):
        for perturbation, found in perturbed_images(table, labels, arm, variants):
            # The scale of a cell's changes: scores that hardly differ between images change little, too.
            images = found.with_columns(spread=pl.col("score").std().fill_null(nan).over("cell", "role"))
            for row in _rows(images, perturbation, arm, thresholds or {}):
                rows.append(row | {"images_scored": counts[row["cell"], row["role"], row["center"]]})
            named = [pl.lit(value).alias(name) for name, value in _named(perturbation).items()]
            changes.append(images.drop_nulls().select(*named, *IMAGE, _mean_change(perturbation), "spread"))
    pairs = stability_pairs(pl.concat(changes), cells, plan)
    return StabilityFrames(pl.DataFrame(rows, schema=STABILITY, orient="row"), pairs)


def _rows(
    images: pl.DataFrame, perturbation: Perturbation, cells: pl.DataFrame, thresholds: Mapping[str, float]
) -> Iterator[Row]:
    for cell in cells["cell"]:
        for _, center, part in by_center(images.filter(pl.col("cell") == cell)):
            if part["replicates"].count():
                yield _row(part, center, perturbation, thresholds.get(cell, nan))


def _row(part: pl.DataFrame, center: str, perturbation: Perturbation, threshold: float) -> Row:
    used, first = part.drop_nulls(), part.row(0, named=True)
    labels, patients = used["label"].to_numpy(), used["patient"].rank("dense").to_numpy()
    draws = range(len(perturbation.variants))
    before, after = used["score"].to_numpy(), used.select(f"score_{draw}" for draw in draws).to_numpy()
    both = np.column_stack((before, after))
    consistency, agreement = intraclass(both, "ICC(3,1)"), intraclass(both, "ICC(2,1)")
    changed, spread = patient_means(mean_changes(before, after), patients), first["spread"]
    discrimination = _discrimination(used, draws, threshold)
    flags = [discrimination.pop("flag"), f"ICC: {consistency.flag}" if consistency.flag else "", _lacking(part, used)]
    return {
        **{name: first[name] for name in ("arm", "cell", "role")},
        "center": center,
        **_named(perturbation),
        "draws": len(draws),
        "images": used.height,
        "n_positive": int(labels.sum()),
        "n_negative": labels.size - int(labels.sum()),
        "patients": changed.size,
        "mean_change": float(changed.mean()),
        "relative_change": float(changed.mean()) / spread if spread > 0 else nan,
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
    flags = (f"images without it: {images}", images), (f"replicate scores without it: {replicates}", replicates)
    return "; ".join(text for text, count in flags if count)


def _mean_change(perturbation: Perturbation) -> pl.Expr:
    """Mean over the draws of the absolute change of an image's score."""
    draws = range(len(perturbation.variants))
    return pl.mean_horizontal((pl.col(f"score_{draw}") - pl.col("score")).abs() for draw in draws).alias("change")
