"""From the run store to report.html, the tables beside it, and the cells' rows in MLflow."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from infra.privacy import exception_type
from orchestrator.lock import read_lock
from orchestrator.models.serving import register_best
from orchestrator.plan import Plan
from orchestrator.recording import Recorder
from orchestrator.reporting.facts import gather
from orchestrator.reporting.results import compare_cells
from orchestrator.workspace import Workspace

if TYPE_CHECKING:
    from evaluation.report import ReportContext


def report(plan: Plan, problems: Mapping[str, str], command: str, recorder: Recorder | None) -> Path:
    """Compare what is published, write the report, and log it; `problems`: key of a failed or blocked job -> reason."""
    from evaluation.report import write_report

    lock = read_lock(plan.workspace)
    comparison = compare_cells(plan, lock)
    context = gather(plan, lock, comparison, problems, command)
    page = write_report(context, plan.workspace.report)
    if recorder is not None:
        if recorder.replay(comparison, _to_share(context, plan.workspace)):
            register_best(plan, recorder.uri, recorder.say)
        recorder.close()
    return page


def _to_share(context: ReportContext, workspace: Workspace) -> list[Path]:
    """The report as it may leave the center.

    Withheld are names of quarantined files, which hospitals make up, and the words of errors, which name files too.
    """
    from evaluation.report import write_report

    page = workspace.report / "report.html"
    shutil.rmtree(workspace.shared_report, ignore_errors=True)
    if len(context.quarantine) or len(context.failures):
        files = context.quarantine.with_columns(files=pl.lit("named in the center's own report"))
        errors = context.failures.with_columns(pl.col("error").map_elements(_type_only, return_dtype=pl.String))
        page = write_report(replace(context, quarantine=files, failures=errors), workspace.shared_report)
    return [page, *sorted((page.parent / "tables").glob("*.*"))]


def _type_only(error: str) -> str:
    kind = exception_type(error)
    return f"{'' if kind == 'unnamed' else f'{kind}; '}told in the center's own report"
