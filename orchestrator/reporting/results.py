"""From published tables to the comparison: the only place where labels meet predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import polars as pl

from orchestrator.lock import Lock
from orchestrator.plan import Plan
from orchestrator.reporting.published import published
from orchestrator.reporting.saliency import maps
from search_spaces.arms import Arm
from search_spaces.recipes import reads_boxes

if TYPE_CHECKING:
    from cohorts.manifest import Center
    from evaluation.comparison.comparing import Comparison, Further


def compare_cells(plan: Plan, lock: Lock | None) -> Comparison:
    """All published predictions of the study, joined with the labels of centers that are open."""
    from evaluation.comparison.comparing import compare

    is_open = plan.external_open
    return compare(
        predictions(plan, open_external=is_open),
        labels(plan, open_external=is_open),
        plan.workspace.study.analysis,
        cells(plan, lock),
        open_external=is_open,
        further=further(plan, open_external=is_open),
    )


def predictions(plan: Plan, *, open_external: bool) -> pl.DataFrame:
    """The prediction tables of all finished predict jobs, of images as they are and of perturbed ones."""
    from evaluation.tables import PREDICTIONS

    return pl.concat([pl.DataFrame(schema=PREDICTIONS), *published(plan, "predictions", open_external=open_external)])


def further(plan: Plan, *, open_external: bool) -> Further:
    """What is known of the images beside their labels: attributes, lesions, and the boxes that detectors drew."""
    from evaluation.comparison.comparing import Further
    from evaluation.tables import DETECTIONS

    centers = _readable(plan, open_external=open_external)
    boxes = published(plan, "detections", open_external=open_external)
    return Further(
        attributes=attributes(centers),
        lesions=lesions(plan, centers),
        detections=pl.concat([pl.DataFrame(schema=DETECTIONS), *boxes]),
        maps=maps(plan, centers, open_external=open_external),
        variants=variants(plan),
    )


def variants(plan: Plan) -> pl.DataFrame:
    """What each variant of the study's ladders does to boxes (VARIANTS), in the order of the study."""
    from evaluation.comparison.perturbed import VARIANTS

    ladders = [ladder for arm in plan.workspace.study.arms if (ladder := getattr(arm, "robustness", None))]
    found = {variant.id: variant for ladder in ladders for variant in ladder.variants()}
    rows = [(each.id, each.kind, each.magnitude, each.draw) for each in found.values()]
    return pl.DataFrame(rows, schema=VARIANTS, orient="row")


def attributes(centers: Mapping[str, Center]) -> pl.DataFrame:
    """Age, sex, view and the longest side of the largest box in millimeters, where they are known."""
    from evaluation.comparison.subgroups import NO_ATTRIBUTES

    return pl.concat([NO_ATTRIBUTES, *(_attributes(center) for center in centers.values())], how="diagonal")


def lesions(plan: Plan, centers: Mapping[str, Center]) -> pl.DataFrame:
    """Boxes of images with a positive label, for every arm of detectors."""
    from evaluation.comparison.localization import LESIONS

    frames = [
        center.boxes.join(center.labels.filter(pl.col("label").is_in(arm.labels.positive)), on="image", how="semi")
        .with_columns(arm=pl.lit(arm.name), center=pl.lit(name))
        .select(list(LESIONS))
        for arm in plan.workspace.study.arms
        if arm.task == "detection"
        for name, center in centers.items()
    ]
    return pl.concat([pl.DataFrame(schema=LESIONS), *frames])


def _attributes(center: Center) -> pl.DataFrame:
    sides = pl.max_horizontal(pl.col("x1") - pl.col("x0"), pl.col("y1") - pl.col("y0"))
    largest = center.boxes.group_by("image").agg(sides.max().alias("side"))
    images = center.images.join(largest, on="image", how="left")
    return images.select(
        "center", "image", "age", "sex", "view", (pl.col("side") * pl.col("spacing_mm")).alias("lesion_size")
    )


def _readable(plan: Plan, *, open_external: bool) -> dict[str, Center]:
    """The centers whose labels and boxes may be read now; sealed ones are not even opened."""
    cohort = plan.workspace.study.cohort
    names = cohort.centers if open_external else cohort.development
    return {name: plan.cohort.centers[name] for name in names if name in plan.cohort.centers}


def labels(plan: Plan, *, open_external: bool) -> pl.DataFrame:
    """arm, center, image, label (1 or 0) by each arm's rule; sealed centers are not even read."""
    centers = _readable(plan, open_external=open_external)
    frames = [_coded(arm, name, center.labels) for arm in plan.workspace.study.arms for name, center in centers.items()]
    schema = {"arm": pl.String, "center": pl.String, "image": pl.String, "label": pl.Int64}
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


def cells(plan: Plan, lock: Lock | None) -> pl.DataFrame:
    """The cells of the study in its order, with what a reader must know about each."""
    return pl.DataFrame(list(_cell_rows(plan, lock)))


def _cell_rows(plan: Plan, lock: Lock | None) -> Iterator[dict[str, object]]:
    study = plan.workspace.study
    arms = {arm.name: arm for arm in study.arms}
    exploratory = set() if lock is None else lock.exploratory(plan.jobs.values())
    for cell in plan.expansion.cells:
        arm = arms[cell.arm]
        yield {
            "cell": cell.id,
            "arm": cell.arm,
            "task": cell.task,
            "backbone": cell.backbone,
            "pretraining": cell.pretraining,
            "init": cell.init,
            "replicates_planned": study.split.folds * len(arm.fit.seeds),
            "exploratory": cell.id in exploratory,
            "box": "given" if reads_boxes(arm) else "not given",
        }


def _coded(arm: Arm, center: str, table: pl.DataFrame) -> pl.DataFrame:
    codes = {**dict.fromkeys(arm.labels.negative, 0), **dict.fromkeys(arm.labels.positive, 1)}
    rule = pl.DataFrame(
        {"label": list(codes), "code": list(codes.values())}, schema={"label": pl.String, "code": pl.Int64}
    )
    joined = table.join(rule, on="label", how="inner")
    return joined.select(arm=pl.lit(arm.name), center=pl.lit(center), image="image", label="code")
