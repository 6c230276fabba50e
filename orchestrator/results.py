"""From published tables to the comparison: the only place where labels meet predictions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from orchestrator.lock import Lock
from orchestrator.plan import Plan
from search_spaces.arms import Arm
from search_spaces.recipes import reads_boxes

if TYPE_CHECKING:
    from evaluation.comparison import Comparison


def compare_cells(plan: Plan, lock: Lock | None) -> Comparison:
    """All published predictions of the study, joined with the labels of centers that are open."""
    from evaluation.comparison import compare

    is_open = plan.external_open
    return compare(
        predictions(plan, open_external=is_open),
        labels(plan, open_external=is_open),
        plan.workspace.study.analysis,
        cells(plan, lock),
        open_external=is_open,
    )


def predictions(plan: Plan, *, open_external: bool) -> pl.DataFrame:
    """The prediction tables of all finished predict jobs."""
    from evaluation.tables import PREDICTIONS

    tables = [
        pl.read_parquet(plan.workspace.run_store.attempts(key) / str(record["attempt"]) / "predictions.parquet")
        for key, record in plan.finished.items()
        if plan.jobs[key].kind == "predict" and (open_external or not plan.jobs[key].sealed)
    ]
    # The same job may serve two cells only if their recipes agree; the tables carry the cell they were made for.
    return pl.concat(tables) if tables else pl.DataFrame(schema=PREDICTIONS)


def labels(plan: Plan, *, open_external: bool) -> pl.DataFrame:
    """arm, center, image, label (1 or 0) by each arm's rule; sealed centers are not even read."""
    study = plan.workspace.study
    names = study.cohort.centers if open_external else study.cohort.development
    frames = [
        _coded(arm, name, plan.cohort.centers[name].labels)
        for arm in study.arms
        for name in names
        if name in plan.cohort.centers
    ]
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
