"""Planned pairs by their decisions, as display tables: which cell is right more often on the same images."""

from __future__ import annotations

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import (
    Column,
    Entry,
    Facts,
    Footnotes,
    Group,
    Part,
    Table,
    filled,
    headings_of,
    lines,
    ordered,
)
from evaluation.report.names import Place, adjustment, common_sample, pair_heading, places, together
from evaluation.report.numbers import count, fraction, p_equation, p_value, signed, signed_interval
from evaluation.report.tables.operating_points import is_optimistic, rule_label, source_label

METRICS = {"sensitivity": "Sensitivity", "specificity": "Specificity", "ppv": "PPV", "npv": "NPV"}
SHORT = {
    "McNemar mid-p": "mid-p",
    "McNemar exact": "exact",
    "McNemar chi2": "chi2",
    "McNemar chi2, continuity-corrected": "corrected",
    "generalized score (Leisenring)": "Leisenring",
    "weighted generalized score (Kosinski)": "Kosinski",
    "relative predictive value (Moskowitz-Pepe)": "Moskowitz-Pepe",
}
"""The tests beside the planned one, as they stand in front of their p; the explanation spells them out."""
INDEPENDENT = ", images as independent"

Others = dict[tuple[str, ...], list[str]]


def decisions(context: ReportContext) -> list[Table]:
    """Tables per place, most general first, by carried thresholds and by those of the test set; a group per pair."""
    frame = context.seen.decisions.filter(pl.col("family") != "all pairs")
    on_test = pl.col("source") == "test"
    return [
        _table(context, place, part)
        for place in places(context, frame)
        for part in (place.rows(frame).filter(~on_test), place.rows(frame).filter(on_test))
        if part.height
    ]


def _table(context: ReportContext, place: Place, frame: pl.DataFrame) -> Table:
    planned, other = (frame.filter(pl.col("family") == family) for family in ("planned pairs", "other test"))
    tests, notes = _tests(other), Footnotes()
    sources = [source_label(name) for name in ordered(planned["source"], ())]
    rule = Part(Column("Rule"), lambda row: _rule(row, mixed=len(sources) > 1))
    parts = (rule, *(_part(metric, planned, tests, notes) for metric in METRICS))
    pairs = planned.partition_by("first", "second", as_dict=True, maintain_order=True)
    groups = tuple(Group(pair_heading(context, *pair), filled(_rows(part), parts)) for pair, part in pairs.items())
    thresholds = f"thresholds of the {sources[0]}" if len(sources) == 1 else "carried thresholds"
    optimistic = ", optimistic" if is_optimistic(frame.row(0, named=True)) else ""
    counts = common_sample(planned, "n differs by pair, see the CSV")
    on_test = "test" if frame["source"][0] == "test" else "carried"
    return Table(
        id=f"decisions-{place.role}-{place.center}-{on_test}",
        caption=f"Paired decisions: {place.name}, {counts}, {thresholds}{optimistic}",
        label=f"Paired decisions, {place.name}, {thresholds}",
        columns=headings_of(parts),
        groups=groups,
        csv="decisions",
        notes=notes.listed(),
        explanation=_explained(planned, other),
    )


def _tests(other: pl.DataFrame) -> Others:
    """The p values of the tests that were not planned, by what they test."""
    found: Others = {}
    for row in other.iter_rows(named=True):
        found.setdefault(_key(row), []).append(f"{_short(row['test'])}\u00a0{_fine(row['p'])}")
    return found


def _short(test: str) -> str:
    name = test.removesuffix(INDEPENDENT)
    return SHORT.get(name, "percentile" if name.endswith(", percentile") else name)


def _key(row: Facts) -> tuple[str, ...]:
    return tuple(row[name] for name in ("first", "second", "rule", "metric"))


def _rows(planned: pl.DataFrame) -> list[Facts]:
    """The metrics of each rule, by name."""
    parts = planned.partition_by("rule", maintain_order=True)
    return [{metric["metric"]: metric for metric in part.iter_rows(named=True)} for part in parts]


def _any(row: Facts) -> Facts:
    """What all metrics of a row share."""
    return next(iter(row.values()))


def _rule(row: Facts, *, mixed: bool) -> Entry:
    shared = _any(row)
    return Entry(rule_label(shared["rule"]), (f"threshold: {source_label(shared['source'])}",) if mixed else ())


def _part(metric: str, planned: pl.DataFrame, tests: Others, notes: Footnotes) -> Part:
    mine = planned.filter(pl.col("metric") == metric)
    interval, test = together(mine["interval"]), together(mine["test"])
    details = (interval, test) if interval != test else (interval,)
    return Part.number(METRICS[metric], lambda row: _entry(row[metric], tests, notes), *details)


def _entry(row: Facts, tests: Others, notes: Footnotes) -> Entry:
    rates = row["metric"] in ("sensitivity", "specificity")
    alone = f"{count(row['only_first'])} against {count(row['only_second'])} {'right alone' if rates else 'called so'}"
    return Entry(
        signed(row["difference"]),
        lines(
            signed_interval(row["low"], row["high"]),
            f"{fraction(row['value_first'])} against {fraction(row['value_second'])}",
            alone,
            f"{_equation(row['p'])}, adjusted {_fine(row['p_adjusted'])}",
            ", ".join(tests.get(_key(row), [])),
        ),
        mark=notes.mark(row["flag"]),
    )


def _fine(p: float) -> str:
    """Two digits that count where three decimals leave one: papers print 0.0077, and tests are told apart there."""
    return f"{p:.4f}" if 0.001 <= p < 0.01 else p_value(p)


def _equation(p: float) -> str:
    return f"p\u00a0=\u00a0{_fine(p)}" if 0.001 <= p < 0.01 else p_equation(p)


def _explained(planned: pl.DataFrame, other: pl.DataFrame) -> str:
    beside = f" The last line holds, unadjusted: {together(other['test'])}." if other.height else ""
    return (
        "Difference: first minus second; small: its 95% interval and both values. Right alone: images that only this "
        "cell decides rightly; called so: images that it calls positive (PPV) or negative (NPV). "
        f"{adjustment(planned)}'s adjustment is within a rule and a metric, carried thresholds apart from those of the "
        f"test set.{beside}"
    )
