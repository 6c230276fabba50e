"""The tables that finished jobs published, as far as they may be read now."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl

from orchestrator.plan import Plan
from search_spaces.job import Job


def published(
    plan: Plan, table: str, *, open_external: bool, of: Callable[[Job], bool] = lambda job: True
) -> Iterator[pl.DataFrame]:
    """One table of every finished predict job that writes it; each carries the cell that it was made for.

    Jobs of sealed centers are passed over until these are open.
    """
    for key, record in plan.finished.items():
        job = plan.jobs[key]
        if _writes(job, table) and of(job) and (open_external or not job.sealed):
            path = plan.workspace.run_store.attempts(key) / str(record["attempt"]) / f"{table}.parquet"
            if path.exists() or table != "detections":
                yield pl.read_parquet(path)


def _writes(job: Job, table: str) -> bool:
    """Maps are of one purpose, scores and boxes of the others; boxes are drawn by detectors only."""
    return job.kind == "predict" and (job.purpose == "saliency") == (table == "saliency")
