"""The MLflow run that each record becomes; plain data, no MLflow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from infra.notes import job_note
from infra.privacy import (
    AXES,
    CERTIFICATE,
    as_words,
    check_datasets,
    check_metrics,
    check_params,
    check_tags,
    check_text,
    exception_type,
)
from infra.records import CellRecord, CenterRecord, DatasetRecord, EpochRow, JobRecord, StudyRecord

STUDY = "study"
"""Identity of the study's own run; others are `cell <id>`, `center <cell> <center>` and `job <key>`."""

STATUS = {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED", "blocked": "FAILED"}
_LONGEST_LIST = 7500


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as it shall be."""

    identity: str
    parent: str | None
    """Identity of the run above."""
    name: str
    status: str
    started_ms: int | None
    ended_ms: int | None
    tags: dict[str, str]
    note: str
    params: dict[str, str] = field(default_factory=dict)
    epochs: list[EpochRow] = field(default_factory=list)
    results: dict[str, float] = field(default_factory=dict)
    artifacts: Mapping[str, Path] = field(default_factory=dict)
    datasets: tuple[DatasetRecord, ...] = ()
    waits: bool = False
    """It is made once it has results."""


def runs_of(jobs: Iterable[JobRecord], cells: Iterable[CellRecord], study: StudyRecord) -> list[Run]:
    """All runs of a study, parents first; raises PrivacyError before anything is logged."""
    jobs, cells = list(jobs), list(cells)
    by_cell: dict[str, list[JobRecord]] = {cell.cell: [] for cell in cells}
    for job in jobs:
        if job.cell and job.cell not in by_cell:
            raise ValueError(f"job {job.key} is of cell {job.cell!r}, which is not among the cells to replay.")
        if job.cell:
            by_cell[job.cell].append(job)
    cell_runs = [_cell_run(cell, by_cell[cell.cell]) for cell in cells]
    pairs = zip(cells, cell_runs, strict=True)
    centers = [_center_run(cell, center, run) for cell, run in pairs for center in cell.centers]
    runs = [_study_run(study, cell_runs), *cell_runs, *centers, *map(_job_run, jobs)]
    for run in runs:
        _check(run)
    return runs


def experiment_note(study: StudyRecord) -> str:
    """Markdown of the experiment page: what the study is, links in the same line, which is all it shows at first."""
    return " ".join(part for part in (study.description, study.note) if part)


def _job_run(job: JobRecord) -> Run:
    rows_end = job.epochs[-1].time_ms + 1 if job.epochs else 0
    tags = {
        "level": "job",
        "key": job.key,
        "cell": job.cell,
        "kind": job.kind,
        "purpose": job.purpose,
        "arm": job.arm,
        "fold": str(job.fold),
        "seed": str(job.seed),
        "center": job.center or "",
        "trial": "" if job.trial is None else str(job.trial),
        "status": job.status,
        "attempt": str(job.attempt),
        "error": exception_type(job.error) if job.error else "",
        "used_by": _joined(job.used_by),
        "pruned": str(job.pruned).lower() if job.kind == "tune" else "",
        "superseded": "false",
        **_terms_tags(job.terms),
        **_certificate_tags(job.certificate or {}),
    }
    return Run(
        identity=f"job {job.key}",
        parent=f"cell {job.cell}" if job.cell else STUDY,
        name=job.name.removeprefix(f"{job.arm}/"),
        status=STATUS[job.status],
        started_ms=job.started_ms or None,
        ended_ms=max(job.ended_ms or 0, rows_end) or None,
        tags=tags,
        note=job_note(job),
        params={**_axes(job), **{name: str(value) for name, value in job.hyperparameters.items()}},
        epochs=job.epochs,
        results=job.metrics,
        datasets=job.datasets,
    )


def _cell_run(cell: CellRecord, jobs: list[JobRecord]) -> Run:
    tuned = {name: str(value) for name, value in sorted(cell.tuned.items())}
    check_params(tuned)
    tags = {
        "level": "cell",
        "cell": cell.cell,
        "arm": cell.arm,
        "replicates": f"{cell.replicates_published}/{cell.replicates_planned}",
        "complete": str(cell.is_complete).lower(),
        "exploratory": str(cell.exploratory).lower(),
        "tuned": ", ".join(f"{name}={value}" for name, value in tuned.items()),
        **{f"tuned_{name}": value for name, value in tuned.items()},
        "near_bound": (", ".join(cell.near_bound) or "none") if tuned else "",
        **_terms_tags(cell.terms),
        "superseded": "false",
    }
    return Run(
        identity=f"cell {cell.cell}",
        parent=STUDY,
        name=cell.cell.removeprefix(f"{cell.arm}/"),
        status=_cell_status(cell, jobs),
        started_ms=min((job.started_ms for job in jobs if job.started_ms), default=None),
        ended_ms=max((job.ended_ms for job in jobs if job.ended_ms), default=None),
        tags=tags,
        note=cell.note,
        params=_axes(cell),
        results=cell.metrics,
        datasets=cell.datasets,
    )


def _center_run(cell: CellRecord, center: CenterRecord, above: Run) -> Run:
    """A row per cell and center, so that the page can group and chart by center."""
    told = ("arm", "replicates", "complete", "exploratory", "superseded")
    return replace(
        above,
        identity=f"center {cell.cell} {center.center}",
        parent=above.identity,
        name=f"{above.name} at {center.center}",
        tags={
            "level": "center",
            "cell": cell.cell,
            "center": center.center,
            "role": center.role,
            **{name: above.tags[name] for name in told},
        },
        note=center.note,
        params={**above.params, "center": center.center},
        results=center.metrics,
        datasets=tuple(each for each in cell.datasets if each.name == center.center),
        waits=True,
    )


def _study_run(study: StudyRecord, runs: list[Run]) -> Run:
    states = {run.status for run in runs}
    return Run(
        identity=STUDY,
        parent=None,
        name=f"{study.study} (study)",
        status="RUNNING" if "RUNNING" in states or not runs else "FAILED" if "FAILED" in states else "FINISHED",
        started_ms=min((run.started_ms for run in runs if run.started_ms), default=None),
        ended_ms=max((run.ended_ms for run in runs if run.ended_ms), default=None),
        tags={**study.tags, "level": "study", "study": study.study, "superseded": "false"},
        note=experiment_note(study),
        results=study.metrics,
        artifacts=study.artifacts,
        datasets=study.datasets,
    )


def _cell_status(cell: CellRecord, jobs: list[JobRecord]) -> str:
    """Failed once every replicate that is not published has failed or is blocked; running before that."""
    if cell.is_complete:
        return "FINISHED"
    failed = [job for job in jobs if STATUS[job.status] == "FAILED" and job.kind in ("fit", "predict")]
    # A replicate whose moved boxes or maps failed still has its scores.
    lost = {(job.fold, job.seed) for job in failed if job.purpose in ("", "scores")}
    return "FAILED" if lost and cell.replicates_published + len(lost) >= cell.replicates_planned else "RUNNING"


def _axes(record: JobRecord | CellRecord) -> dict[str, str]:
    return {axis: value for axis in AXES if (value := getattr(record, axis))}


def _certificate_tags(certificate: dict[str, Any]) -> dict[str, str]:
    """The listed facts of a certificate, those of its parts by `part_fact`; a list of tensors counts as its length."""
    facts = dict(certificate)
    for part, inner in certificate.items():
        if isinstance(inner, dict):
            facts |= {f"{part}_{name}": fact for name, fact in inner.items()}
    listed = {name: facts[name] for name in sorted(CERTIFICATE & facts.keys()) if facts[name] is not None}
    return {
        f"certificate_{name}": str(len(fact) if isinstance(fact, list | tuple) else fact)
        for name, fact in listed.items()
    }


def _terms_tags(terms: Mapping[str, str]) -> dict[str, str]:
    return {name: as_words(terms.get(name, "")) for name in ("license", "commercial_use")}


def _joined(names: list[str]) -> str:
    """Names in one tag, cut between two of them."""
    text = ", ".join(names)
    if len(text) <= _LONGEST_LIST:
        return text
    kept = text[:_LONGEST_LIST].split(", ")[:-1]
    return ", ".join(kept) + f", and {len(names) - len(kept)} more"


def _check(run: Run) -> None:
    check_params(run.params)
    check_tags(run.tags)
    check_text(f"note of {run.identity}", run.note)
    check_text(f"name of {run.identity}", run.name)
    check_metrics(run.results)
    check_datasets(run.datasets)
    for row in run.epochs:
        check_metrics(row.metrics)
