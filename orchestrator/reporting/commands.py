"""The commands that tell what was found: report, track."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.arguments import (
    JOBS_FAILED,
    Store,
    StudyFile,
    console,
    need_ingested,
    planned,
    problems,
    without_place,
)


def report(study: StudyFile, store: Store = Path("runs")) -> None:
    """Write the report again from what is published."""
    from orchestrator.reporting.report import report as write

    made = planned(study, store)
    need_ingested(made.not_ingested, study)
    page = write(made, problems(made), f"osteogrid report {without_place(study)}", None)
    console.print(f"Report: {page}", highlight=False, soft_wrap=True)


def track(
    study: StudyFile,
    store: Store = Path("runs"),
    tracking_uri: Annotated[str, typer.Option(envvar="MLFLOW_TRACKING_URI")] = "",
) -> None:
    """Make MLflow level with the run store."""
    from infra.lease import Lease
    from orchestrator.recording import Recorder
    from orchestrator.reporting.report import report as write

    made = planned(study, store)
    need_ingested(made.not_ingested, study)
    uri = tracking_uri or made.workspace.mlflow_uri
    recorder = Recorder(uri, lambda: made, None, lambda text: console.print(text))
    with Lease(made.workspace.lease):  # a sweep writes to MLflow too, and two writers would make runs twice
        write(made, problems(made), f"osteogrid track {without_place(study)}", recorder)
    if recorder.is_behind:
        raise typer.Exit(JOBS_FAILED)
