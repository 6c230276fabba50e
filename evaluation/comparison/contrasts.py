"""Every pair of cells, compared on the images that both scored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from math import nan
from typing import Any

import numpy as np
import polars as pl

from evaluation.comparison.cases import Cases
from evaluation.comparison.panels import POOLED, STRATIFIED, Panel, shared_patients
from evaluation.comparison.performance import ONE_CLASS
from evaluation.comparison.primary import Pair, measurable, primary_pairs
from evaluation.discrimination.areas import CLUSTERED, DELONG, Difference, difference, tested
from evaluation.discrimination.strata import Stratum, stratified_difference
from evaluation.multiplicity import ADJUSTMENTS
from search_spaces.study import Analysis

CONTRASTS: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "first": pl.String(),
    "second": pl.String(),
    "n_positive": pl.Int64(),
    "n_negative": pl.Int64(),
    "auc_first": pl.Float64(),
    "auc_second": pl.Float64(),
    "difference": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "z": pl.Float64(),
    "p": pl.Float64(),
    "p_adjusted": pl.Float64(),
    "adjustment": pl.String(),
    "family": pl.String(),
    "method": pl.String(),
    "flag": pl.String(),
    "note": pl.String(),
}
PRIMARY, ALL_PAIRS = "primary", "all pairs"
NO_SHARED, EXPLORATORY = "no shared images", "exploratory cell: takes no part"

Row = dict[str, Any]


def contrasts(boards: list[Panel], plan: Analysis, cells: pl.DataFrame) -> pl.DataFrame:
    """Differences in AUC of the cells' aggregates, first minus second (CONTRASTS): secondary to single models.

    Family `all pairs`: per role and center every pair of cells, also across arms, where `arm` reads "a vs b" and only
    images that both arms label alike count. Family `primary`: the plan's pairs on its role, pooled; a pair that cannot
    be tested stays in it with NaN. P-values are adjusted within primary, and within all pairs per role and center.
    """
    cells_by_id = {row["cell"]: row for row in cells.iter_rows(named=True)}
    every = list(combinations(cells_by_id, 2))
    primary = primary_pairs(plan, cells)
    rows: list[Row] = []
    for role in dict.fromkeys(panel.role for panel in boards):
        compared = _compare_all([panel for panel in boards if panel.role == role], every)
        if role == plan.primary.on:
            planned = _oriented(compared[POOLED], primary, measurable(primary, cells))
            rows += _family(PRIMARY, role, POOLED, planned, cells_by_id, plan)
        for center, found in compared.items():
            rows += _family(ALL_PAIRS, role, center, found, cells_by_id, plan)
    return pl.DataFrame(rows, schema=CONTRASTS, orient="row")


@dataclass(frozen=True)
class _Compared:
    """A pair on one role and center: how many cases it shares and how many either cell has."""

    result: Difference
    n_positive: int = 0
    n_negative: int = 0
    either: int = 0


def _compare_all(boards: list[Panel], pairs: list[Pair]) -> dict[str, dict[Pair, _Compared]]:
    """By center: the pairs that share images there; stratified last if there are several external centers."""
    found = {panel.center: _compare_panel(panel, pairs) for panel in boards}
    centers = {center: results for center, results in found.items() if center != POOLED}
    if boards[0].role == "external" and len(centers) > 1:
        twice = shared_patients([panel for panel in boards if not panel.pooled])
        found[STRATIFIED] = {pair: _stratify(pair, centers, twice) for pair in found[POOLED]}
    return found


def _compare_panel(panel: Panel, pairs: list[Pair]) -> dict[Pair, _Compared]:
    found = {}
    for first, second in pairs:
        if first in panel.scores and second in panel.scores:
            cases = panel.cases(first, second)
            # Arms that share images of one class only cannot be compared, and would only dilute the family.
            across = panel.arms[first] != panel.arms[second]
            if cases.labels.size and not (across and cases.one_class):
                found[first, second] = _compare(panel, first, second, cases)
    return found


def _compare(panel: Panel, first: str, second: str, cases: Cases) -> _Compared:
    either = int(np.count_nonzero(~(np.isnan(panel.scores[first]) & np.isnan(panel.scores[second]))))
    if cases.one_class:
        result = _unknown(CLUSTERED if cases.clusters.repeat else DELONG, ONE_CLASS)
    else:
        result = difference(panel.placements(first, cases), panel.placements(second, cases), cases.clusters)
    return _Compared(result, cases.n_positive, cases.n_negative, either)


def _stratify(pair: Pair, centers: dict[str, dict[Pair, _Compared]], shared: int) -> _Compared:
    parts = {center: results[pair] for center, results in centers.items() if pair in results}
    strata = [
        Stratum(center, part.n_positive * part.n_negative, part.result.flag, part.result)
        for center, part in parts.items()
    ]
    return _Compared(
        stratified_difference(strata, shared),
        sum(part.n_positive for part in parts.values()),
        sum(part.n_negative for part in parts.values()),
        sum(part.either for part in parts.values()),
    )


def _oriented(found: dict[Pair, _Compared], pairs: list[Pair], planned: list[Pair]) -> dict[Pair, _Compared]:
    """The pairs in the plan's own direction; one that could not be compared stays, as NaN with a flag."""
    late = _Compared(_unknown("", EXPLORATORY))
    return {pair: _find(found, pair) if pair in planned else late for pair in pairs}


def _find(found: dict[Pair, _Compared], pair: Pair) -> _Compared:
    if pair in found:
        return found[pair]
    turned = found.get(pair[::-1])
    if turned is None:
        return _Compared(_unknown("", NO_SHARED))
    result = turned.result
    return replace(turned, result=tested(result.second, result.first, result.se, result.method, result.flag))


def _unknown(method: str, flag: str) -> Difference:
    return Difference(nan, nan, nan, nan, nan, nan, nan, nan, method, flag)


def _family(
    family: str, role: str, center: str, found: dict[Pair, _Compared], cells: dict[str, Row], plan: Analysis
) -> list[Row]:
    rows: list[Row] = [
        {"role": role, "center": center, "family": family, "first": pair[0], "second": pair[1]}
        | _arm_and_note(cells[pair[0]], cells[pair[1]], compared)
        | _numbers(compared)
        for pair, compared in found.items()
    ]
    adjusted = ADJUSTMENTS[plan.adjust]([row["p"] for row in rows])
    for row, p in zip(rows, adjusted, strict=True):
        row |= {"p_adjusted": float(p), "adjustment": plan.adjust}
    return rows


def _arm_and_note(first: Row, second: Row, compared: _Compared) -> Row:
    shared = compared.n_positive + compared.n_negative
    if first["arm"] != second["arm"]:
        note = f"{shared} shared images; box {first['box']} against box {second['box']}"
        return {"arm": f"{first['arm']} vs {second['arm']}", "note": note}
    return {
        "arm": first["arm"],
        "note": "" if shared == compared.either else f"{shared} of {compared.either} images shared",
    }


def _numbers(compared: _Compared) -> Row:
    result = compared.result
    return {
        "n_positive": compared.n_positive,
        "n_negative": compared.n_negative,
        "auc_first": result.first,
        "auc_second": result.second,
        "difference": result.difference,
        "low": result.low,
        "high": result.high,
        "z": result.z,
        "p": result.p,
        "method": result.method,
        "flag": result.flag,
    }
