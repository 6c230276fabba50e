"""Weights files are there and fit their backbones, known before anything is booked."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from infra.environment import code_version
from infra.store import replace, to_json
from orchestrator.plan import Plan
from orchestrator.workspace import Workspace
from search_spaces.errors import StudyError
from search_spaces.grid import Cell
from search_spaces.pretraining import weights_file, weights_sha256


def check_weights(plan: Plan) -> None:
    """Raise StudyError for the first weights file that a selected cell lacks or that does not fit its backbone.

    A file is tried once: the outcome is kept beside the ingested centers, by content and code.
    """
    cells = _selected(plan)
    missing = [entry for entry in plan.expansion.missing if entry.cell in cells]
    if missing:
        more = f" ({len(missing) - 1} more cells lack theirs; `make plan` lists them.)" if len(missing) > 1 else ""
        raise StudyError(missing[0].sentence + more)
    wanted = [entry for cell in cells if (entry := _trial(plan.workspace, cell)) is not None]
    unknown = [entry for entry in wanted if not _is_known(plan.workspace, entry)]
    for entry, sentence in zip(unknown, _try(unknown), strict=True):
        if sentence:
            raise StudyError(sentence)
        replace(_record(plan.workspace, entry), to_json(entry))


def _selected(plan: Plan) -> list[Cell]:
    ids = {job.cell for job in plan.selected.values()}
    return [cell for cell in plan.expansion.cells if cell.id in ids]


def _trial(workspace: Workspace, cell: Cell) -> dict[str, Any] | None:
    """What must be tried for a cell that starts from a file; None for all others."""
    if cell.pretraining in workspace.study.corpora or cell.init == "scratch":
        return None
    path = weights_file(workspace.study, cell.pretraining, cell.backbone)
    assert path is not None
    return {"path": str(path), "task": cell.task, "backbone": cell.backbone, "init": cell.init}


def _try(entries: list[dict[str, Any]]) -> list[str]:
    if not entries:
        return []
    command = [sys.executable, "-m", "trainables.weights_check"]
    done = subprocess.run(command, input=json.dumps(entries), capture_output=True, text=True, check=False)
    if done.returncode:
        raise StudyError(f"{entries[0]['path']}: trying the weights ended with an error: {done.stderr.strip()[-300:]}")
    return list(json.loads(done.stdout))


def _is_known(workspace: Workspace, entry: dict[str, Any]) -> bool:
    return _record(workspace, entry).exists()


def _record(workspace: Workspace, entry: dict[str, Any]) -> Path:
    content = [weights_sha256(Path(entry["path"])), entry["task"], entry["backbone"], entry["init"], code_version()]
    return workspace.root / "weights" / f"{hashlib.sha256('|'.join(content).encode()).hexdigest()[:20]}.json"
