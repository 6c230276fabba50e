"""From the run store to report.html, the tables beside it, and the cells' rows in MLflow."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from infra.notes import REPORT
from infra.privacy import exception_type
from orchestrator.changes import remember_changes
from orchestrator.lock import read_lock
from orchestrator.models.serving import register_best
from orchestrator.plan import Plan
from orchestrator.recording import Recorder
from orchestrator.reporting.facts import gather
from orchestrator.reporting.readers import kept_readers
from orchestrator.reporting.results import compare_cells
from orchestrator.workspace import Workspace

if TYPE_CHECKING:
    from evaluation.report import ReportContext


def report(plan: Plan, problems: Mapping[str, str], command: str, recorder: Recorder | None) -> Path:
    """Compare what is published, write the report, and log it; `problems`: key of a failed or blocked job -> reason."""
    from evaluation.report import write_report

    context = context_of(plan, problems, command)
    page = write_report(context, plan.workspace.report)
    if recorder is not None:
        if recorder.replay(context.comparison, _to_share(context, plan.workspace)):
            register_best(plan, recorder.uri, recorder.say)
        recorder.close()
    return page


def context_of(plan: Plan, problems: Mapping[str, str], command: str, *, remember: bool = True) -> ReportContext:
    """Everything that the report is made of; `remember`: note changes of the plan that nobody noted before."""
    lock = read_lock(plan.workspace)
    if remember and lock is not None:
        remember_changes(plan, lock)
    return gather(plan, lock, compare_cells(plan, lock), problems, command)


def _to_share(context: ReportContext, workspace: Workspace) -> dict[str, Path]:
    """The report as it may leave the center, with figures of the paper kit if there are any: place -> file.

    Withheld are names of quarantined files, which hospitals make up, the words of errors, which name files too,
    names of readers, and pictures of radiographs, in which names of patients may be burned in.
    """
    from evaluation.report import write_report

    page = workspace.report / "report.html"
    shutil.rmtree(workspace.shared_report, ignore_errors=True)
    if any(map(len, (context.quarantine, context.failures, context.gallery))) or context.readers is not None:
        files = context.quarantine.with_columns(files=pl.lit("named in the center's own report"))
        errors = context.failures.with_columns(pl.col("error").map_elements(_type_only, return_dtype=pl.String))
        readers = kept_readers(workspace, named=False)
        withheld = context.gallery.with_columns(picture=pl.lit(None, pl.Binary))
        shared = replace(context, quarantine=files, failures=errors, gallery=withheld, readers=readers)
        page = write_report(shared, workspace.shared_report)
    tables = sorted((page.parent / "tables").glob("*.*"))
    figures = sorted((workspace.run_store.root / "paper" / "figures").glob("*.*"))
    return {REPORT: page, **{f"{path.parent.name}/{path.name}": path for path in (*tables, *figures)}}


def _type_only(error: str) -> str:
    kind = exception_type(error)
    return f"{'' if kind == 'unnamed' else f'{kind}; '}told in the center's own report"
