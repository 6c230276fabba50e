"""The plan that stands before an external center is opened."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pydantic import BaseModel

from infra.store import create_if_absent, to_json
from orchestrator.workspace import Workspace
from search_spaces.errors import StudyError
from search_spaces.grid import Cell
from search_spaces.job import Job
from search_spaces.recipes import Fingerprints
from search_spaces.study import StudySpec


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
    after_training: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What each arm computes after training: arm -> {robustness, saliency}."""
    external: tuple[str, ...] = ()
    """External centers; empty in a lock of an earlier version."""
    readers: str = ""
    """Hash of the reader study, where one was there before the first sweep."""
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
        return {cell for cell in late | self.changed(fits) if cell is not None}

    def changed(self, jobs: Iterable[Job]) -> set[str | None]:
        """Cells of which a locked replicate has another key today: their recipe or their data were changed."""
        return {job.cell for job in jobs if job.kind == "fit" and self.fits.get(job.name, job.key) != job.key}


def read_lock(workspace: Workspace) -> Lock | None:
    """The lock, None before the first sweep; raises StudyError for one of a later version, which locked more."""
    if not workspace.lock.exists():
        return None
    body = json.loads(workspace.lock.read_text())
    for name in sorted(body.keys() - {known.name for known in fields(Lock)}):
        raise StudyError(
            f"{workspace.lock}: it locks {name!r}, which this version of osteogrid does not know; "
            "use the version that swept this study, or a later one."
        )
    opened = json.loads(workspace.opened.read_text()) if workspace.opened.exists() else {}
    return Lock(
        **{**body, "cells": tuple(body["cells"]), "external": tuple(body.get("external", ()))},
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
        "after_training": after_training(workspace.study),
        "external": list(workspace.study.cohort.external),
        "readers": readers_hash(workspace),
    }
    create_if_absent(workspace.lock, to_json({**body, "plan_hash": plan_hash(body), "locked_at": _now()}))
    lock = read_lock(workspace)
    assert lock is not None
    return lock


def plan_hash(body: Mapping[str, Any]) -> str:
    """Of all that is locked; the lock's own hash and time are not part of it."""
    locked = {name: value for name, value in body.items() if name not in {"plan_hash", "locked_at"}}
    return hashlib.sha256(to_json(locked)).hexdigest()[:16]


def is_intact(workspace: Workspace) -> bool:
    """Whether the lock is as it was written, by its own hash; true where there is none."""
    if not workspace.lock.exists():
        return True
    body = json.loads(workspace.lock.read_text())
    return bool(body.get("plan_hash") == plan_hash(body))


def after_training(study: StudySpec) -> dict[str, dict[str, Any]]:
    """What each arm computes with trained models beside their scores: arm -> {robustness, saliency}."""
    blocks = ("robustness", "saliency")
    return {arm.name: {block: _plain(getattr(arm, block, None)) for block in blocks} for arm in study.arms}


def readers_hash(workspace: Workspace) -> str:
    """Of the reader study as it is kept with the runs; empty without one."""
    kept = workspace.run_store.kept_once("readers/settings")
    return str(kept["hash"]) if kept else ""


def write_opened(workspace: Workspace, cells: Iterable[str]) -> None:
    """Note, once, when external predictions were first allowed and which cells there were."""
    if not workspace.opened.exists():
        create_if_absent(workspace.opened, to_json({"opened_at": _now(), "cells": list(cells)}))


def _plain(block: BaseModel | None) -> dict[str, Any] | None:
    return None if block is None else block.model_dump(mode="json")


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z")
