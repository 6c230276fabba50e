"""The plan that stands before an external center is opened, and what changed since."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.store import create_if_absent, to_json
from orchestrator.workspace import Workspace
from search_spaces.grid import Cell
from search_spaces.jobs import Job
from search_spaces.recipes import Fingerprints


@dataclass(frozen=True)
class Lock:
    """What the first sweep wrote down."""

    locked_at: str
    plan_hash: str
    cells: tuple[str, ...]
    fits: tuple[str, ...]
    """Names of the replicates, such as classification/resnet18-none-scratch-f0-s0."""
    analysis: Mapping[str, Any]
    fingerprints: Fingerprints

    def keys(self, jobs: Iterable[Job]) -> list[str]:
        """Keys of the locked replicates in today's plan; one that left the study is no longer waited for."""
        locked = set(self.fits)
        return [job.key for job in jobs if job.kind == "fit" and job.name in locked]

    def is_exploratory(self, cell: str) -> bool:
        """Whether a cell was added after the lock."""
        return cell not in self.cells

    def deviations(self, cells: Collection[str], analysis: Mapping[str, Any], prints: Fingerprints) -> list[str]:
        """What differs today from what was locked, as sentences."""
        notes = [f"Cell {cell} was added after the lock: exploratory." for cell in cells if self.is_exploratory(cell)]
        notes += [f"Cell {cell} was locked and has left the study." for cell in self.cells if cell not in cells]
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


def read_lock(workspace: Workspace) -> Lock | None:
    """The lock, None before the first sweep."""
    if not workspace.lock.exists():
        return None
    body = json.loads(workspace.lock.read_text())
    return Lock(**{**body, "cells": tuple(body["cells"]), "fits": tuple(body["fits"])})


def write_lock(workspace: Workspace, cells: Iterable[Cell], jobs: Iterable[Job], prints: Fingerprints) -> Lock:
    """Lock the plan, unless an earlier sweep did; returns what is locked."""
    body: dict[str, Any] = {
        "cells": [cell.id for cell in cells],
        "fits": [job.name for job in jobs if job.kind == "fit"],
        "analysis": workspace.study.analysis.model_dump(mode="json"),
        "fingerprints": {name: dict(found) for name, found in prints.items()},
    }
    digest = hashlib.sha256(to_json(body)).hexdigest()[:16]
    create_if_absent(workspace.lock, to_json({**body, "plan_hash": digest, "locked_at": _now()}))
    lock = read_lock(workspace)
    assert lock is not None
    return lock


def write_opened(workspace: Workspace) -> None:
    """Note, once, when external results were first allowed."""
    if not workspace.opened.exists():
        create_if_absent(workspace.opened, to_json({"opened_at": _now()}))


def opened_at(workspace: Workspace) -> str:
    """When external results were first allowed; empty before."""
    return str(json.loads(workspace.opened.read_text())["opened_at"]) if workspace.opened.exists() else ""


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z")
