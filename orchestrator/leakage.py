"""Judges duplicates: across to an external center they stop the study, with a development center they warn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations

import polars as pl

from cohorts.manifest import Center
from search_spaces.study import StudySpec

SCHEMA = {
    "severity": pl.String,
    "kind": pl.String,
    "first": pl.String,
    "second": pl.String,
    "count": pl.Int64,
    "note": pl.String,
}


def find_leakage(study: StudySpec, centers: Mapping[str, Center], corpora: Mapping[str, Center]) -> pl.DataFrame:
    """One row per pair of places that share images, and per corpus drawn from a center's public source."""
    from cohorts.checks import find_duplicates

    rows = []
    external = set(study.cohort.external)
    everything = {**corpora, **centers}
    for first, second in combinations(everything, 2):
        if second in corpora:
            continue  # two corpora may share images: neither is tested on
        found = find_duplicates([everything[first], everything[second]])
        leaks = second in external and first not in external
        note = (
            "pretraining corpus"
            if first in corpora
            else f"{_role(first, external)} and {_role(second, external)} center"
        )
        for kind, count in Counter(finding.kind for finding in found).items():
            severity = "stops" if leaks else "warns"
            rows.append(
                {"severity": severity, "kind": kind, "first": first, "second": second, "count": count, "note": note}
            )
    return pl.DataFrame([*rows, *_declared(study, centers)], schema=SCHEMA)


def _role(center: str, external: set[str]) -> str:
    return "external" if center in external else "development"


def _declared(study: StudySpec, centers: Mapping[str, Center]) -> list[dict[str, object]]:
    """Corpora whose public source a center stems from too, as the study file says."""
    return [
        {
            "severity": "warns",
            "kind": "same source",
            "first": name,
            "second": center,
            "count": 0,
            "note": f"the study says that corpus {name} holds images of {center}'s public source",
        }
        for name in study.used_corpora
        for center in study.corpora[name].from_centers
        if center in centers
    ]
