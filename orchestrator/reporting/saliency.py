"""What the report needs of heat maps: the published ones, the boxes they are judged by, why some cells have none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import polars as pl

from orchestrator.plan import Plan
from orchestrator.reporting.published import published
from search_spaces.arms import Arm
from search_spaces.recipes import reads_boxes

if TYPE_CHECKING:
    from cohorts.manifest import Center
    from evaluation.comparison.pointing import Maps


def maps(plan: Plan, centers: Mapping[str, Center], *, open_external: bool) -> Maps:
    """All published maps with the boxes of `centers`, the ones that may be read."""
    from evaluation.comparison.mapped import MARKS
    from evaluation.comparison.pointing import Maps
    from evaluation.tables import SALIENCY

    marks = [_marks(arm, name, center) for arm in explained(plan) for name, center in centers.items()]
    return Maps(
        maps=pl.concat([pl.DataFrame(schema=SALIENCY), *published(plan, "saliency", open_external=open_external)]),
        marks=pl.concat([pl.DataFrame(schema=MARKS), *marks]),
        reasons=dict(_reasons(plan)),
    )


def explained(plan: Plan) -> list[Arm]:
    """The arms of the study that ask for maps."""
    return [arm for arm in plan.workspace.study.arms if getattr(arm, "saliency", None) is not None]


def _marks(arm: Arm, name: str, center: Center) -> pl.DataFrame:
    """Boxes of the images on which there is a lesion to point at.

    Those with a positive label; where boxes are the regions, those with a negative one, too: the logit is of a lesion.
    """
    from evaluation.comparison.mapped import MARKS

    wanted = [*arm.labels.positive, *(arm.labels.negative if reads_boxes(arm) else ())]
    images = center.images.join(center.labels.filter(pl.col("label").is_in(wanted)), on="image", how="semi")
    boxes = center.boxes.join(images.select("image", "height", "width"), on="image")
    named = boxes.with_columns(arm=pl.lit(arm.name), center=pl.lit(name))
    return named.select(pl.col(column).cast(kind) for column, kind in MARKS.items())


def _reasons(plan: Plan) -> Iterator[tuple[str, str]]:
    """Cell and why its networks have no map, told by each of its jobs."""
    for key, record in plan.finished.items():
        job = plan.jobs[key]
        reason = record["result"].get("no_map") if job.purpose == "saliency" else None
        if reason and job.cell is not None:
            yield job.cell, str(reason)
