"""The commands that tell what was found: report, readers, track."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from search_spaces.errors import StudyError

if TYPE_CHECKING:
    from orchestrator.plan import Plan


def report(
    study: StudyFile,
    store: Store = Path("runs"),
    verify: Annotated[
        bool, typer.Option("--verify", help="write nothing; compute all numbers again and name those that differ")
    ] = False,
) -> None:
    """Write the report again from what is published, or check the one that is there."""
    from orchestrator.reporting.report import report as write

    made = planned(study, store)
    need_ingested(made.not_ingested, study)
    if verify:
        _verify(made)
        return
    made.workspace.run_store.probe()
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


def readers(
    study: StudyFile,
    store: Store = Path("runs"),
    csv: Annotated[Path | None, typer.Option(help="ratings: reader, case, modality, rating;")] = None,
    truth: Annotated[Path | None, typer.Option(help="truth of the cases, where the ratings have none")] = None,
    reference: Annotated[str, typer.Option(help="modality that the others are compared with; the first named")] = "",
    threshold: Annotated[float | None, typer.Option(help="rating from which a case is called positive")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="take the reader study out again")] = False,
) -> None:
    """Add a reader study to the report, in place of an earlier one, and write the report again."""
    from orchestrator.reporting.readers import add_readers, remove_readers
    from orchestrator.reporting.report import report as write

    if (csv is None) == (not remove):
        raise StudyError("osteogrid readers: give --csv with a file of ratings, or --remove, one of the two.")
    made = planned(study, store)
    need_ingested(made.not_ingested, study)
    made.workspace.run_store.probe()
    if csv is not None:
        said = add_readers(made, csv, truth, reference or None, threshold)
    else:
        said = "Reader study removed." if remove_readers(made.workspace) else "There was no reader study."
    console.print(said, highlight=False, soft_wrap=True)
    page = write(made, problems(made), f"osteogrid readers {without_place(study)}", None)
    console.print(f"Report: {page}", highlight=False, soft_wrap=True)


MOST_DIFFERENCES = 20
"""Printed of one file; the number of the others is told."""


def _verify(made: Plan) -> None:
    """Say what was compared and what differs; exit code 1 if anything does."""
    from orchestrator.reporting.verifying import verify

    found = verify(made, problems(made))
    places: dict[str, list[str]] = {}
    for difference in found.differences:
        places.setdefault(difference.file, []).append(str(difference))
    for file, sentences in places.items():
        for sentence in sentences[:MOST_DIFFERENCES]:
            console.print(sentence, style="red", highlight=False, soft_wrap=True)
        if len(sentences) > MOST_DIFFERENCES:
            console.print(f"{file}: {len(sentences) - MOST_DIFFERENCES} more differences.", soft_wrap=True)
    for note in found.notes if found.differences else ():
        console.print(note, highlight=False, soft_wrap=True)
    what = f"{found.tables} tables with {found.values} values and {found.parts} parts of the page"
    against = f"{found.files} published files of {len(made.finished)} jobs"
    if found.differences:
        told = f"{what}, checked against {against}" if found.tables else against
        console.print(f"Differences: {len(found.differences)}, in {told}.", highlight=False, soft_wrap=True)
        raise typer.Exit(JOBS_FAILED)
    console.print(f"Verified: {what} are what {against} give.", highlight=False, soft_wrap=True)
