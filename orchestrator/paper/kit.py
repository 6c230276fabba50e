"""The paper kit in files: tables, figures, methods, checklists, statement, and a manifest of the report's state."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.report.paper.checklist import (
    FILES,
    Answer,
    Answers,
    checklist_csv,
    checklist_markdown,
    fill,
    load_checklist,
)
from evaluation.report.paper.chosen import ChosenTable, chosen_tables
from evaluation.report.paper.tables_as import PACKAGES, as_csv, as_latex, as_markdown
from orchestrator.paper.methods import Subject, methods
from orchestrator.paper.readme import readme
from orchestrator.paper.references import bibliography
from orchestrator.paper.statement import availability, statement
from orchestrator.paper.words import NEEDS_INPUT, Section

if TYPE_CHECKING:
    from evaluation.report.context import ReportContext
    from evaluation.report.paper.figures.drawing import Drawing
    from search_spaces.recipes import Fingerprints

MANIFEST = "manifest.json"
Files = dict[str, bytes]
"""Path inside the kit -> content."""


@dataclass(frozen=True)
class Request:
    """What a kit is made of: the study's state, the sizes of its figures, and how it is made again."""

    subject: Subject
    prints: Fingerprints
    style: str
    command: str

    @property
    def context(self) -> ReportContext:
        """The facts of the report."""
        return self.subject.context


def kit_files(request: Request) -> Files:
    """All files of a kit but its manifest; the same state gives the same bytes."""
    context = request.context
    tables = chosen_tables(context)
    figures, drawn = _figures(request)
    parts, open_data = methods(request.subject), availability(context)
    written = methods_text(request, parts)
    answers = _answers(request, [*parts, open_data], tables, drawn)
    files: Files = {
        **_tables(tables),
        **figures,
        "methods.md": written.encode(),
        "references.bib": bibliography([written]).encode(),
        "statement.md": statement(context, request.prints, open_data).encode(),
        **_checklists(answers),
    }
    return files | {"README.md": readme(context, request.command, request.style, tables, drawn, sorted(files)).encode()}


def methods_text(request: Request, parts: list[Section]) -> str:
    """The methods as Markdown; references in pandoc's form."""
    written = [f"## {part.heading}\n\n{part.text}\n" for part in parts if part.text]
    gaps = sum(part.text.count(f"[{NEEDS_INPUT}") for part in parts)
    intro = (
        f"# Methods: {request.context.study}\n\nWritten from the study's plan, lock and records; {gaps} gaps are "
        f"marked {NEEDS_INPUT}. References are in references.bib "
        "(`pandoc --citeproc --bibliography references.bib methods.md`).\n"
    )
    return "\n".join([intro, *written])


def _tables(tables: list[ChosenTable]) -> Files:
    files: Files = {}
    for one in tables:
        folder = "tables/supplement" if one.sheet.number.startswith("S") else "tables"
        path = f"{folder}/{one.sheet.stem}"
        forms = {"csv": as_csv(one.sheet), "md": as_markdown(one.sheet), "tex": as_latex(one.sheet)}
        files |= {f"{path}.{kind}": text.encode() for kind, text in forms.items()}
    inputs = [path.removeprefix("tables/").removesuffix(".tex") for path in files if path.endswith(".tex")]
    return files | ({"tables/preview.tex": _preview(inputs).encode()} if inputs else {})


def _preview(inputs: list[str]) -> str:
    return "\n".join(
        [
            "% All tables on pages of their own: pdflatex preview.tex, twice.",
            "\\documentclass[10pt,a4paper]{article}",
            "\\usepackage[T1]{fontenc}",
            "\\usepackage[utf8]{inputenc}",
            "\\usepackage[margin=22mm]{geometry}",
            f"\\usepackage{{{','.join(PACKAGES)}}}",
            "\\begin{document}",
            *(f"\\input{{{path}}}\n\\clearpage" for path in inputs if not path.startswith("supplement")),
            "\\setcounter{table}{0}\\renewcommand{\\thetable}{S\\arabic{table}}",
            *(f"\\input{{{path}}}\n\\clearpage" for path in inputs if path.startswith("supplement")),
            "\\end{document}",
            "",
        ]
    )


def _figures(request: Request) -> tuple[Files, dict[str, list[tuple[int, Drawing]]]]:
    """Files of all figures and their captions, and what was drawn by kind, each with its number."""
    from evaluation.report.paper.figures.chosen import MAKERS
    from evaluation.report.paper.figures.style import STYLES, in_print, saved

    files: Files = {}
    drawn: dict[str, list[tuple[int, Drawing]]] = {}
    number = 0
    with in_print():
        for kind, make in MAKERS.items():
            for drawing in make(request.context, STYLES[request.style]):
                number += 1
                drawn.setdefault(kind, []).append((number, drawing))
                path = f"figures/figure-{number:02}-{drawing.id}"
                files |= {f"{path}.{ending}": content for ending, content in saved(drawing.figure).items()}
    captions = [
        f"**Figure {number}.** {drawing.title}. {drawing.caption} (`{drawing.csv}` in the report's tables.)\n"
        for found in drawn.values()
        for number, drawing in found
    ]
    return files | ({"figures/captions.md": "\n".join(captions).encode()} if captions else {}), drawn


def _answers(
    request: Request,
    parts: list[Section],
    tables: list[ChosenTable],
    drawn: Mapping[str, list[tuple[int, Drawing]]],
) -> Answers:
    context = request.context
    of_tables: dict[str, list[Answer]] = {}
    for one in tables:
        if not one.sheet.number.startswith("S") or one.kind not in of_tables:
            of_tables.setdefault(one.kind, []).append(Answer(f"Table {one.sheet.number} (report.html#{one.section})"))
    return Answers(
        {
            part.key: Answer(
                f"{'statement.md' if part.key == 'statement' else 'methods.md'}, {part.heading}", part.facts
            )
            for part in parts
            if part.facts
        },
        of_tables,
        {kind: [Answer(f"Figure {number}") for number, _ in found] for kind, found in drawn.items()},
        sealed=bool(context.centers("external")) and not context.external_open,
    )


def _checklists(answers: Answers) -> Files:
    files: Files = {}
    for name in FILES:
        checklist = load_checklist(name)
        lines = fill(checklist, answers)
        files[f"checklists/{name}.csv"] = checklist_csv(lines).encode()
        files[f"checklists/{name}.md"] = checklist_markdown(checklist, lines).encode()
    return files


def manifest(request: Request, tables: Mapping[str, bytes], files: Files) -> dict[str, Any]:
    """Which state of the report the kit was made from: sha256 of the report's tables and of the kit's files."""
    subject, environment = request.subject, request.context.environment
    return {
        "study": subject.study.name,
        "plan_hash": subject.plan_hash,
        "locked_at": subject.locked_at,
        "external_opened_at": subject.opened_at if request.context.external_open else "",
        "code": environment.get("code", ""),
        "commit": environment.get("commit", ""),
        "style": request.style,
        "report_tables": {name: _sha256(content) for name, content in sorted(tables.items())},
        "files": {name: _sha256(content) for name, content in sorted(files.items())},
    }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write_kit(folder: Path, request: Request, tables: Mapping[str, bytes]) -> Path:
    """Write all files, and take away those of an earlier kit that this one lacks; returns the folder."""
    files = kit_files(request)
    told = manifest(request, tables, files)
    for path in _of_earlier_kit(folder):
        if path not in files:
            (folder / path).unlink(missing_ok=True)
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / MANIFEST).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return folder


def _of_earlier_kit(folder: Path) -> list[str]:
    """Files that the manifest of an earlier kit names; nothing else in the folder is ours."""
    earlier = folder / MANIFEST
    if not earlier.exists():
        return []
    named = json.loads(earlier.read_text(encoding="utf-8")).get("files", {})
    inside = folder.resolve()
    return [path for path in named if (inside / path).resolve().is_relative_to(inside)]
