"""Explicit paths of a job -> the tables it may see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from cohorts.choosing import chosen
from cohorts.pixels import PixelStore
from cohorts.roles import roles
from trainables.data import JobData
from trainables.task import Job

_WANTED = {"scores": ("validation", "reserve"), "perturbed": ("reserve",), "saliency": ("reserve",)}
"""Roles of development patients that are predicted."""


def load_data(job: Job) -> JobData:
    """Read the images, labels and boxes that the job names, and give every image its role.

    A job has a label file only where it trains; boxes only where its regions or its targets come from them.
    """
    centers = job["inputs"]["centers"]
    images = pl.concat([_images(center) for center in centers], how="vertical_relaxed")
    boxes = _stack(centers, "boxes")
    labels = _stack(centers, "labels")
    images = images.join(_roles(job, images), on="patient", how="inner")
    if labels is not None:
        images = images.join(_coded(job, labels), on="image", how="inner")
    if boxes is not None:
        boxes = _targets(job, boxes, labels)
        if _regions_are_boxes(job):
            images = images.join(boxes.select("image").unique(), on="image", how="semi")
    if job["purpose"] != "scores":
        images = chosen(images, job["recipe"]["images"], job["recipe"]["drawn_for"])
    if boxes is not None:
        boxes = boxes.join(images.select("image"), on="image", how="semi")
    stores = {center["name"]: PixelStore(Path(center["folder"])) for center in centers}
    return JobData(images.sort("image"), None if boxes is None else boxes.sort("image", "box"), stores)


def _images(center: dict[str, Any]) -> pl.DataFrame:
    return pl.read_parquet(Path(center["folder"]) / "images.parquet").with_columns(development=pl.lit(center["role"]))


def _stack(centers: list[dict[str, Any]], kind: str) -> pl.DataFrame | None:
    paths = [center[kind] for center in centers if center[kind]]
    return pl.concat([pl.read_parquet(path) for path in paths]) if paths else None


def _roles(job: Job, images: pl.DataFrame) -> pl.DataFrame:
    """patient, role: what each patient is for this job."""
    fixed = images.select("patient", role=pl.col("development")).unique()
    if job["inputs"]["folds"] is None:
        return fixed
    wanted = _WANTED[job["purpose"]] if job["kind"] in {"predict", "features"} else ("train", "validation")
    of_fold = roles(pl.read_parquet(job["inputs"]["folds"]), job["fold"])
    external = fixed.filter(pl.col("role") == "external")
    return pl.concat([of_fold.filter(pl.col("role").is_in(wanted)), external])


def _coded(job: Job, labels: pl.DataFrame) -> pl.DataFrame:
    """image, label: 1 and 0 by the arm's rule, or the class number of a corpus; other labels are left out."""
    codes = _codes(job)
    table = pl.DataFrame(
        {"label": list(codes), "code": list(codes.values())}, schema={"label": pl.String, "code": pl.Int64}
    )
    return labels.join(table, on="label", how="inner").select("image", label="code")


def _codes(job: Job) -> dict[str, int]:
    if job["kind"] == "pretrain":
        return {name: number for number, name in enumerate(job["classes"])}
    rule = job["arm"]["labels"]
    return {**dict.fromkeys(rule["negative"], 0), **dict.fromkeys(rule["positive"], 1)}


def _targets(job: Job, boxes: pl.DataFrame, labels: pl.DataFrame | None) -> pl.DataFrame:
    """For detectors that train: class 0 for boxes of positive labels, 1 or nothing for the others."""
    if job["task"] != "detection" or labels is None:
        return boxes
    if job["kind"] == "pretrain":
        return boxes.with_columns(target=pl.lit(0, dtype=pl.Int64))
    coded = boxes.join(_coded(job, labels), on="image", how="inner")
    if job["arm"]["negatives"] == "background":
        coded = coded.filter(pl.col("label") == 1)
    return coded.with_columns(target=1 - pl.col("label")).drop("label")


def _regions_are_boxes(job: Job) -> bool:
    return bool(job["kind"] != "pretrain" and (job["task"] == "radiomics" or job["arm"].get("region") == "box"))
