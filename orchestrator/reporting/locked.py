"""The lock as the report tells it: when, what was locked, and what changed since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.changes import flow
from orchestrator.lock import Lock


def locked_facts(lock: Lock | None) -> dict[str, str]:
    """Times and the hash of the plan first, then what the hash covers."""
    if lock is None:
        return {}
    centers = [name for name in lock.fingerprints if "labels" in lock.fingerprints[name]]
    facts = {
        "locked at": lock.locked_at,
        "plan hash": lock.plan_hash,
        "external centers opened at": lock.opened_at or "not yet",
        "cells": str(len(lock.cells)),
        "replicates": str(len(lock.fits)),
        "centers and corpora": ", ".join(centers or lock.fingerprints),
    }
    if lock.opened_at:
        facts["cells when opened"] = str(len(lock.opened_with))
    facts |= {f"analysis: {name}": flow(value) for name, value in _flat(lock.analysis).items()}
    for arm, blocks in lock.after_training.items():
        facts |= {f"{arm}: {block}": flow(value) for block, value in blocks.items() if value is not None}
    return facts | ({"reader study": lock.readers} if lock.readers else {})


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is nested by its parts; what was left out is not told."""
    nested = {
        f"{name}.{part}": inner
        for name, value in values.items()
        for part, inner in (value.items() if isinstance(value, Mapping) else [("", value)])
    }
    return {name.removesuffix("."): value for name, value in nested.items() if value not in (None, [], {})}
