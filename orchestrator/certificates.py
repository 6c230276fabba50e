"""What the report says of a certificate: counts instead of names, one row per cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_spaces.pretraining import NONE, SOURCES
from search_spaces.study import StudySpec


def summary(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The certificate of a fit in one row; a task that loads no tensors leaves those columns empty."""
    source = facts.get("source") or {}
    return {
        "tensors_loaded": _count(facts.get("tensors_loaded")),
        "tensors_missing": _count(facts.get("tensors_missing")),
        "share": facts.get("share_loaded"),
        "sha256": str(source.get("sha256") or ""),
        "trainable_parameters": facts.get("parameters_trainable"),
        "frozen_parameters": facts.get("parameters_frozen"),
    }


def terms(study: StudySpec, source: str) -> dict[str, str]:
    """What travels with weights of a source: what it was trained on, its license and commercial use."""
    if source in study.corpora:
        corpus = study.corpora[source]
        return _terms(f"{corpus.modality}, {corpus.anatomy}", corpus.license, corpus.commercial_use)
    if source in SOURCES:
        entry = SOURCES[source]
        return _terms(f"{entry.modality}, {entry.anatomy}", entry.license, entry.commercial_use)
    return _terms("", "", "") if source == NONE else _terms("unknown", "unknown", "unknown")


def _terms(trained_on: str, license_name: str, commercial_use: str) -> dict[str, str]:
    return {"trained_on": trained_on, "license": license_name, "commercial_use": commercial_use}


def _count(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else value
