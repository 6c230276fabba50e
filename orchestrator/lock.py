"""The plan that stands before an external center is opened, and what changed since."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.store import create_if_absent, to_json
from orchestrator.workspace import Workspace
from search_spaces.grid import Cell
from search_spaces.job import Job
from search_spaces.recipes import Fingerprints


@dataclass(frozen=True)
class Lock:
    """What the first sweep wrote down, and which cells there were when the external centers were opened."""

    locked_at: str
    plan_hash: str
    cells: tuple[str, ...]
    fits: Mapping[str, str]
    """Replicate, such as classification/resnet18-none-scratch-f0-s0 -> key, which holds its recipe and data."""
    analysis: Mapping[str, Any]
    fingerprints: Fingerprints
    opened_at: str = ""
    opened_with: tuple[str, ...] = ()

    def keys(self, jobs: Iterable[Job]) -> list[str]:
        """Today's keys of the locked replicates; one that left the study is no longer waited for."""
        return [job.key for job in jobs if job.kind == "fit" and job.name in self.fits]

    def exploratory(self, jobs: Iterable[Job]) -> set[str]:
        """Cells that are not what was locked: added later, changed later, or absent when the centers were opened."""
        fits = [job for job in jobs if job.kind == "fit" and job.cell]
        late = {job.cell for job in fits if job.cell not in self.cells}
        if self.opened_at:
            late |= {job.cell for job in fits if job.cell not in self.opened_with}
        return {cell for cell in late | self._changed(fits) if cell is not None}

    def deviations(self, jobs: Iterable[Job], analysis: Mapping[str, Any], prints: Fingerprints) -> list[str]:
        """What differs today from what was locked, as sentences."""
        fits = [job for job in jobs if job.kind == "fit"]
        today = dict.fromkeys(job.cell for job in fits)
        notes = [f"Cell {cell} was added after the lock: exploratory." for cell in today if cell not in self.cells]
        notes += [f"Cell {cell} was locked and has left the study." for cell in self.cells if cell not in today]
        notes += [
            f"Cell {cell}: its recipe or its data were changed after the lock: exploratory."
            for cell in today
            if cell in self._changed(fits)
        ]
        notes += [
            f"{name}: the data differ from those at the lock."
            for name, locked in self.fingerprints.items()
            if name in prints and dict(prints[name]) != dict(locked)
        ]
        notes += [
            f"Center or corpus {name} was added after the lock." for name in prints if name not in self.fingerprints
        ]
        if json.loads(to_json(analysis)) != json.loads(to_json(dict(self.analysis))):
            notes.append("The analysis plan was changed after the lock: its results are exploratory.")
        return notes

    def _changed(self, fits: Iterable[Job]) -> set[str | None]:
        return {job.cell for job in fits if self.fits.get(job.name, job.key) != job.key}


def read_lock(workspace: Workspace) -> Lock | None:
    """The lock, None before the first sweep."""
    if not workspace.lock.exists():
        return None
    body = json.loads(workspace.lock.read_text())
    opened = json.loads(workspace.opened.read_text()) if workspace.opened.exists() else {}
    return Lock(
        **{**body, "cells": tuple(body["cells"])},
        opened_at=str(opened.get("opened_at", "")),
        opened_with=tuple(opened.get("cells", ())),
    )


def write_lock(workspace: Workspace, cells: Iterable[Cell], jobs: Iterable[Job], prints: Fingerprints) -> Lock:
    """Lock the plan, unless an earlier sweep did; returns what is locked."""
    body: dict[str, Any] = {
        "cells": [cell.id for cell in cells],
        "fits": {job.name: job.key for job in jobs if job.kind == "fit"},
        "analysis": workspace.study.analysis.model_dump(mode="json"),
        "fingerprints": {name: dict(found) for name, found in prints.items()},
    }
    digest = hashlib.sha256(to_json(body)).hexdigest()[:16]
    create_if_absent(workspace.lock, to_json({**body, "plan_hash": digest, "locked_at": _now()}))
    lock = read_lock(workspace)
    assert lock is not None
    return lock


def write_opened(workspace: Workspace, cells: Iterable[str]) -> None:
    """Note, once, when external predictions were first allowed and which cells there were."""
    if not workspace.opened.exists():
        create_if_absent(workspace.opened, to_json({"opened_at": _now(), "cells": list(cells)}))


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z")
