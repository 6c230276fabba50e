"""Scores of a fitted replicate for every image of a center."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
from scipy.special import expit

from cohorts.regions import region_table
from trainables.classification.examples import Examples
from trainables.classification.model import ModelCard, read_model
from trainables.classification.scoring import logits_of
from trainables.classification.seeds import be_deterministic
from trainables.views import views

if TYPE_CHECKING:
    from trainables.data import JobData
    from trainables.task import Job, Run

AT_ONCE = 512
"""Regions whose pixels are in memory together: external centers may be large."""


def predict(job: Job, data: JobData, run: Run) -> None:
    """Write one row per region and variant with its logit and score; labels are not looked at."""
    be_deterministic(run.threads)
    model, card = read_model(run.need(job["needs"]["fit"]), run.device)
    tables = [_scored(model, card, seen, run.device, variant) for variant, seen in views(job, data)]
    run.write_table("predictions", pl.concat(tables))


def _scored(model: torch.nn.Module, card: ModelCard, data: JobData, device: str, variant: str) -> pl.DataFrame:
    regions = region_table(data.images, data.boxes, region=card.region, margin=card.margin).drop("label", strict=False)
    logits = [logits_of(model, Examples.load(card, part, data, device))[:, 0] for part in regions.iter_slices(AT_ONCE)]
    return _table(regions, np.concatenate([*logits, np.empty(0)]), variant)


def _table(regions: pl.DataFrame, logits: np.ndarray[tuple[int], np.dtype[np.float64]], variant: str) -> pl.DataFrame:
    if not np.isfinite(logits).all():
        worst = regions["image"][int(np.flatnonzero(~np.isfinite(logits))[0])]
        raise RuntimeError(f"The network gives no finite logit for image {worst!r} ({variant}).")
    return regions.select("center", "patient", "image", "region", "role").with_columns(
        variant=pl.lit(variant, pl.String), score=expit(logits), logit=logits
    )
