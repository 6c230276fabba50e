"""How many radiographs go where: found, quarantined, ingested, used by each arm, dealt into folds, tested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from cohorts.roles import ALWAYS_TRAINED, RESERVE
from orchestrator.plan import Plan
from search_spaces.arms import Arm
from search_spaces.recipes import reads_boxes

if TYPE_CHECKING:
    from cohorts.manifest import Center

Row = dict[str, Any]
PARTS = {RESERVE: "reserve", ALWAYS_TRAINED: "always trained"}


def flow_rows(plan: Plan) -> Iterator[Row]:
    """Rows of FLOW; what arms take of an external center is left out while it is sealed.

    Two arms with different labels would tell together how common a label is, and that is a result.
    """
    study = plan.workspace.study
    roles = {
        **dict.fromkeys(study.cohort.development, "development"),
        **dict.fromkeys(study.cohort.external, "external"),
        **dict.fromkeys(plan.cohort.corpora, "pretraining"),
    }
    for name, center in {**plan.cohort.centers, **plan.cohort.corpora}.items():
        yield from _placed(_intake(center), name, roles[name])
    shown = study.cohort.centers if plan.external_open else study.cohort.development
    folds = pl.read_parquet(plan.workspace.folds)
    for arm in study.arms:
        for name in shown:
            dealt = folds if roles[name] == "development" else None
            yield from _placed(_chosen(arm, plan.cohort.centers[name], dealt), name, roles[name], arm.name)


def _placed(rows: Iterator[Row], center: str, role: str, arm: str | None = None) -> Iterator[Row]:
    unsaid = {"detail": "", "patients": None, "positive": None, "negative": None}
    yield from ({"arm": arm, "center": center, "role": role, **unsaid, **row} for row in rows)


def _intake(center: Center) -> Iterator[Row]:
    """What was found in the folder and became of it; files, until they are known to be images."""
    yield {"step": "found", "images": len(center.images) + len(center.quarantine)}
    for (reason,), group in center.quarantine.group_by("reason", maintain_order=True):
        yield {"step": "quarantined", "detail": reason, "images": len(group)}
    yield {"step": "ingested", **_counts(center.images)}


def _chosen(arm: Arm, center: Center, folds: pl.DataFrame | None) -> Iterator[Row]:
    """What an arm takes of a center's images, and the parts into which these are dealt."""
    classes = {**dict.fromkeys(arm.labels.positive, "positive"), **dict.fromkeys(arm.labels.negative, "negative")}
    labeled = center.images.select("image", "patient").join(center.labels, on="image")
    labeled = labeled.with_columns(kind=pl.col("label").replace_strict(classes, default=None, return_dtype=pl.String))
    other = labeled.filter(pl.col("kind").is_null())
    yield {"step": "other label", "detail": ", ".join(sorted(set(other["label"]))), **_counts(other)}
    wanted = labeled.filter(pl.col("kind").is_not_null())
    used = wanted
    if reads_boxes(arm):
        used = wanted.join(center.boxes, on="image", how="semi")
        yield {"step": "without box", **_counts(wanted.join(center.boxes, on="image", how="anti"))}
    yield {"step": "used", **_counts(used), **_classes(used)}
    parts: Mapping[str, pl.DataFrame] = {"test": used} if folds is None else _dealt(used, folds)
    yield from ({"step": step, **_counts(part), **_classes(part)} for step, part in parts.items())


def _dealt(used: pl.DataFrame, folds: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Reserve, what is trained in every fold, then the patients that each fold validates."""
    dealt = used.join(folds, on="patient")
    return {
        PARTS.get(fold, f"fold {fold}"): dealt.filter(pl.col("fold") == fold)
        for fold in sorted(set(folds["fold"]), key=lambda fold: (fold != RESERVE, fold))
    }


def _counts(images: pl.DataFrame) -> Row:
    return {"patients": images["patient"].n_unique(), "images": len(images)}


def _classes(images: pl.DataFrame) -> Row:
    return {kind: images.filter(pl.col("kind") == kind).height for kind in ("positive", "negative")}
