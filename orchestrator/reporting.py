"""From the run store to report.html, the tables beside it, and the cells' rows in MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestrator.facts import gather
from orchestrator.lock import read_lock
from orchestrator.plan import Plan
from orchestrator.recording import Recorder
from orchestrator.results import compare_cells


def report(plan: Plan, problems: Mapping[str, str], command: str, recorder: Recorder | None) -> Path:
    """Compare what is published, write the report, and log it; `problems`: key of a failed or blocked job -> reason."""
    from evaluation.report import write_report

    lock = read_lock(plan.workspace)
    comparison = compare_cells(plan, lock)
    page = write_report(gather(plan, lock, comparison, problems, command), plan.workspace.report)
    if recorder is not None:
        tables = sorted((plan.workspace.report / "tables").glob("*.csv"))
        recorder.replay(comparison, [page, *tables])
        recorder.close()
    return page
