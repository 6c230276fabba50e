"""The command that makes the paper kit: paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.arguments import Store, StudyFile, console, need_ingested, planned, problems, without_place
from search_spaces.errors import StudyError

if TYPE_CHECKING:
    from orchestrator.plan import Plan

COMMAND_OF_WRITER = "environment"
"""The report's table that says which command wrote it: it differs from run to run, and no result is in it."""


def paper(
    study: StudyFile,
    store: Store = Path("runs"),
    output: Annotated[Path | None, typer.Option(help="folder of the kit; <store>/<study>/paper if left out")] = None,
    style: Annotated[
        str, typer.Option(help="widths of figures in mm: narrow 85/174, usual 88/178, wide 89/180")
    ] = "usual",
) -> None:
    """Make the paper kit: tables, figures, methods, checklists and statement, from what the report shows."""
    from evaluation.report.paper.figures.style import STYLES

    if style not in STYLES:
        raise StudyError(f"--style {style}: allowed is {', '.join(STYLES)}; choose one of them.")
    made = planned(study, store)
    need_ingested(made.not_ingested, study)
    folder = output or made.workspace.run_store.root / "paper"
    options = f" --style {style}" if style != "usual" else ""
    again = make(made, problems(made), folder, style, f"osteogrid paper {without_place(study)}{options}")
    if again:
        console.print("The report was of another state of the study, and was written again.", highlight=False)
    console.print(f"Paper kit: {folder / 'README.md'}", highlight=False, soft_wrap=True)


def make(plan: Plan, reasons: Mapping[str, str], folder: Path, style: str, command: str) -> bool:
    """Write the kit, and the report where it shows another state than the kit; returns whether it did."""
    from evaluation.report.writing import as_file, exported, write_report
    from orchestrator.lock import read_lock
    from orchestrator.paper.kit import Request, write_kit
    from orchestrator.paper.methods import Subject
    from orchestrator.reporting.readers import kept_readers
    from orchestrator.reporting.report import context_of

    context = context_of(plan, reasons, command)
    written = {name: as_file(frame) for name, frame in exported(context).items() if name != COMMAND_OF_WRITER}
    tables = {f"{name}.{kind}": content for name, (kind, content) in written.items()}
    is_old = not _shows(plan.workspace.report, tables)
    if is_old:
        write_report(context, plan.workspace.report)
    lock = read_lock(plan.workspace)
    subject = Subject(
        plan.workspace.study,
        replace(context, readers=kept_readers(plan.workspace, named=False)),  # a kit leaves the center
        lock.locked_at if lock else "",
        lock.plan_hash if lock else "",
        lock.opened_at if lock else "",
    )
    write_kit(folder, Request(subject, plan.cohort.fingerprints, style, command), tables)
    return is_old


def _shows(report: Path, tables: Mapping[str, bytes]) -> bool:
    """Whether the report on disk has exactly these tables."""
    folder = report / "tables"
    return (report / "report.html").exists() and all(
        (folder / name).exists() and (folder / name).read_bytes() == content for name, content in tables.items()
    )
