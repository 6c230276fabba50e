"""Perturbed images, scored exactly as the original ones are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan

import polars as pl

from evaluation.comparison.aggregation import ROLES, image_scores, replicate_scores
from evaluation.comparison.panels import POOLED
from evaluation.tables import PREDICTIONS, check
from search_spaces.errors import StudyError

VARIANTS: dict[str, pl.DataType] = {
    "variant": pl.String(),
    "kind": pl.String(),
    "magnitude": pl.Float64(),
    "draw": pl.Int64(),
}
ORIGINAL = "original"
IMAGE = ("arm", "cell", "role", "center", "patient", "image")


@dataclass(frozen=True)
class Perturbation:
    """A kind of perturbation at one magnitude; `variants` are the ids of its random draws."""

    name: str
    kind: str
    magnitude: float
    variants: tuple[str, ...]


def opened(predictions: pl.DataFrame, *, open_external: bool) -> pl.DataFrame:
    """Evaluated roles; a cell keeps its logits only if every prediction has one, so that variants share a scale."""
    opened = ROLES if open_external else ROLES[:2]
    table = check(predictions, PREDICTIONS, "predictions").filter(pl.col("role").is_in(opened))
    has_logits = pl.col("logit").is_not_null().all().over("cell")
    return table.with_columns(logit=pl.when(has_logits).then("logit"))


def perturbations(table: pl.DataFrame, variants: pl.DataFrame | None) -> list[Perturbation]:
    """In the order of kind and magnitude; draws in the order of their numbers."""
    names = sorted(set(table["variant"].unique()) - {ORIGINAL})
    if variants is None:
        return [Perturbation(variant, variant, nan, (variant,)) for variant in names]
    known = check(variants.filter(pl.col("variant") != ORIGINAL), VARIANTS, "variants")
    if known["variant"].is_duplicated().any():
        raise StudyError("Table 'variants' names a variant more than once; each variant has one row.")
    unknown = sorted(set(names) - set(known["variant"]))
    if unknown:
        raise StudyError(
            f"Table 'predictions' holds variant {unknown[0]!r}, which table 'variants' does not name; "
            "give both tables of the same run."
        )
    groups = known.filter(pl.col("variant").is_in(names)).sort("kind", "magnitude", "draw")
    return [
        Perturbation(f"{kind} {magnitude:g}", str(kind), float(magnitude), tuple(part["variant"]))
        for (kind, magnitude), part in groups.group_by("kind", "magnitude", maintain_order=True)
    ]


def aggregated(table: pl.DataFrame, variant: str, labels: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """One score per cell and image, and what the cell orders images by; a variant passes for the original."""
    rows = table.filter(pl.col("variant") == variant).with_columns(variant=pl.lit(ORIGINAL))
    scores = image_scores(replicate_scores(rows, labels, cells, open_external=True))
    order = pl.when(pl.col("logit").is_nan()).then("score").otherwise("logit")
    return scores.select(*IMAGE, "label", "score", "replicates", order=order)


def perturbed_images(
    table: pl.DataFrame, labels: pl.DataFrame, cells: pl.DataFrame, variants: pl.DataFrame | None
) -> Iterator[tuple[Perturbation, pl.DataFrame]]:
    """Each perturbation of an arm's cells, with the images that were chosen to be perturbed (see `scored`)."""
    of_arm = table.filter(pl.col("cell").is_in(cells["cell"].implode()))
    chosen = of_arm.filter(pl.col("variant") != ORIGINAL).select("role", "center", "image").unique()
    if chosen.is_empty():
        return
    rows = of_arm.join(chosen, on=["role", "center", "image"], how="semi")
    originals = aggregated(rows, ORIGINAL, labels, cells)
    for perturbation in perturbations(rows, variants):
        yield perturbation, scored(rows, originals, perturbation, labels, cells)


def images_scored(table: pl.DataFrame, labels: pl.DataFrame, cells: pl.DataFrame) -> dict[tuple[str, str, str], int]:
    """How many labeled images each cell scored as they are: by cell, role and center, or "all" of them."""
    originals = table.filter(pl.col("variant") == ORIGINAL).join(cells.select("cell", "arm"), on="cell")
    known = originals.join(labels, on=["arm", "center", "image"], how="semi")
    counts = known.group_by("cell", "role", "center").agg(pl.col("image").n_unique())
    together = counts.group_by("cell", "role").agg(pl.lit(POOLED).alias("center"), pl.col("image").sum())
    return {row[:3]: row[3] for row in [*counts.rows(), *together.rows()]}


def scored(
    table: pl.DataFrame, originals: pl.DataFrame, perturbation: Perturbation, labels: pl.DataFrame, cells: pl.DataFrame
) -> pl.DataFrame:
    """Every image of `originals` with its score, and those of the draws as score_0, order_0, …; null where one lacks.

    Only the replicates that scored the original and every draw, with the same regions, take part.
    """
    wanted = (ORIGINAL, *perturbation.variants)
    scored_by = ("cell", "fold", "seed", "role", "center", "image")
    regions = pl.col("region").n_unique().over(scored_by)
    is_complete = pl.struct("region", "variant").n_unique().over(scored_by) == regions * len(wanted)
    complete = table.filter(pl.col("variant").is_in(wanted)).filter(is_complete)
    found = originals.select(*IMAGE, "label", planned="replicates").join(
        aggregated(complete, ORIGINAL, labels, cells).drop("label"), on=IMAGE, how="left", maintain_order="left"
    )
    for place, variant in enumerate(perturbation.variants):
        draw = aggregated(complete, variant, labels, cells).drop("label", "replicates")
        named = draw.rename({"score": f"score_{place}", "order": f"order_{place}"})
        found = found.join(named, on=IMAGE, how="left", maintain_order="left")
    return found
