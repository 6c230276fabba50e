"""Weights files are what was added and fit, and unusual networks can be built: known before anything is booked."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from infra.environment import code_version
from infra.store import replace, to_json
from orchestrator.plan import Plan
from orchestrator.weights.checking import check_record, is_unusual, network_of, starts_from_file, trial_of
from orchestrator.weights.process import why_misfits
from orchestrator.workspace import Workspace
from search_spaces.errors import StudyError
from search_spaces.grid import Cell
from search_spaces.pretraining import weights_sha256


def check_weights(plan: Plan) -> None:
    """Raise StudyError for the first weights file that a selected cell lacks or that cannot start it.

    It cannot if its sha256 is not its record's, or if it does not fit the backbone. Networks outside the catalogue,
    and those of which only some stages are trained, are tried too. Each is tried once: the outcome is kept beside the
    ingested centers, by content and code.
    """
    cells = _selected(plan)
    missing = [entry for entry in plan.expansion.missing if entry.cell in cells]
    if missing:
        more = f" ({len(missing) - 1} more cells lack theirs; `make plan` lists them.)" if len(missing) > 1 else ""
        raise StudyError(missing[0].sentence + more)
    study = plan.workspace.study
    wanted = [trial_of(study, cell) for cell in cells if starts_from_file(study, cell)]
    for path in dict.fromkeys(str(entry["path"]) for entry in wanted):
        check_record(Path(path))
    wanted += [network_of(study, cell) for cell in cells if not starts_from_file(study, cell) and is_unusual(cell)]
    unknown = [entry for entry in wanted if not _note(plan.workspace, entry).exists()]
    for entry, sentence in zip(unknown, why_misfits(unknown), strict=True):
        if sentence:
            raise StudyError(sentence)
        replace(_note(plan.workspace, entry), to_json(entry))


def _selected(plan: Plan) -> list[Cell]:
    ids = {job.cell for job in plan.selected.values()}
    return [cell for cell in plan.expansion.cells if cell.id in ids]


def _note(workspace: Workspace, entry: dict[str, Any]) -> Path:
    """Where it stands that a file was tried with success."""
    settings = [str(entry.get(name)) for name in ("task", "backbone", "init", "channels", "image_size")]
    file = "no file" if entry["path"] is None else weights_sha256(Path(entry["path"]))
    content = [file, *settings, code_version()]
    return workspace.root / "weights" / f"{hashlib.sha256('|'.join(content).encode()).hexdigest()[:20]}.json"
