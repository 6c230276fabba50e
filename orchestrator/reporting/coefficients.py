"""The ElasticNets of a study for its report: what each replicate chose, and which features they agree on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from orchestrator.journal import certificate_of
from orchestrator.plan import Plan
from search_spaces.job import Job

Row = dict[str, Any]

_COEFFICIENTS = {"cell": pl.String, "replicate": pl.String, "feature": pl.String, "coefficient": pl.Float64}


def elastic_net_rows(plan: Plan) -> Iterator[Row]:
    """One row per published radiomics replicate: C, l1_ratio, whether they lie at a bound, inner and validation AUC."""
    for job, folder in _published(plan):
        result, facts = plan.finished[job.key]["result"], certificate_of(folder) or {}
        yield {
            "arm": job.arm,
            "cell": job.cell,
            "fold": job.fold,
            "seed": job.seed,
            **{name: result.get(name) for name in _OF_RESULT},
            "selected": facts.get("nonzero_coefficients"),
            "converged": facts.get("converged"),
        }


def coefficients(plan: Plan) -> pl.DataFrame:
    """One row per cell and feature: in how many replicates it passed the filter, in how many it was selected.

    Coefficients are log-odds per training deviation of the feature; a feature that is not selected has none, so mean,
    min and max are over the replicates that selected it. Those selected most often come first.
    """
    replicates = pl.concat(
        [pl.DataFrame(schema=_COEFFICIENTS), *(_of(job, folder) for job, folder in _published(plan))]
    )
    nonzero = pl.col("coefficient").filter(pl.col("coefficient") != 0)
    summed = replicates.group_by("cell", "feature", maintain_order=True).agg(
        pl.col("replicate").n_unique().cast(pl.Int64).alias("kept"),
        nonzero.len().cast(pl.Int64).alias("selected"),
        nonzero.mean().alias("mean"),
        nonzero.min().alias("min"),
        nonzero.max().alias("max"),
    )
    return summed.sort("cell", -pl.col("selected"), -pl.col("mean").abs(), "feature", nulls_last=True)


_OF_RESULT = (
    "C",
    "C_at_bound",
    "l1_ratio",
    "l1_ratio_at_bound",
    "inner_auc",
    "value",
    "training_regions",
    "training_patients",
    "training_images_without_features",
)


def _published(plan: Plan) -> Iterator[tuple[Job, Path]]:
    """Radiomics replicates that are published, with their folders."""
    for key, job in plan.jobs.items():
        if job.kind == "fit" and job.task == "radiomics" and key in plan.finished:
            yield job, plan.workspace.run_store.attempts(key) / str(plan.finished[key]["attempt"])


def _of(job: Job, folder: Path) -> pl.DataFrame:
    path = folder / "coefficients.parquet"
    table = pl.read_parquet(path) if path.exists() else pl.DataFrame(schema=_COEFFICIENTS)
    return table.select(cell=pl.lit(job.cell), replicate=pl.lit(job.key), feature="feature", coefficient="coefficient")
