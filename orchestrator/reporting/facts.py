"""Gathers what the report shows beside the statistics: cohort, budgets, certificates, failures, environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Any

import polars as pl

from infra.environment import code_version, commit, machine, versions
from orchestrator.changes import change_rows
from orchestrator.lock import Lock
from orchestrator.plan import Plan
from orchestrator.reporting.certificates import certificates, trainings
from orchestrator.reporting.coefficients import coefficients, elastic_net_rows
from orchestrator.reporting.contradictions import contradictions, finding_rows, sentences
from orchestrator.reporting.flow import flow_rows
from orchestrator.reporting.gallery import gallery_rows
from orchestrator.reporting.histories import trials, tuning_rows
from orchestrator.reporting.locked import locked_facts
from orchestrator.reporting.readers import kept_readers
from orchestrator.reporting.results import cells, variants
from orchestrator.tuning.proposals import near_bound, space_of
from search_spaces.arms import Arm, RadiomicsArm
from search_spaces.job import Job, in_order

if TYPE_CHECKING:
    from evaluation.comparison.comparing import Comparison
    from evaluation.report.context import ReportContext

Row = dict[str, Any]


def gather(
    plan: Plan, lock: Lock | None, comparison: Comparison, problems: Mapping[str, str], command: str
) -> ReportContext:
    """The report's facts; `problems`: key of a failed or blocked job -> reason."""
    from evaluation.report.context import SCHEMAS, ReportContext

    def frame(name: str, rows: Iterator[Row] | list[Row]) -> pl.DataFrame:
        return pl.DataFrame(list(rows), schema=SCHEMAS[name])

    study = plan.workspace.study
    published = trainings(plan)
    found = contradictions(plan, published)
    changed = change_rows(plan, lock)
    return ReportContext(
        study=study.name,
        description=study.description,
        created=datetime.now().astimezone(),
        cohort=frame("cohort", cohort_rows(plan)),
        quarantine=frame("quarantine", _quarantine(plan)),
        leakage=pl.read_parquet(plan.workspace.findings),
        cells=frame("cells", _cells(plan, lock)),
        left_out=frame("left_out", [vars(entry) for entry in plan.expansion.left_out]),
        failures=frame("failures", _failures(plan, {**problems, **sentences(found)})),
        comparison=comparison,
        certificates=frame("certificates", certificates(plan, published)),
        findings=frame("findings", finding_rows(plan, found)),
        tuning=frame("tuning", tuning_rows(plan)),
        trials=trials(plan),
        elastic_nets=frame("elastic_nets", elastic_net_rows(plan)),
        coefficients=coefficients(plan),
        run_times=frame("run_times", _run_times(plan)),
        flow=frame("flow", flow_rows(plan)),
        changes=frame("changes", changed),
        variants=variants(plan),
        gallery=frame("gallery", gallery_rows(plan, comparison)),
        readers=kept_readers(plan.workspace),
        environment=_environment(command),
        lock=locked_facts(lock),
        notes=_notes(plan),
        external_open=plan.external_open,
        external_waiting=_waiting(plan, lock),
    )


def cohort_rows(plan: Plan) -> Iterator[Row]:
    """Patients, images and boxes of each center, and of each label where labels may be seen."""
    study = plan.workspace.study
    for name in study.cohort.centers:
        center = plan.cohort.centers[name]
        role = "development" if name in study.cohort.development else "external"
        joined = center.images.select("image", "patient").join(center.labels, on="image")
        is_sealed = role == "external" and not plan.external_open
        # How common a label is there is a result, too, and boxes tell it where only lesions have them.
        unknown = {"boxes": None} if is_sealed else {}
        yield {"center": name, "role": role, "label": None, **_counts(joined, center.boxes), **unknown}
        if is_sealed:
            continue
        for label in sorted(joined["label"].unique()):
            yield {
                "center": name,
                "role": role,
                "label": label,
                **_counts(joined.filter(pl.col("label") == label), center.boxes),
            }


def _counts(images: pl.DataFrame, boxes: pl.DataFrame) -> Row:
    of_these = boxes.join(images.select("image"), on="image", how="semi")
    return {"patients": images["patient"].n_unique(), "images": len(images), "boxes": len(of_these)}


def _quarantine(plan: Plan) -> Iterator[Row]:
    for name, center in {**plan.cohort.centers, **plan.cohort.corpora}.items():
        for (reason,), group in center.quarantine.group_by("reason", maintain_order=True):
            yield {"center": name, "reason": reason, "count": len(group), "files": ", ".join(group["file"])}


def _cells(plan: Plan, lock: Lock | None) -> Iterator[Row]:
    arms = {arm.name: arm for arm in plan.workspace.study.arms}
    for row in cells(plan, lock).iter_rows(named=True):
        jobs = [job for job in plan.jobs.values() if job.cell == row["cell"]]
        fits = [plan.finished[job.key] for job in jobs if job.kind == "fit" and job.key in plan.finished]
        arm = arms[row["arm"]]
        yield {
            **row,
            "replicates_finished": len(fits),
            "tuned": _tuned(arm, fits),
            "core_seconds": _seconds(plan, jobs),
            "pretrain_core_seconds": _seconds(plan, _shared(plan, jobs)),
            "trials": 0 if isinstance(arm, RadiomicsArm) else arm.tune.trials,
            "epochs": 0 if isinstance(arm, RadiomicsArm) else arm.fit.epochs,
        }


def _tuned(arm: Arm, fits: list[Mapping[str, Any]]) -> str:
    chosen = fits[0]["hyperparameters"] if fits else {}
    bounds = near_bound(space_of(arm), chosen)
    texts = {name: f"{value:.3g}" if isinstance(value, float) else str(value) for name, value in chosen.items()}
    return ", ".join(f"{name} {text}{' (near its bound)' * (name in bounds)}" for name, text in texts.items())


def _shared(plan: Plan, jobs: list[Job]) -> list[Job]:
    keys = {key for job in jobs for key in job.needs if plan.jobs[key].kind == "pretrain"}
    return [plan.jobs[key] for key in keys]


def _seconds(plan: Plan, jobs: list[Job]) -> float:
    return float(sum(plan.finished[job.key]["core_seconds"] for job in jobs if job.key in plan.finished))


def _failures(plan: Plan, problems: Mapping[str, str]) -> Iterator[Row]:
    for key, reason in problems.items():
        job = plan.jobs[key]
        if reason.startswith("needs ") or reason.startswith("none of its"):
            continue  # blocked: counted with the job that failed
        blocked = len(_behind(plan, key) & problems.keys())
        yield {"job": job.name, "cell": job.cell or "", "kind": job.kind, "error": reason, "blocked": blocked}


def _behind(plan: Plan, key: str) -> set[str]:
    """Everything that needs a job, directly or through others; jobs stand in the order of their needs."""
    found = {key}
    for other, job in plan.jobs.items():
        if found & {*job.needs, *job.trials}:
            found.add(other)
    return found - {key}


def _run_times(plan: Plan) -> Iterator[Row]:
    seconds: dict[str, list[float]] = {job.work: [] for job in plan.jobs.values()}
    for key, record in plan.finished.items():
        seconds[plan.jobs[key].work].append(record["core_seconds"])
    for work in sorted(seconds, key=in_order):
        if found := seconds[work]:
            yield {"kind": work, "jobs": len(found), "core_seconds": sum(found), "median_seconds": median(found)}


def _environment(command: str) -> dict[str, str]:
    return {"command": command, "machine": machine(), "commit": commit(), "code": code_version(), **versions()}


def _notes(plan: Plan) -> list[str]:
    study = plan.workspace.study
    return [note for arm in study.arms for name in study.cohort.development if (note := _left_out(plan, arm, name))]


def _left_out(plan: Plan, arm: Arm, center: str) -> str:
    """How many development patients an arm leaves out, because none of their labels is positive or negative there."""
    from cohorts.checks import count_classes

    others = count_classes(plan.cohort.centers[center], arm.labels.positive, arm.labels.negative)["other"]
    return f"{arm.name}: {others} images of {center} have another label and are left out." if others else ""


def _waiting(plan: Plan, lock: Lock | None) -> str:
    if plan.external_open:
        return ""
    if lock is None:
        return "No sweep has locked a plan yet."
    locked = lock.keys(plan.jobs.values())
    if not locked:
        return "No locked replicate is left in the study."
    schedule = plan.whole_schedule(lock)
    left = sum(not schedule.is_settled(key) for key in locked)
    return f"{left} of {len(locked)} locked replicates are neither finished nor failed for good."
