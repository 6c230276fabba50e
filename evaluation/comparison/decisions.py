"""Paired decisions: which of two cells is right more often on the same images, by the same rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations
from math import nan
from typing import Any

import numpy as np
import polars as pl

from evaluation.comparison.calls import TEST, Carried, carried, chosen_on_test
from evaluation.comparison.cases import Cases
from evaluation.comparison.other_tests import other_tests
from evaluation.comparison.paired import Columns, Decided
from evaluation.comparison.panels import POOLED, Panel
from evaluation.comparison.predictive import PredictiveDraws
from evaluation.comparison.primary import Pair, measurable, primary_pairs
from evaluation.decisions.thresholds import rule_name
from evaluation.multiplicity import ADJUSTMENTS
from evaluation.resampling import Resamples
from search_spaces.study import Analysis, Threshold

DECISIONS: dict[str, pl.DataType] = {
    "family": pl.String(),
    "arm": pl.String(),
    "role": pl.String(),
    "center": pl.String(),
    "first": pl.String(),
    "second": pl.String(),
    "rule": pl.String(),
    "source": pl.String(),
    "metric": pl.String(),
    "n_positive": pl.Int64(),
    "n_negative": pl.Int64(),
    "value_first": pl.Float64(),
    "value_second": pl.Float64(),
    "difference": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "interval": pl.String(),
    "only_first": pl.Int64(),
    "only_second": pl.Int64(),
    "p": pl.Float64(),
    "p_adjusted": pl.Float64(),
    "adjustment": pl.String(),
    "test": pl.String(),
    "flag": pl.String(),
}
PLANNED, ALL_PAIRS, OTHER = "planned pairs", "all pairs", "other test"
_FAMILY = ("family", "role", "center", "rule", "metric")

Row = dict[str, Any]
Name = tuple[str, str, str]
"""Rule, source and cell of one row of decisions."""


@dataclass(frozen=True)
class Question:
    """Pairs of cells to be compared by one rule; `fixed` None chooses the threshold on the test set."""

    family: str
    rule: Threshold
    fixed: Mapping[str, Carried] | None
    pairs: Sequence[Pair]

    def name(self, cell: str) -> Name:
        """Which decisions of the cell are meant."""
        return rule_name(self.rule), TEST if self.fixed is None else self.fixed[cell].source, cell

    def decisions(self, panel: Panel, cell: str, cases: Cases) -> Any:
        """What the cell calls positive."""
        by = chosen_on_test(panel, cell, cases, self.rule) if self.fixed is None else self.fixed[cell]
        return by.calls(panel, cell, cases)

    def can(self, panel: Panel, pair: Pair) -> bool:
        """Whether both cells scored something here and their thresholds are known."""
        known = set(panel.scores) if self.fixed is None else set(panel.scores) & set(self.fixed)
        return set(pair) <= known


def decisions(boards: list[Panel], plan: Analysis, cells: pl.DataFrame) -> pl.DataFrame:
    """Differences of sensitivity, specificity, PPV and NPV of pairs of cells, first minus second (DECISIONS).

    Family `planned pairs`: the plan's pairs on every center, with carried thresholds and, on external ones, with those
    chosen on test. `all pairs`: the other pairs of each arm, pooled, with carried thresholds. P-values are adjusted per
    family, role, center, rule and metric, apart for carried thresholds and those chosen on test; a planned pair that
    cannot be decided has no row and makes the others no easier. `other test`: planned pairs by the tests that the plan
    does not name. `source` reads "a vs b" where the two cells' thresholds come from different ones. `only_first` and
    `only_second` count images that only one cell decides rightly; for PPV and NPV, images called so.
    """
    primary = primary_pairs(plan, cells)
    arms = dict(cells.select("cell", "arm").iter_rows())
    known = {*primary, *(pair[::-1] for pair in primary)}
    others = [pair for pair in combinations(arms, 2) if arms[pair[0]] == arms[pair[1]] and pair not in known]
    parts = [
        part
        for panel in boards
        if panel.role in {"reserve", "external"}
        for cases, questions in _by_cases(panel, _questions(panel, boards, plan, measurable(primary, cells), others))
        for part in _answers(panel, cases, questions, plan)
    ]
    return _adjusted(_stacked(parts), plan, len(primary))


def _questions(
    panel: Panel, boards: list[Panel], plan: Analysis, primary: list[Pair], others: list[Pair]
) -> Iterator[Question]:
    for rule in plan.thresholds:
        found = {cell: carried(boards, cell, rule) for cell in panel.scores}
        fixed = {cell: by for cell, by in found.items() if by is not None}
        yield Question(PLANNED, rule, fixed, primary)
        if panel.role == "external":
            yield Question(PLANNED, rule, None, primary)
        if panel.center == POOLED:
            yield Question(ALL_PAIRS, rule, fixed, others)


def _by_cases(panel: Panel, questions: Iterator[Question]) -> Iterator[tuple[Cases, list[Question]]]:
    """The questions regrouped so that all pairs of a group share their images."""
    groups: dict[bytes, tuple[Cases, list[Question]]] = {}
    for question in questions:
        for cases, pairs in panel.by_cases(pair for pair in question.pairs if question.can(panel, pair)):
            part = Question(question.family, question.rule, question.fixed, pairs)
            groups.setdefault(cases.used.tobytes() + cases.labels.tobytes(), (cases, []))[1].append(part)
    yield from groups.values()


def _answers(panel: Panel, cases: Cases, questions: list[Question], plan: Analysis) -> Iterator[Columns]:
    """All questions on the same images: the decisions are stacked, and resampled together."""
    called = {
        question.name(cell): question.decisions(panel, cell, cases)
        for question in questions
        for cell in dict.fromkeys(cell for pair in question.pairs for cell in pair)
    }
    places = {name: place for place, name in enumerate(called)}
    decided = Decided(np.stack(list(called.values())), cases)
    resamples = Resamples.of(cases.labels, cases.patients, plan.bootstrap.draws, plan.bootstrap.seed)
    predictive = PredictiveDraws.of(decided.called, cases, resamples)
    for question in questions:
        sides = np.array([[places[question.name(cell)] for cell in pair] for pair in question.pairs])
        for columns in decided.compare(sides[:, 0], sides[:, 1], predictive, plan):
            yield _columns(panel, cases, question) | columns
            if question.family == PLANNED:
                again = _columns(panel, cases, replace(question, family=OTHER)) | columns
                for name, p in other_tests(columns, decided, sides).items():
                    yield again | {"p": p, "test": name}


def _columns(panel: Panel, cases: Cases, question: Question) -> Columns:
    """What is known before the comparison: one value for all pairs, or one each."""
    pairs = question.pairs
    return {
        "family": question.family,
        "arm": [_joined(panel.arms[cell] for cell in pair) for pair in pairs],
        "role": panel.role,
        "center": panel.center,
        "first": [first for first, _ in pairs],
        "second": [second for _, second in pairs],
        "rule": rule_name(question.rule),
        "source": [_joined(question.name(cell)[1] for cell in pair) for pair in pairs],
        "n_positive": cases.n_positive,
        "n_negative": cases.n_negative,
        "p_adjusted": nan,
        "adjustment": "",
    }


def _joined(names: Iterable[str]) -> str:
    return " vs ".join(dict.fromkeys(names))


def _stacked(parts: list[Columns]) -> pl.DataFrame:
    """One frame for all: a frame takes longer to make than the numbers of a pair."""
    columns = {name: [_spread(part[name], len(part["first"])) for part in parts] for name in DECISIONS}
    return pl.DataFrame({name: list(chain(*values)) for name, values in columns.items()}, schema=DECISIONS)


def _spread(values: Any, size: int) -> list[Any]:
    if isinstance(values, np.ndarray):
        return list(values.tolist())
    return values if isinstance(values, list) else [values] * size


def _adjusted(frame: pl.DataFrame, plan: Analysis, planned: int) -> pl.DataFrame:
    """Within each family; the tests that were not planned keep NaN."""
    adjust, p = ADJUSTMENTS[plan.adjust], frame["p"].to_numpy()
    adjusted = np.full(p.size, nan)
    is_other = pl.col("family") == OTHER
    numbered = frame.with_row_index("row").filter(~is_other)
    families = numbered.group_by(*_FAMILY, (pl.col("source") == TEST).alias("on_test")).agg("row")
    for family, rows in families.select("family", "row").iter_rows():
        lost = max(0, planned - len(rows)) if family == PLANNED else 0
        adjusted[rows] = adjust(np.append(p[rows], np.full(lost, nan)))[: len(rows)]
    name = pl.when(is_other).then(pl.lit("")).otherwise(pl.lit(plan.adjust))
    return frame.with_columns(p_adjusted=pl.Series(adjusted, dtype=pl.Float64), adjustment=name)
