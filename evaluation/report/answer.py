"""The study's question answered in words: what each source and init gains or loses, as far as its interval says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import polars as pl

from evaluation.comparison.effects import KINDS, PAYOFF
from evaluation.report.context import ReportContext
from evaluation.report.display import Facts, lines, ordered
from evaluation.report.names import ADJUSTMENTS, Place, arm_box, common_sample
from evaluation.report.numbers import is_missing, p_equation, signed, signed_interval
from evaluation.report.tables.effects import averaged, named_frame, names, uncertainty

MOST_TOLD = 4
"""Effects of a kind told per arm, in the order of the study; the figure holds all."""
SIGNIFICANCE = 0.05
GAINS, LOSES, OPEN, LOST = "gains", "loses", "not settled", "no estimate"


@dataclass(frozen=True)
class Sentence:
    """One effect: who against whom, what it comes to in a word, and the numbers."""

    who: str
    verdict: str
    numbers: str


@dataclass(frozen=True)
class ArmAnswer:
    """The effects of one arm, what they are averaged over and measured on."""

    arm: str
    about: str
    sentences: tuple[Sentence, ...]
    untold: int


@dataclass(frozen=True)
class Answer:
    """`headline` counts the payoffs; `caveat` says what the words mean and what the intervals cover."""

    headline: str
    arms: tuple[ArmAnswer, ...]
    caveat: str


def answer(context: ReportContext) -> Answer | None:
    """The answer at the most general place; None as long as nothing can be compared."""
    frame, place = named_frame(context)
    if place is None:
        return None
    shown = place.rows(frame)
    parts = [shown.filter(pl.col("arm") == arm) for arm in ordered(shown["arm"], context.arms)]
    return Answer(_headline(shown, place), tuple(_of_arm(context, part) for part in parts), _caveat(shown))


def verdict(row: Facts) -> str:
    """Gains or loses where the interval lies on one side of zero and the adjusted p agrees; else not settled."""
    if is_missing(row["difference"]):
        return LOST
    if is_missing(row["low"]) or row["low"] <= 0 <= row["high"]:
        return OPEN
    word = GAINS if row["low"] > 0 else LOSES
    adjusted = row["p_adjusted"]
    return word if not is_missing(adjusted) and adjusted < SIGNIFICANCE else f"{word}, but not after adjustment"


def _headline(frame: pl.DataFrame, place: Place) -> str:
    payoffs = frame.filter(pl.col("effect") == "payoff").to_dicts()
    there = f"AUC on {_where(place)}"
    if not payoffs:
        return f"No cell that starts from pretrained weights has a twin from scratch to be compared with ({there})."
    found = Counter(_counted(row) for row in payoffs)
    if len(payoffs) == 1:
        said = {
            GAINS: "gains over",
            LOSES: "loses against",
            OPEN: "is not settled against",
            LOST: "has no estimate against",
        }
        return f"The one start from pretrained weights {said[_counted(payoffs[0])]} training from scratch ({there})."
    words = (
        f"{found[GAINS] or 'none'} {'gain' if found[GAINS] > 1 else 'gains'} over training from scratch",
        f"{found[LOSES] or 'none'} {'lose' if found[LOSES] > 1 else 'loses'}",
        *((f"{found[LOST]} without an estimate",) if found[LOST] else ()),
        f"{found[OPEN] or 'none'} {'are' if found[OPEN] > 1 else 'is'} not settled",
    )
    return f"Of {len(payoffs)} starts from pretrained weights, {', '.join(words[:-1])} and {words[-1]} ({there})."


def _counted(row: Facts) -> str:
    """The verdict without its reservation: what does not outlive the adjustment is not settled."""
    word = verdict(row)
    return word if word in {GAINS, LOSES, LOST} else OPEN


def _where(place: Place) -> str:
    if place.role != "external":
        return "the reserve of development patients"
    return "the pooled external centers" if place.center == "all" else place.heading


def _of_arm(context: ReportContext, frame: pl.DataFrame) -> ArmAnswer:
    kept = [row for kind in KINDS for row in _of_kind(frame, kind)[:MOST_TOLD]]
    over = {averaged(row) for row in kept}
    one = over.pop() if len(over) == 1 else "backbones"
    about = (f"mean over {one}" if one.endswith("backbones") else one, arm_box(context, frame["arm"][0]))
    counts = common_sample(frame, "")
    sentences = tuple(_sentence(context, row) for row in kept)
    return ArmAnswer(frame["arm"][0], ", ".join(lines(*about, counts)), sentences, len(frame) - len(kept))


def _of_kind(frame: pl.DataFrame, kind: str) -> list[Facts]:
    """All effects of a kind; of payoffs one per source, that of transfer if it has one."""
    rows = frame.filter(pl.col("effect") == kind).to_dicts()
    if kind != PAYOFF:
        return rows
    found: dict[str, Facts] = {}
    for row in rows:
        source, init = row["first"].rsplit("-", 1)
        if source not in found or init == "transfer":
            found[source] = row
    return list(found.values())


def _sentence(context: ReportContext, row: Facts) -> Sentence:
    who, word = " against ".join(names(context, row)), verdict(row)
    bounds = signed_interval(row["low"], row["high"])
    if is_missing(row["difference"]):
        return Sentence(who, word, row["flag"] or "no reason recorded")
    if is_missing(row["low"]):
        return Sentence(who, word, f"{signed(row['difference'])}, without an interval")
    if word == OPEN:
        return Sentence(who, word, f"{signed(row['difference'])}; the interval holds differences from {bounds}")
    adjusted = f"{ADJUSTMENTS.get(row['adjustment'], row['adjustment'])}-adjusted {p_equation(row['p_adjusted'])}"
    return Sentence(who, word, f"{signed(row['difference'])} (95% interval {bounds}; {adjusted})")


def _caveat(frame: pl.DataFrame) -> str:
    covered = sorted({text for row in frame.to_dicts() if (text := uncertainty(row))})
    some = "some " * (len(covered) > 1)
    over = "".join(f", {some}{text}" for text in covered)
    few = any("case uncertainty only" in text for text in covered)
    return (
        f"Differences of mean AUCs of single models, first minus second, with 95% intervals{over}. Gains, loses: the "
        f"whole interval and the adjusted p below {SIGNIFICANCE} say so. Not settled is not the same as no difference."
        + " Case uncertainty only: this holds for the models that were trained, not for others trained alike."
        * few
    )
