"""Reads the run store into the records that MLflow and the report are made of."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.records import DatasetRecord, EpochRow, JobRecord, Status
from orchestrator.datasets import datasets_of_job
from orchestrator.plan import Plan
from orchestrator.reporting.licenses import Terms, terms_of_cell
from orchestrator.schedule import Schedule, State
from search_spaces.job import Job

_RESULTS = {"value": "value", "epoch": "best_epoch", "epochs_trained": "epochs_trained"}
"""Values of a result that become metrics, and their names there."""
_COUNTING = {"features"}
"""Kinds whose journal counts regions: of a center that is still sealed that tells how many lesions it has."""


def job_records(plan: Plan, schedule: Schedule | None, *, is_over: bool = False) -> Iterator[JobRecord]:
    """One record per job that was ever started, and per job that is blocked; `is_over`: nothing runs any more."""
    store = plan.workspace.run_store
    finished, failed = store.finished(), store.failed()
    users, terms = _users(plan), _terms(plan)
    for key, job in plan.jobs.items():
        state = None if schedule is None else schedule.states.get(key)
        is_running = not is_over and _is_on_its_way(state, has_come=bool(store.rungs(key)))
        record = finished.get(key) or (None if is_running else failed.get(key))
        named = (record or {}).get("attempt")
        attempt = store.attempts(key) / str(named) if named else store.newest_attempt(key)
        if attempt is None and record is None and state is not State.BLOCKED:
            continue
        status = _status(key in finished, state, is_running=is_running)
        tries = len(store.attempts_so_far(key))
        beside = Beside(users.get(key, []), tries, terms(job), datasets_of_job(plan, job))
        yield _record(job, status, record or {}, attempt, beside)


def epochs_of(attempt: Path) -> list[EpochRow]:
    """The journal of an attempt, in order."""
    rows = [json.loads(path.read_text()) for path in sorted((attempt / "journal").glob("[0-9]*.json"))]
    return [EpochRow(epoch=row["epoch"], time_ms=row["time_ms"], metrics=row["metrics"]) for row in rows]


def certificate_of(attempt: Path) -> dict[str, Any] | None:
    """What the attempt certified, if anything."""
    path = attempt / "certificate.json"
    return dict(json.loads(path.read_text())) if path.exists() else None


def _is_on_its_way(state: State | None, *, has_come: bool) -> bool:
    """A trial that waits at a rung is on its way as long as the sweep is."""
    return state is State.RUNNING or (state is State.WAITING and has_come)


def _status(is_finished: bool, state: State | None, *, is_running: bool) -> Status:
    """A job that was started, did not finish and does not run now has failed, or was cut off, which is no better."""
    if is_finished:
        return "finished"
    if is_running:
        return "running"
    return "blocked" if state is State.BLOCKED else "failed"


def _terms(plan: Plan) -> Callable[[Job], Terms]:
    """License and commercial use by job: of replicates, the models that people take away."""

    @functools.cache
    def of(source: str, backbone: str) -> Terms:
        return terms_of_cell(plan.workspace.study, source, backbone)

    return lambda job: of(job.pretraining, job.backbone) if job.kind == "fit" else {}


@dataclass(frozen=True)
class Beside:
    """What of a job stands neither in its result nor in its attempt."""

    users: list[str]
    tries: int
    terms: Mapping[str, str]
    datasets: tuple[DatasetRecord, ...]


def _record(job: Job, status: Status, record: Mapping[str, Any], attempt: Path | None, beside: Beside) -> JobRecord:
    result = record.get("result", {})
    ended = record.get("ended")
    # A job without journal (still starting, or blocked) has the time of its folder as its start.
    started = record.get("started") or (int(attempt.name.split("-")[0]) / 1e9 if attempt else 0.0)
    metrics = {
        metric: float(result[name]) for name, metric in _RESULTS.items() if isinstance(result.get(name), int | float)
    }
    if "core_seconds" in record:
        metrics |= {"core_seconds": record["core_seconds"], "peak_megabytes": record["peak_megabytes"]}
    return JobRecord(
        key=job.key,
        kind=job.kind,
        name=job.name,
        arm=job.arm,
        task=job.task,
        cell=job.cell or "",
        backbone=job.backbone,
        pretraining=job.pretraining,
        init=job.init,
        fold=job.fold,
        seed=job.seed,
        center=job.center,
        trial=job.trial,
        status=status,
        started_ms=int(started * 1000),
        ended_ms=int(ended * 1000) if ended else None,
        hyperparameters=dict(record.get("hyperparameters") or _given(attempt)),
        epochs=epochs_of(attempt) if attempt and job.kind not in _COUNTING else [],
        metrics=metrics,
        used_by=beside.users,
        certificate=certificate_of(attempt) if attempt else None,
        error=str(record.get("type", "")),
        attempt=max(beside.tries, 1),
        pruned=bool(result.get("pruned", False)),
        terms=beside.terms,
        purpose=job.purpose if job.kind in ("predict", "features") else "",
        datasets=beside.datasets,
    )


def _given(attempt: Path | None) -> dict[str, Any]:
    """What a job that has not ended was handed; one that was cut off at its start has no record."""
    path = None if attempt is None else attempt / "job.json"
    if path is None or not path.exists():
        return {}
    return dict(json.loads(path.read_text())["job"].get("hyperparameters", {}))


def _users(plan: Plan) -> dict[str, list[str]]:
    """Shared job -> ids of the cells that need it."""
    users: dict[str, list[str]] = {}
    for job in plan.jobs.values():
        for key in job.needs:
            if job.cell and plan.jobs[key].cell is None and job.cell not in users.setdefault(key, []):
                users[key].append(job.cell)
    return users
