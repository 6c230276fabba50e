"""Certificates of different jobs that cannot all be true: what no job can see of itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

from orchestrator.plan import Plan
from orchestrator.reporting.certificates import Training, trainings
from search_spaces.initialization import SCRATCH
from search_spaces.study import StudySpec

AGAIN = "Remove finished/<key>.json of both from the run store and sweep again"


@dataclass(frozen=True)
class Finding:
    """Two published jobs whose certificates contradict each other, and what is wrong, in one sentence."""

    kind: str
    """alike | start | source"""
    first: str
    second: str
    """Keys of the jobs."""
    sentence: str


def contradictions(plan: Plan, published: Sequence[Training] | None = None) -> list[Finding]:
    """All findings of a study; an empty list is what a sound study has."""
    found = trainings(plan) if published is None else published
    return [*alike(found), *started_alike(found), *same_files(found, plan.workspace.study)]


def sentences(findings: Sequence[Finding]) -> dict[str, str]:
    """Key of a job -> what is wrong with it, as failures are told."""
    return {finding.second: finding.sentence for finding in findings}


def finding_rows(plan: Plan, findings: Sequence[Finding]) -> Iterator[dict[str, str]]:
    """Findings as the report lists them: names of jobs instead of keys."""
    for finding in findings:
        names = {"first": plan.jobs[finding.first].name, "second": plan.jobs[finding.second].name}
        yield {"kind": finding.kind, **names, "sentence": finding.sentence}


def alike(published: Sequence[Training]) -> Iterator[Finding]:
    """Trainings of one cell that ended with the same weights though rate, seed or fold differ.

    No other hyperparameter is looked at, because it may rightly change nothing: a layer decay in a frozen cell, or a
    class weighting on balanced classes.
    """
    for group in _groups(published, lambda each: (each.job.cell, each.facts.get("fingerprint_trained_after"))):
        for first, second in pairwise(group):
            if differing := _differences(first, second):
                yield Finding("alike", first.job.key, second.job.key, _alike_sentence(first, second, differing))


def started_alike(published: Sequence[Training]) -> Iterator[Finding]:
    """Scratch cells whose backbone began with the very weights of a cell that starts from a source."""
    for group in _groups(published, lambda each: (each.job.backbone, each.facts.get("fingerprint_before"))):
        scratch = [each for each in group if each.job.init == SCRATCH]
        for first, second in product([each for each in group if each not in scratch][:1], scratch):
            yield Finding(
                "start",
                first.job.key,
                second.job.key,
                f"{second.job.name} says scratch, and its backbone began with the weights of {first.job.name}: the two "
                f"do not differ in what they start from. {AGAIN}; if it happens again, weights leak between jobs.",
            )


def same_files(published: Sequence[Training], study: StudySpec) -> Iterator[Finding]:
    """Sources that are called differently and gave the same file, unless the study declares them to be the same files.

    A comparison of such sources compares a file with itself.
    """
    for group in _groups(published, lambda each: (each.job.backbone, (each.facts.get("source") or {}).get("sha256"))):
        by_source = {each.job.pretraining: each for each in reversed(group)}
        for first, second in pairwise(sorted(by_source)):
            if _files(study, first) != _files(study, second):
                yield Finding(
                    "source",
                    by_source[first].job.key,
                    by_source[second].job.key,
                    f"Sources {first} and {second} loaded the same file into {group[0].job.backbone} (sha256 "
                    f"{by_source[first].facts['source']['sha256'][:12]}…): put the right file of one of them into its "
                    f"folder, or say that they are the same with `sources: {{{second}: {{files: {first}}}}}`.",
                )


def _groups(
    published: Sequence[Training], same: Callable[[Training], tuple[Any, Hashable]]
) -> Iterator[list[Training]]:
    """Trainings that agree in both of two things, where the second is known."""
    groups: dict[tuple[Any, Hashable], list[Training]] = {}
    for each in published:
        if same(each)[1]:
            groups.setdefault(same(each), []).append(each)
    yield from (group for group in groups.values() if len(group) > 1)


def _differences(first: Training, second: Training) -> dict[str, tuple[Any, Any]]:
    """What of two trainings must make their weights differ: name -> both values."""
    pairs = {
        "learning rate": (_rate(first.hyperparameters), _rate(second.hyperparameters)),
        "seed": (first.job.seed, second.job.seed),
        "fold": (first.job.fold, second.job.fold),
    }
    return {name: (one, other) for name, (one, other) in pairs.items() if one != other}


def _rate(hyperparameters: Mapping[str, Any]) -> float:
    return float(hyperparameters.get("learning_rate", 0.0))


def _alike_sentence(first: Training, second: Training, differing: Mapping[str, tuple[Any, Any]]) -> str:
    said = ", ".join(f"{name} {one:g} and {other:g}" for name, (one, other) in differing.items())
    return (
        f"{first.job.name} and {second.job.name} ended with the same weights, although they were given {said}: at "
        f"least one did not train as it says. {AGAIN}; if it happens again, state leaks between jobs."
    )


def _files(study: StudySpec, source: str) -> str:
    """The source whose files a source reads: its own name, or what the study declares."""
    declared = study.sources.get(source)
    return source if declared is None or declared.files is None else declared.files
