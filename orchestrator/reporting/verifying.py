"""Whether a report on disk says what its predictions give: everything is computed again, and nothing is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from infra.environment import code_version
from infra.store import file_sha256
from orchestrator.lock import is_intact
from orchestrator.plan import Plan
from orchestrator.reporting.report import context_of
from search_spaces.errors import StudyError

if TYPE_CHECKING:
    from evaluation.report.context import ReportContext
    from evaluation.report.differences import Difference

READ_BY_REPORTS = {".parquet", ".json"}
"""Endings of the files of an attempt that a report is made of; weights and logs are not."""
SAID_BY_A_RUN = ("environment", "failures")
"""Tables that tell of the run that wrote the report; they are compared with the page, not computed."""
_WRITTEN = re.compile(r'<time datetime="([^"]+)"')


@dataclass(frozen=True)
class Verification:
    """What was compared, and everything that differs."""

    files: int
    """Published files whose checksums were compared."""
    tables: int
    values: int
    parts: int
    """Sections of the page, its head and its scripts."""
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()
    """What a reader should know about differences."""


def verify(plan: Plan, problems: Mapping[str, str]) -> Verification:
    """Compare the study's report with what the run store gives now; raises StudyError where there is none.

    Published files come first: if one is not what its job published, nothing is computed from it.
    """
    from evaluation.report.differences import Difference

    folder = plan.workspace.report
    page = folder / "report.html"
    if not page.exists():
        raise StudyError(f"{page}: there is no report yet; write it with `osteogrid report` or `osteogrid sweep`.")
    checked, altered = _published(plan)
    if not is_intact(plan.workspace):
        altered.append(Difference("lock.json", "the lock was altered after it was written: its hash is another", ""))
    if altered:
        note = "Nothing was computed again from altered files; bring them back from a copy, or remove the job's record"
        return Verification(checked, 0, 0, 0, tuple(altered), (f"{note} in finished/ and sweep again.",))
    text = page.read_text(encoding="utf-8")
    context = _as_written(context_of(plan, problems, "", remember=False), folder, text)
    return replace(_compared(context, folder, text), files=checked, notes=tuple(_notes(plan, context)))


def _published(plan: Plan) -> tuple[int, list[Difference]]:
    """How many files were read, and those that are not as their job published them."""
    from evaluation.report.differences import Difference

    found: list[Difference] = []
    count = 0
    for key, record in sorted(plan.finished.items()):
        folder = plan.workspace.run_store.attempts(key) / str(record["attempt"])
        for name, checksum in record["checksums"].items():
            path = folder / name
            if path.suffix not in READ_BY_REPORTS:
                continue
            count += 1
            place = f"{path.relative_to(plan.workspace.run_store.root)} ({plan.jobs[key].name})"
            if not path.exists():
                found.append(Difference(place, "the file is gone", ""))
            elif file_sha256(path) != checksum:
                found.append(Difference(place, "the file was altered after its job published it", ""))
    return count, found


def _compared(context: ReportContext, folder: Path, page: str) -> Verification:
    from evaluation.report.differences import Difference, of_pages, parts_of
    from evaluation.report.page.html import render
    from evaluation.report.writing import as_file, exported

    frames = {name: (frame, *as_file(frame)) for name, frame in exported(context).items()}
    files = {name: f"{name}.{kind}" for name, (_, kind, _) in frames.items()}
    differences: list[Difference] = []
    for name, (frame, _, content) in frames.items():
        differences += _of_table(folder / "tables" / files[name], frame, content)
    for path in sorted((folder / "tables").glob("*.*")):
        if path.suffix in {".csv", ".parquet"} and path.name not in files.values():
            differences.append(Difference(f"tables/{path.name}", "the report has no such table", ""))
    again = render(context, files)
    differences += of_pages("report.html", page, again)
    values = sum(frame.height * frame.width for frame, *_ in frames.values())
    return Verification(0, len(frames), values, len(parts_of(again)), tuple(differences))


def _of_table(path: Path, computed: pl.DataFrame, content: bytes) -> list[Difference]:
    from evaluation.report.differences import Difference, of_tables

    place = f"tables/{path.name}"
    if not path.exists():
        return [Difference(place, "the file is missing", "")]
    if path.read_bytes() == content:
        return []
    try:
        return of_tables(place, _read(path), computed)
    except pl.exceptions.PolarsError:
        return [Difference(place, "the file cannot be read as a table", "")]


def _read(path: Path) -> pl.DataFrame:
    """A table as text where it is text."""
    return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)


def _as_written(context: ReportContext, folder: Path, page: str) -> ReportContext:
    """With the time of writing, the environment and the failures that the report on disk tells."""
    from evaluation.report.context import SCHEMAS

    found = _WRITTEN.search(page)
    told = {name: _told(folder / "tables" / f"{name}.csv") for name in SAID_BY_A_RUN}
    changes: dict[str, object] = {"created": _time(found.group(1)) if found else datetime.now(UTC)}
    if (pairs := told["environment"]) is not None and set(pairs.columns) == {"name", "value"}:
        changes["environment"] = {str(row["name"]): str(row["value"]) for row in pairs.iter_rows(named=True)}
    if (rows := told["failures"]) is not None and set(rows.columns) == set(SCHEMAS["failures"]):
        changes["failures"] = rows.cast(pl.Schema(SCHEMAS["failures"]), strict=False)
    return replace(context, **changes)  # type: ignore[arg-type]  # fields by name


def _told(path: Path) -> pl.DataFrame | None:
    return _read(path) if path.exists() else None


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC)


def _notes(plan: Plan, context: ReportContext) -> Iterator[str]:
    later = sum(record.get("ended", 0) > context.created.timestamp() for record in plan.finished.values())
    if later:
        yield f"{later} jobs were published after this report was written; `osteogrid report` writes it anew."
    wrote = context.environment.get("code", "")
    if wrote and wrote != code_version():
        yield f"The report was written by code {wrote}; this is code {code_version()}, which may show things otherwise."
