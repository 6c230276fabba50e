"""What a run says of itself in Markdown, and the links between runs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from infra.privacy import exception_type
from infra.records import JobRecord

REPORT = "report.html"
"""Where the report lies among the artifacts of the study's run."""

MODEL_TRAINING = "workflowType=machine_learning"
"""Part of every address: MLflow opens its pages about language models otherwise."""

_LONGEST = 7900  # MLflow cuts a run's tags at 8000 without a word
_LINK = re.compile(r"\[([^\]]*)\]\((run|view):([^)>]*)(?:>([^)]*))?\)")


def job_note(job: JobRecord) -> str:
    """One or two sentences: what the job is, of which cell, and what came of it."""
    came = f"Attempt {job.attempt}, {job.status}" + (f" ({exception_type(job.error)})." if job.error else ".")
    return f"{_what(job)} {came}"


def linked(note: str, experiment: str, runs: Mapping[str, str]) -> str:
    """A note with its links to runs, artifacts and views as the page has them, short enough to be logged.

    A note writes `[text](run:cell arm/…)`, `[text](run:study>report.html)` or `[text](view:cells)`; `runs`: identity ->
    id. Of what MLflow does not have yet the text stays, without a link.
    """

    def link(found: re.Match[str]) -> str:
        text, kind, name, artifact = found.groups()
        if kind == "view":
            return f"[{text}]({view_page(experiment, name)})"
        run = runs.get(name)
        at = f"/artifacts/{artifact}" if artifact else ""
        return f"[{text}](#/experiments/{experiment}/runs/{run}{at}?{MODEL_TRAINING})" if run else text

    return _cut(_LINK.sub(link, note))


def view_page(experiment: str, view: str) -> str:
    """The address of a saved view within the page."""
    return f"#/experiments/{experiment}/runs?{MODEL_TRAINING}&viewStateShareKey=osteogrid-{view}"


def _what(job: JobRecord) -> str:
    of = f"[{job.cell}](run:cell {job.cell})"
    model = f"fold {job.fold}, seed {job.seed} of {of}"
    if job.kind == "pretrain":
        return f"Pretraining of {job.backbone} on {job.pretraining}, used by {_cells(len(job.used_by))}."
    if job.kind == "features":
        return f"Radiomics features of {job.center}, used by {_cells(len(job.used_by))}."
    if job.kind == "tune":
        return f"Trial {job.trial} of the search of {of}{_value(job)}{' It was pruned.' * job.pruned}"
    if job.kind == "fit":
        return f"Replicate {model}{_value(job)}"
    if job.purpose == "perturbed":
        return f"Scores of {job.center} with moved boxes, by {model}; the report has what they say of stability."
    if job.purpose == "saliency":
        return f"What scores of {job.center} rest on, by {model}; the report has the maps."
    results = f"[results](run:center {job.cell} {job.center})"
    return f"Scores of {job.center} by {model}; the {results} there are those of all replicates together."


def _value(job: JobRecord) -> str:
    """The best value and where it was, once there is one."""
    if "value" not in job.metrics:
        return "."
    at = f", at epoch {job.metrics['best_epoch']:.0f}" if "best_epoch" in job.metrics else ""
    return f": validation value {job.metrics['value']:.3f}{at}."


def _cells(number: int) -> str:
    return f"{number} cell" if number == 1 else f"{number} cells"


def _cut(note: str) -> str:
    """A note that fits, cut at the end of a line."""
    if len(note) <= _LONGEST:
        return note
    return note[:_LONGEST].rpartition("\n")[0] + "\n\n(cut here; the report has it all)"
