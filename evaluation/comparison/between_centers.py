"""Do results hold across external centers: pooled over them, with each left out, and whether scores betray them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import nan
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import kruskal

from evaluation.arrays import Floats
from evaluation.centers.center_probe import center_probe
from evaluation.centers.heterogeneity import Pooled, leave_one_out, pool, pool_areas
from evaluation.comparison.cases import Cases
from evaluation.comparison.panels import POOLED, STRATIFIED, Panel

HETEROGENEITY: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "role": pl.String(),
    "measure": pl.String(),
    "first": pl.String(),
    "second": pl.String(),
    "scale": pl.String(),
    "left_out": pl.String(),
    "centers": pl.Int64(),
    "estimate": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "p": pl.Float64(),
    "tau2": pl.Float64(),
    "i2": pl.Float64(),
    "q": pl.Float64(),
    "q_p": pl.Float64(),
    "prediction_low": pl.Float64(),
    "prediction_high": pl.Float64(),
    "method": pl.String(),
    "flag": pl.String(),
}
CENTER_PROBE: dict[str, pl.DataType] = {
    "arm": pl.String(),
    "cell": pl.String(),
    "role": pl.String(),
    "centers": pl.Int64(),
    "cases": pl.Int64(),
    "auc": pl.Float64(),
    "balanced_accuracy": pl.Float64(),
    "chance": pl.Float64(),
    "p": pl.Float64(),
    "method": pl.String(),
    "flag": pl.String(),
}
Row = dict[str, Any]
Variant = tuple[Literal["dersimonian-laird", "reml"], Literal["normal", "hartung-knapp"]]
VARIANTS: tuple[Variant, ...] = (("dersimonian-laird", "normal"), ("reml", "normal"), ("reml", "hartung-knapp"))
NO_WIDTH = "interval of no width: the estimates agree by chance"
KRUSKAL = "Kruskal-Wallis of patients within classes, Bonferroni"
_PLACES = (POOLED, STRATIFIED)


def heterogeneity(performance: pl.DataFrame, effects: pl.DataFrame) -> pl.DataFrame:
    """Random-effects summaries over external centers (HETEROGENEITY): AUCs of cells, differences of contrasts.

    AUCs on the raw and the logit scale by DerSimonian-Laird and REML, normal and Hartung-Knapp; differences raw. With
    each center left out in turn by REML with Hartung-Knapp. Empty with fewer than two external centers. Differences are
    those of the very replicates at hand: the same models are tested at every center, so their spread is common to all
    centers and no part of the heterogeneity; the primary inference has it.
    """
    areas = performance.filter(pl.col("role") == "external", ~pl.col("center").is_in(_PLACES))
    gaps = effects.filter(pl.col("role") == "external", ~pl.col("center").is_in(_PLACES))
    rows = [row for part in areas.partition_by("cell", maintain_order=True) if part.height > 1 for row in _areas(part)]
    rows += [
        row
        for part in gaps.partition_by("arm", "effect", "first", "second", maintain_order=True)
        if part.height > 1
        for row in _differences(part)
    ]
    return pl.DataFrame(rows, schema=HETEROGENEITY, orient="row")


def center_probes(boards: Sequence[Panel], cells: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Whether a cell's scores on external images betray the center, within each class (CENTER_PROBE).

    `p`: Kruskal & Wallis (1952) on patients' mean scores between centers, per class, Bonferroni over the classes.
    """
    pooled = next((panel for panel in boards if panel.role == "external" and panel.pooled), None)
    if pooled is None:
        return pl.DataFrame(schema=CENTER_PROBE)
    rows = [_probe(pooled, cell, seed) for cell in cells["cell"] if cell in pooled.scores]
    return pl.DataFrame(rows, schema=CENTER_PROBE, orient="row")


def _probe(panel: Panel, cell: str, seed: int) -> Row:
    cases = panel.cases(cell)
    scores, where = panel.score(cell, cases), panel.centers[cases.used]
    found = center_probe(scores, where, cases.patients, cases.labels, seed=seed, permutations=0)
    row = {name: getattr(found, name) for name in ("centers", "cases", "auc", "balanced_accuracy", "chance", "flag")}
    p, method = _kruskal(scores, where, cases), f"{found.method}; {KRUSKAL}"
    return {"arm": panel.arms[cell], "cell": cell, "role": panel.role} | row | {"p": p, "method": method}


def _kruskal(scores: Floats, centers: NDArray[np.str_], cases: Cases) -> float:
    images = pl.DataFrame(
        {"score": scores, "center": centers.tolist(), "patient": cases.patients, "label": cases.labels}
    )
    patients = images.group_by("label", "center", "patient", maintain_order=True).agg(pl.col("score").mean())
    found = []
    for part in patients.partition_by("label"):
        groups = [group["score"].to_numpy() for group in part.partition_by("center")]
        if len(groups) > 1 and part["score"].n_unique() > 1:
            found.append(float(kruskal(*groups).pvalue))
    return min(1.0, min(found) * len(found)) if found else nan


def _areas(part: pl.DataFrame) -> Iterator[Row]:
    who = {"arm": part["arm"][0], "role": "external", "measure": "auc", "first": part["cell"][0], "second": ""}
    names, values, errors = _columns(part, "auc")
    scales: tuple[Literal["raw", "logit"], ...] = ("raw", "logit")
    for scale in scales:
        for tau, test in VARIANTS:
            yield who | _row(scale, "", pool_areas(values, errors, scale, tau, test, names))
        for name, found in leave_one_out(names, values, errors, scale=scale):
            yield who | _row(scale, name, found)


def _differences(part: pl.DataFrame) -> Iterator[Row]:
    who = {
        "arm": part["arm"][0],
        "role": "external",
        "measure": part["effect"][0],
        "first": part["first"][0],
        "second": part["second"][0],
    }
    names, values, errors = _columns(part, "difference", "se_cases")
    for tau, test in VARIANTS:
        yield who | _given_replicates(_row("raw", "", pool(values, errors, tau, test, names)))
    for name, found in leave_one_out(names, values, errors):
        yield who | _given_replicates(_row("raw", name, found))


def _given_replicates(row: Row) -> Row:
    return row | {"method": f"{row['method']}, given these replicates"}


def _columns(part: pl.DataFrame, value: str, error: str = "se") -> tuple[list[str], np.ndarray, np.ndarray]:
    return part["center"].to_list(), part[value].to_numpy(), part[error].to_numpy()


def _row(scale: str, left_out: str, found: Pooled) -> Row:
    same = ("estimate", "low", "high", "p", "tau2", "i2", "q", "q_p", "prediction_low", "prediction_high")
    row = {name: getattr(found, name) for name in (*same, "method")}
    row["flag"] = "; ".join(filter(None, [found.flag, NO_WIDTH if found.low == found.high else ""]))
    return {"scale": scale, "left_out": left_out, "centers": found.k} | row
