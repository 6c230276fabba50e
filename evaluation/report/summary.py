"""The first screen in words: sentences made of facts, no claim beyond the numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import polars as pl

from evaluation.report.answer import Answer, answer
from evaluation.report.context import ReportContext
from evaluation.report.display import Facts, lines
from evaluation.report.names import ADJUSTMENTS, arm_box, cell_label, common_sample, places, sample
from evaluation.report.numbers import (
    MISSING,
    count,
    estimate,
    fraction,
    is_missing,
    p_equation,
    plural,
    signed,
    signed_interval,
)
from evaluation.report.tables.effects import averaged, names, uncertainty

MOST_CONTRASTS = 6
"""Primary contrasts told on the first screen; the rest are in their table."""


MOST_ALARMS = 5
"""Contradictions told on top of the report; the rest are in their table."""


@dataclass(frozen=True)
class Summary:
    """Sentences of the first screen; `attention` pairs a sentence with the section that it points to."""

    facts: tuple[tuple[str, str], ...]
    """What and how many."""
    setting: str
    alarms: tuple[str, ...]
    """What makes results below untrustworthy: certificates that contradict each other."""
    sealed: str
    """Why external results are not shown; empty once they are."""
    answer: Answer | None
    """What pretraining and init are worth; None as long as nothing can be compared."""
    primary_at: str
    """Place and class counts of the primary contrasts."""
    primary: tuple[tuple[str, str], ...]
    """Who against whom, and the numbers."""
    untold: int
    """Primary contrasts that are only in the table."""
    best: tuple[str, ...]
    attention: tuple[tuple[str, str], ...]


def summarize(context: ReportContext) -> Summary:
    """The summary of a study at this moment."""
    primary_at, primary = _primary(context)
    return Summary(
        facts=_facts(context),
        setting=_setting(context),
        alarms=_alarms(context),
        sealed=_sealed(context),
        answer=answer(context),
        primary_at=primary_at,
        primary=tuple(primary[:MOST_CONTRASTS]),
        untold=max(0, len(primary) - MOST_CONTRASTS),
        best=tuple(sentence for arm in context.arms for sentence in _best(context, arm)),
        attention=_attention(context),
    )


def _alarms(context: ReportContext) -> tuple[str, ...]:
    sentences = context.findings["sentence"].to_list()
    untold = len(sentences) - MOST_ALARMS
    return (*sentences[:MOST_ALARMS], *((f"{plural(untold, 'more finding')} of this kind.",) if untold > 0 else ()))


def _sealed(context: ReportContext) -> str:
    if context.external_open:
        return ""
    reason = context.external_waiting.rstrip(".") or "no reason was recorded"
    return (
        f"External results are sealed: {reason}. Until they are opened, every figure here is of development patients."
    )


def _facts(context: ReportContext) -> tuple[tuple[str, str], ...]:
    cells = context.cells
    finished, planned = sum(cells["replicates_finished"]), sum(cells["replicates_planned"])
    return (
        ("Cells", count(cells.height)),
        ("Replicates finished", f"{count(finished)}/{count(planned)}"),
        (
            "Centers, development + external",
            f"{len(context.centers('development'))} + {len(context.centers('external'))}",
        ),
        ("Development patients", _patients(context, "development")),
        ("External patients", _patients(context, "external")),
    )


def _patients(context: ReportContext, role: str) -> str:
    totals = context.cohort.filter((pl.col("role") == role) & pl.col("label").is_null())
    return count(sum(totals["patients"]))


def _setting(context: ReportContext) -> str:
    development, external = context.centers("development"), context.centers("external")
    when = "tested" if context.external_open else "to be tested"
    tested = f"{when} on {_listed(external)}, which training never sees" if external else "no external center is named"
    arms = "; ".join(
        f"{arm} ({plural(len(context.cells_of(arm)), 'cell')}, {arm_box(context, arm)})" for arm in context.arms
    )
    return f"Developed on {_listed(development)}, {tested}." + (f" Arms: {arms}." if arms else "")


def _listed(names: list[str]) -> str:
    if len(names) < 2:
        return names[0] if names else "no center"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _primary(context: ReportContext) -> tuple[str, list[tuple[str, str]]]:
    frame = context.seen.effects.filter(pl.col("family") == "primary")
    found = places(context, frame)
    if not found:
        return "", []
    rows = found[0].rows(frame).to_dicts()
    covered = {uncertainty(row) for row in rows}
    shared = covered.pop() if len(covered) == 1 else ""
    at = lines(found[0].name, common_sample(found[0].rows(frame), "n differs by contrast"), shared)
    return ", ".join(at), [_contrast(context, row, "" if shared else uncertainty(row)) for row in rows]


def _contrast(context: ReportContext, row: Facts, covers: str) -> tuple[str, str]:
    about = ", ".join(lines(row["arm"] if row["effect"] != "pair" else "", averaged(row)))
    who = " against ".join(names(context, row)) + (f" ({about})" if about else "")
    if is_missing(row["difference"]):
        return who, f"No estimate: {row['flag'] or 'no reason recorded'}."
    numbers = f"Mean AUC {fraction(row['auc_first'])} against {fraction(row['auc_second'])}"
    bounds = signed_interval(row["low"], row["high"])
    interval = "no 95% interval" if bounds == MISSING else " ".join(lines("95% interval", bounds, covers))
    adjusted = ADJUSTMENTS.get(row["adjustment"], row["adjustment"])
    spread = f"{interval}; {adjusted}-adjusted {p_equation(row['p_adjusted'])}"
    return who, f"{numbers}, difference {signed(row['difference'])} ({spread})."


def _best(context: ReportContext, arm: str) -> list[str]:
    frame = context.seen.performance.filter((pl.col("arm") == arm) & (pl.col("role") == "external"))
    found = places(context, frame)
    known = found[0].rows(frame).filter(pl.col("auc").is_not_nan()) if found else frame
    if known.is_empty():
        return []
    row = known.sort("auc", descending=True, maintain_order=True).row(0, named=True)
    among = f"the highest of {known.height} cells, so an optimistic pick" if known.height > 1 else "the only cell"
    value = estimate(row["auc"], row["low"], row["high"])
    where = f"{found[0].name}, {sample(row['n_positive'], row['n_negative'])}"
    return [f"{arm}: {value}, {cell_label(context, row['cell'])}, {among}. {where}."]


def _attention(context: ReportContext) -> tuple[tuple[str, str], ...]:
    cells = context.cells
    incomplete = cells.filter(pl.col("replicates_finished") < pl.col("replicates_planned")).height
    exploratory = cells.filter(pl.col("exploratory")).height
    changed = context.changes.filter(pl.col("in_effect")).height
    near = context.tuning.filter(pl.col("near_bound") != "").height
    aside = int(context.quarantine["count"].sum())
    stops = context.leakage.filter(pl.col("severity") == "stops").height
    warns = context.leakage.height - stops
    primary = context.seen.effects.filter(pl.col("family") == "primary")
    lost = primary.filter(pl.col("difference").is_nan()).height
    flagged = primary.filter(pl.col("difference").is_not_nan(), pl.col("flag") != "")["flag"].to_list()
    found = (
        (lost, f"{plural(lost, 'primary contrast')} without an estimate", "contrasts-primary"),
        *((number, _flagged(number, flag), "contrasts-primary") for flag, number in Counter(flagged).items()),
        (incomplete, f"{plural(incomplete, 'cell')} incomplete", "budgets"),
        (near, f"{plural(near, 'cell')} chose a hyperparameter near a bound of its range", "tuning-choices"),
        (changed, f"{plural(changed, 'change')} of the plan after the lock", "changes"),
        (exploratory, f"{plural(exploratory, 'cell')} exploratory: not as locked", "budgets"),
        (context.failures.height, f"{plural(context.failures.height, 'job')} failed", "failures"),
        (stops, f"{plural(stops, 'finding')} of duplicates that stop the study", "leakage"),
        (warns, f"{plural(warns, 'warning')} about duplicates", "leakage"),
        (aside, f"{plural(aside, 'radiograph')} in quarantine", "quarantine"),
        (context.left_out.height, f"{plural(context.left_out.height, 'combination')} left out", "left-out"),
    )
    return tuple((sentence, anchor) for number, sentence, anchor in found if number)


def _flagged(number: int, flag: str) -> str:
    return f"{plural(number, 'primary contrast')} with a caution ({flag})"
