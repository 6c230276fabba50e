"""The data and code statement: what is known of code, centers and weights, with gaps for what only authors know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import polars as pl

from orchestrator.paper.words import Section, gap, section

if TYPE_CHECKING:
    from evaluation.report.context import ReportContext
    from search_spaces.recipes import Fingerprints

SOFTWARE_LICENSE = "AGPL-3.0-or-later"


def availability(context: ReportContext) -> Section:
    """Code, data and outputs in sentences."""
    known = context.environment
    commit = known.get("commit", "")
    return section(
        "statement",
        "Data and code",
        f"Code: osteogrid {known.get('osteogrid', 'of unknown version')} ({SOFTWARE_LICENSE})"
        f"{f', commit {commit}' if commit else ''}, fingerprint of the code that computes results "
        f"{known.get('code', 'unknown')}; how to cite it is in CITATION.cff of the software.",
        gap("address of the code"),
        "Data: the content of every center is fixed by the fingerprints below (of stored images, labels and boxes).",
        gap("availability of radiographs and labels, and under which terms"),
        "Outputs: every job's predictions, journal and certificate are kept in the run store with their checksums, and "
        "the report can be computed again from them.",
        gap("availability of the trained models"),
    )


def statement(context: ReportContext, prints: Fingerprints, text: Section) -> str:
    """The statement as Markdown, with its tables of fingerprints and of weights."""
    return "\n".join(
        [
            f"# {text.heading}: {context.study}",
            "",
            text.text,
            "",
            "## Fingerprints of centers and corpora",
            "",
            "| Name | Images | Labels | Boxes |",
            "| --- | --- | --- | --- |",
            *_fingerprints(prints),
            "",
            "## Weights and their licenses",
            "",
            *_weights(context),
            "",
        ]
    )


def _fingerprints(prints: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for name, found in prints.items():
        prints_of = (f"`{found[kind]}`" if kind in found else "" for kind in ("images", "labels", "boxes"))
        yield f"| {name} | {' | '.join(prints_of)} |"


def _weights(context: ReportContext) -> Iterator[str]:
    used = context.certificates.filter(pl.col("sha256").fill_null("") != "")
    if used.is_empty():
        yield "No training has loaded a weights file."
        return
    yield "| Source | Backbone | sha256 | Trained on | License | Commercial use |"
    yield "| --- | --- | --- | --- | --- | --- |"
    backbones = {cell: str(facts["backbone"]) for cell, facts in context.by_cell.items()}
    lines = [
        f"| {row['source']} | {backbones.get(row['cell'], '')} | `{row['sha256']}` | {row['trained_on']} | "
        f"{row['license']} | {row['commercial_use']} |"
        for row in used.iter_rows(named=True)
    ]
    yield from dict.fromkeys(lines)
