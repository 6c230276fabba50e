"""Primary inference: contrasts of single models over cases and replicates, and who belongs to which family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isnan, nan
from typing import Any

import polars as pl

from evaluation.comparison.bootstrapped import Bounds, two_way_bounds
from evaluation.comparison.contrast import Measured, Weights, deviations, measure, stratify, weights_of
from evaluation.comparison.contrasts import EXPLORATORY
from evaluation.comparison.effects import Effect, named_effects, pair_effects
from evaluation.comparison.panels import POOLED, STRATIFIED, Panel
from evaluation.comparison.primary import primary_pairs
from evaluation.discrimination.single_models import non_inferiority_p
from evaluation.multiplicity import ADJUSTMENTS
from search_spaces.study import Analysis

EFFECTS: dict[str, pl.DataType] = {
    "family": pl.String(),
    "effect": pl.String(),
    "arm": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "first": pl.String(),
    "second": pl.String(),
    "backbones": pl.String(),
    "without": pl.String(),
    "n_positive": pl.Int64(),
    "n_negative": pl.Int64(),
    "replicates": pl.Int64(),
    "units": pl.Int64(),
    "auc_first": pl.Float64(),
    "auc_second": pl.Float64(),
    "difference": pl.Float64(),
    "se": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "df": pl.Float64(),
    "p": pl.Float64(),
    "p_adjusted": pl.Float64(),
    "adjustment": pl.String(),
    "se_cases": pl.Float64(),
    "sd_replicates": pl.Float64(),
    "method": pl.String(),
    "bootstrap_low": pl.Float64(),
    "bootstrap_high": pl.Float64(),
    "bootstrap_p": pl.Float64(),
    "bootstrap": pl.String(),
    "non_inferior_p": pl.Float64(),
    "aggregate_difference": pl.Float64(),
    "aggregate_low": pl.Float64(),
    "aggregate_high": pl.Float64(),
    "aggregate_p": pl.Float64(),
    "aggregate_method": pl.String(),
    "interaction_backbone": pl.String(),
    "interaction_p": pl.Float64(),
    "flag": pl.String(),
}
PRIMARY = "primary"
NOTHING = "nothing to compare: no shared images, one class, or no shared replicate"
COMPARED_ROLES = ("reserve", "external")
"""In the validation role replicates score different images, and single models cannot be compared case by case."""

Row = dict[str, Any]


def effects(boards: list[Panel], plan: Analysis, cells: pl.DataFrame) -> pl.DataFrame:
    """Mean differences of single-model AUCs, first minus second (EFFECTS).

    Family `primary`: the plan's pairs and named effects on its role, pooled, with a two-way bootstrap beside. Other
    families: pair, payoff, source and init, each per role and center. Aggregates with DeLong stand beside as secondary.
    A planned contrast that cannot be measured stays in its family with NaN.
    """
    pairs = pair_effects(primary_pairs(plan, cells), cells)
    named = named_effects(cells)
    every = [*pairs, *named]
    known = [weights_of(effect.pairs) for effect in pairs]
    wanted = [effect for effect in named if effect.kind in plan.primary.effects]
    # With one backbone a named contrast may be a planned pair once more, and would count twice.
    primary = [*pairs, *(effect for effect in wanted if weights_of(effect.pairs) not in known)]
    rows: list[Row] = []
    for role in (role for role in COMPARED_ROLES if any(panel.role == role for panel in boards)):
        places = _places([panel for panel in boards if panel.role == role])
        for center, there in places.items():
            planned = primary if (role, center) == (plan.primary.on, POOLED) else []
            bounds = two_way_bounds(there[0], planned, plan.bootstrap) if planned else {}
            found = [(PRIMARY, effect) for effect in planned]
            found += [(effect.kind, effect) for effect in every if effect not in planned]
            family = [_row(name, effect, role, center, there, plan, bounds) for name, effect in found]
            rows += _adjusted(family, plan)
    return pl.DataFrame(rows, schema=EFFECTS, orient="row")


def _places(boards: list[Panel]) -> dict[str, list[Panel]]:
    """Panels by center; stratified stands for all of an external study's centers."""
    places = {panel.center: [panel] for panel in boards}
    centers = [panel for panel in boards if panel.center != POOLED]
    if boards[0].role == "external" and len(centers) > 1:
        places[STRATIFIED] = centers
    return dict(sorted(places.items(), key=lambda item: item[0] != POOLED))


def _row(
    family: str,
    planned: Effect,
    role: str,
    center: str,
    boards: list[Panel],
    plan: Analysis,
    bounds: Mapping[Effect, Bounds],
) -> Row:
    known = set() if planned.exploratory else set().union(*(panel.scores for panel in boards))
    effect = planned.among(known)
    found = _measure(boards, center, weights_of(effect.pairs)) if effect.pairs else None
    row: Row = {
        "family": family,
        "effect": effect.kind,
        "arm": effect.arm,
        "role": role,
        "center": center,
        "first": effect.first,
        "second": effect.second,
        "backbones": ", ".join(effect.pairs),
        "without": ", ".join(effect.without),
        "adjustment": plan.adjust,
    }
    if found is None:
        return row | _nothing(EXPLORATORY if planned.exploratory else NOTHING)
    backbone, interaction = _interaction(boards, center, effect)
    return (
        row
        | _numbers(found, plan.primary.margin)
        | {"interaction_backbone": backbone, "interaction_p": interaction}
        | bounds.get(planned, Bounds()).row()
    )


def _measure(boards: list[Panel], center: str, weights: Weights) -> Measured | None:
    return stratify(boards, weights) if center == STRATIFIED else measure(boards[0], weights)


def _numbers(found: Measured, margin: float | None) -> Row:
    single, whole = found.single, found.aggregate
    return {
        "n_positive": found.n_positive,
        "n_negative": found.n_negative,
        "replicates": len(found.replicates),
        "units": single.units,
        "auc_first": float(found.models[0].mean()),
        "auc_second": float(found.models[1].mean()),
        "difference": single.difference,
        "se": single.se,
        "low": single.low,
        "high": single.high,
        "df": single.df,
        "p": single.p,
        "se_cases": single.se_cases,
        "sd_replicates": found.sd_replicates,
        "method": single.method,
        "non_inferior_p": nan if margin is None else non_inferiority_p(single, margin),
        "aggregate_difference": whole.difference,
        "aggregate_low": whole.low,
        "aggregate_high": whole.high,
        "aggregate_p": whole.p,
        "aggregate_method": whole.method,
        "flag": single.flag,
    }


def _nothing(flag: str) -> Row:
    numbers = {name: nan for name, kind in EFFECTS.items() if kind == pl.Float64}
    counts = {"n_positive": 0, "n_negative": 0, "replicates": 0, "units": 0}
    texts = dict.fromkeys(("method", "aggregate_method", "bootstrap", "interaction_backbone"), "")
    return numbers | counts | texts | {"flag": flag}


def _interaction(boards: list[Panel], center: str, effect: Effect) -> tuple[str, float]:
    """The backbone that deviates most from the others, with Bonferroni's p over the deviations."""
    tested = {
        backbone: found.single.p
        for backbone, weights in deviations(effect).items()
        if (found := _measure(boards, center, weights)) is not None
    }
    known = {backbone: p for backbone, p in tested.items() if not isnan(p)}
    if not known:
        return "", nan
    smallest = min(known, key=lambda name: known[name])
    return smallest, min(1.0, known[smallest] * len(tested))


def _adjusted(rows: list[Row], plan: Analysis) -> Iterator[Row]:
    for family in _names(row["family"] for row in rows):
        members = [row for row in rows if row["family"] == family]
        adjusted = ADJUSTMENTS[plan.adjust]([row["p"] for row in members])
        yield from ({**row, "p_adjusted": float(p)} for row, p in zip(members, adjusted, strict=True))


def _names(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
