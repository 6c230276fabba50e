"""The tuning history of a study for its report: every trial, and what each cell chose of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from orchestrator.plan import Plan
from orchestrator.tuning.proposals import near_bound, space_of
from search_spaces.arms import Arm, RadiomicsArm
from search_spaces.grid import Cell
from search_spaces.hyperparameters import Float
from search_spaces.job import Job

Row = dict[str, Any]
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Trial:
    """One tuning trial and how it ended."""

    job: Job
    state: str
    """finished | pruned | failed | not run"""
    value: float | None
    epochs: int
    """That it trained; 0 where nothing was published."""
    hyperparameters: Record


def trials(plan: Plan) -> pl.DataFrame:
    """All trials of all cells: number, value, epochs trained, how it ended, whether it was chosen.

    Every hyperparameter that any of them tried is a column of its own.
    """
    from evaluation.report.context import TRIALS

    rows = list(_trial_rows(plan))
    names = dict.fromkeys(name for row in rows for name in row if name not in TRIALS)
    columns = {name: _column([row.get(name) for row in rows]) for name in names}
    return pl.DataFrame(rows, schema={**TRIALS, **columns})


def _column(values: list[Any]) -> pl.DataType:
    """Of a hyperparameter: numbers, or the words of a choice."""
    return pl.String() if any(isinstance(value, str) for value in values) else pl.Float64()


def _trial_rows(plan: Plan) -> Iterator[Row]:
    for cell, _, trials in _histories(plan):
        chosen = _chosen(plan, cell, trials)
        for trial in trials:
            yield {
                "arm": cell.arm,
                "cell": cell.id,
                "trial": trial.job.trial,
                "state": trial.state,
                "value": trial.value,
                "epochs_trained": trial.epochs,
                "chosen": trial is chosen,
                **trial.hyperparameters,
            }


def tuning_rows(plan: Plan) -> Iterator[Row]:
    """One row per tuned cell: its budget, what became of it, the choice, and whether that lies near a bound."""
    for cell, arm, trials in _histories(plan):
        chosen = _chosen(plan, cell, trials)
        tuned = {} if chosen is None else {name: chosen.hyperparameters[name] for name in _tuned(arm, chosen)}
        low, high = _rates(arm)
        yield {
            "arm": cell.arm,
            "cell": cell.id,
            "trials": len(trials),
            "epochs": trials[0].job.epochs,
            **{state: sum(trial.state == state for trial in trials) for state in ("finished", "pruned", "failed")},
            "epochs_trained": sum(trial.epochs for trial in trials),
            "chosen": None if chosen is None else chosen.job.trial,
            "value": None if chosen is None else chosen.value,
            "hyperparameters": _said(tuned),
            "near_bound": ", ".join(near_bound(space_of(arm), tuned)),
            "rate_low": low,
            "rate_high": high,
        }


def _histories(plan: Plan) -> Iterator[tuple[Cell, Arm, list[Trial]]]:
    """Cells that have tuning trials, with their arm and their trials in order."""
    arms = {arm.name: arm for arm in plan.workspace.study.arms}
    failed = plan.workspace.run_store.failed()
    of_cell: dict[str, list[Job]] = {}
    for job in plan.jobs.values():
        if job.kind == "tune" and job.cell:
            of_cell.setdefault(job.cell, []).append(job)
    for cell in plan.expansion.cells:
        if jobs := of_cell.get(cell.id):
            yield cell, arms[cell.arm], [_trial(job, plan.finished.get(job.key), failed.get(job.key)) for job in jobs]


def _trial(job: Job, record: Record | None, failure: Record | None) -> Trial:
    if record is not None:
        result, value = record["result"], float(record["result"].get("value", math.nan))
        state = "pruned" if result.get("pruned") else "failed" if math.isnan(value) else "finished"
        epochs = int(result.get("epochs_trained", job.epochs))
        return Trial(job, state, None if math.isnan(value) else value, epochs, record["hyperparameters"])
    if failure is not None:
        return Trial(job, "failed", None, 0, failure.get("hyperparameters", {}))
    return Trial(job, "not run", None, 0, {})


def _chosen(plan: Plan, cell: Cell, trials: Sequence[Trial]) -> Trial | None:
    """The best trial that tried what the cell's replicates were trained with; None before the first is published."""
    fits = (job.key for job in plan.jobs.values() if job.kind == "fit" and job.cell == cell.id)
    given = next((plan.finished[key]["hyperparameters"] for key in fits if key in plan.finished), None)
    if given is None:
        return None
    tried = [trial for trial in trials if trial.value is not None and trial.hyperparameters == given]
    return max(tried, key=lambda trial: (trial.state == "finished", trial.value, -(trial.job.trial or 0)), default=None)


def _tuned(arm: Arm, trial: Trial) -> list[str]:
    return [name for name in space_of(arm) if name in trial.hyperparameters]


def _rates(arm: Arm) -> tuple[float | None, float | None]:
    """Bounds of the learning rate that is searched."""
    entry = None if isinstance(arm, RadiomicsArm) else space_of(arm).get("learning_rate")
    return (entry.low, entry.high) if isinstance(entry, Float) else (None, None)


def _said(values: Record) -> str:
    texts = {name: f"{value:.3g}" if isinstance(value, float) else str(value) for name, value in values.items()}
    return ", ".join(f"{name} {text}" for name, text in texts.items())
