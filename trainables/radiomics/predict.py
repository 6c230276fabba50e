"""The predict job: one center's features through one fitted model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from scipy.special import expit

from search_spaces.errors import StudyError
from trainables.radiomics.features import read_features
from trainables.radiomics.model import ElasticNetModel, read_model
from trainables.views import is_perturbed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from trainables.data import JobData
    from trainables.task import Job, Run

SCORED = {
    "center": pl.String(),
    "patient": pl.String(),
    "image": pl.String(),
    "region": pl.Int64(),
    "role": pl.String(),
    "variant": pl.String(),
    "score": pl.Float64(),
    "logit": pl.Float64(),
}


def predict(job: Job, data: JobData, run: Run) -> None:
    """Score every measured region and variant of the data's images; writes `predictions`.

    Images without a score are counted.
    """
    model = read_model(run.need(job["needs"]["fit"]))
    folders = [run.need(key) for key in job["needs"]["features"]]
    if is_perturbed(job) and data.images.is_empty():
        table = pl.DataFrame(schema=SCORED)
    else:
        table = score(model, _features(model, folders, data.images["center"].unique()), data.images)
    run.write_table("predictions", table)
    missing = data.images.height - table["image"].n_unique()
    run.set_result({"images": data.images.height, "regions": table.height, "images_without_score": missing})


def score(model: ElasticNetModel, features: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """One row per region of the images and variant (SCORED); scores lie in [0, 1]."""
    regions = images.select("center", "patient", "image", "role").join(
        features.drop("center", "patient"), on="image", maintain_order="left_right"
    )
    logits = model.logits(regions.select(model.features).to_numpy())
    who = regions.select("center", "patient", "image", pl.col("region").cast(pl.Int64), "role", "variant")
    return who.with_columns(pl.Series("score", expit(logits)), pl.Series("logit", logits))


def _features(model: ElasticNetModel, folders: list[Path], centers: Iterable[str]) -> pl.DataFrame:
    table = read_features(folders, centers)
    missing = [name for name in model.features if name not in table.columns]
    if missing:
        raise StudyError(
            f"Radiomics: features of {folders[0]} lack {missing[0]!r}, which the model was fitted on; "
            "measure the center again with this release."
        )
    return table
