"""Which centers and corpora a run used, as MLflow may know them."""

from __future__ import annotations

from collections.abc import Iterable

from infra.records import Context, DatasetRecord
from orchestrator.plan import Plan
from search_spaces.job import Job


def datasets_of_job(plan: Plan, job: Job) -> tuple[DatasetRecord, ...]:
    """What a job learned from. Of the many that score one center its tag is enough: each dataset costs a request."""
    if job.kind == "pretrain":
        return _datasets(plan, [job.pretraining], "pretraining")
    return _datasets(plan, plan.workspace.study.cohort.development, "training") if job.center is None else ()


def datasets_of_cell(plan: Plan) -> tuple[DatasetRecord, ...]:
    """Where a cell was trained and where it is tested."""
    cohort = plan.workspace.study.cohort
    return (*_datasets(plan, cohort.development, "training"), *_datasets(plan, cohort.external, "external"))


def datasets_of_study(plan: Plan) -> tuple[DatasetRecord, ...]:
    """Those of its cells, and the corpora."""
    return (*datasets_of_cell(plan), *_datasets(plan, plan.workspace.study.used_corpora, "pretraining"))


def _datasets(plan: Plan, names: Iterable[str], context: Context) -> tuple[DatasetRecord, ...]:
    """The fingerprint is that of the images alone: one of sealed labels would tell whether a guess at them is right."""
    known = {**plan.cohort.corpora, **plan.cohort.centers}
    return tuple(
        DatasetRecord(
            name=name,
            digest=known[name].fingerprints["images"][:16],
            context=context,
            images=int(known[name].counts["images"]),
        )
        for name in names
        if name in known
    )
