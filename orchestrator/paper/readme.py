"""The first page of a kit: what lies in it, what a human must still do, and how it is made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.paper.words import NEEDS_INPUT

if TYPE_CHECKING:
    from evaluation.report.context import ReportContext
    from evaluation.report.paper.chosen import ChosenTable
    from evaluation.report.paper.figures.drawing import Drawing

WORDS = {
    "methods.md": "the methods in words, facts of the plan only",
    "references.bib": "the papers that the methods cite",
    "statement.md": "data and code, fingerprints of centers, weights with hashes and licenses",
    "checklists/tripod_ai.md": "TRIPOD+AI; texts in the .csv beside it",
    "checklists/claim_2024.md": "CLAIM 2024, likewise",
    "checklists/stard_ai.md": "STARD-AI, likewise",
    "figures/captions.md": "captions of the figures",
    "tables/preview.tex": "all tables in one document, to look at",
}


def readme(
    context: ReportContext,
    command: str,
    style: str,
    tables: Sequence[ChosenTable],
    drawn: Mapping[str, Sequence[tuple[int, Drawing]]],
    files: Sequence[str],
) -> str:
    """README.md of a kit."""
    seal = (
        ""
        if context.external_open or not context.centers("external")
        else "External centers not opened: no result on them is here.\n\n"
    )
    figures = [(number, drawing) for found in drawn.values() for number, drawing in found]
    texts = [f"| `{path}` | {words} |" for path, words in WORDS.items() if path in files]
    return "\n".join(
        [
            f"# Paper kit: {context.study}",
            "",
            f"{seal}Made by `{command}`; the same state of the study gives the same bytes. What a human must write is "
            f"marked {NEEDS_INPUT}. `manifest.json` holds the sha256 of the report's tables that the kit was made from "
            "(`report_tables`, as `sha256sum` prints them) and of every file here: where a table of the report has "
            "another one, make the kit again.",
            "",
            "| File | Holds |",
            "| --- | --- |",
            *texts,
            "",
            "## Tables",
            "",
            "Each as .csv, .md and .tex, with the numbers of the report; numbers in full are in the report's tables. "
            "S: supplement. The .tex files need booktabs, longtable, array and pdflscape.",
            "",
            "| Table | Shows | File |",
            "| --- | --- | --- |",
            *(_table(one) for one in tables),
            "",
            "## Figures",
            "",
            f"Each as .svg, .pdf (fonts embedded) and .png (300 dpi), style `{style}`; no text under 7 points, "
            "colors of Okabe and Ito.",
            "",
            "| Figure | Shows | File |",
            "| --- | --- | --- |",
            *(
                f"| {number} | {drawing.title} | `figures/figure-{number:02}-{drawing.id}` |"
                for number, drawing in figures
            ),
            "",
        ]
    )


def _table(one: ChosenTable) -> str:
    folder = "tables/supplement" if one.sheet.number.startswith("S") else "tables"
    return f"| {one.sheet.number} | {one.sheet.caption} | `{folder}/{one.sheet.stem}` |"
