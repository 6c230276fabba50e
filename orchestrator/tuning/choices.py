"""What each trial tries and each cell chose, settled once in the run store and the same in every later sweep."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.store import RunStore
from orchestrator.tuning.proposals import Told, best, fixed_of, propose, select, space_of
from search_spaces.arms import Arm, RadiomicsArm
from search_spaces.errors import StudyError
from search_spaces.job import Job, key_of

Values = dict[str, Any]


@dataclass(frozen=True)
class Choices:
    """Hyperparameters of the jobs of a study."""

    store: RunStore
    jobs: Mapping[str, Job]
    arms: Mapping[str, Arm]
    _proposals: dict[str, Values] = field(default_factory=dict)
    """Settled ones never change, so each is read once."""

    def hyperparameters(self, job: Job) -> Values:
        """What a job trains with: fixed and proposed ones for a trial, the cell's choice for a replicate."""
        if job.kind == "tune":
            return self._proposed(job)
        return self._selected(job) if job.kind == "fit" else {}

    def told(self, job: Job) -> dict[int, Told]:
        """Outcomes of the tuning trials that a job waited for, by number."""
        trials = [self.jobs[key] for key in job.trials]
        return {trial.trial: self._outcome(trial) for trial in trials if trial.trial is not None}

    def _outcome(self, trial: Job) -> Told:
        record = self.store.finished_record(trial.key)
        return Told(self._proposed(trial), None) if record is None else outcome_of(record, self.store.rungs(trial.key))

    def _selected(self, job: Job) -> Values:
        """The tune selection of the cell: made once, when its first replicate starts, and read by all others.

        A trial that is tried again later and wins then changes nothing: replicates of one cell never differ in it.
        """
        return dict(self.store.once(selection_of(job), lambda: self._selection(job))["hyperparameters"])

    def _selection(self, job: Job) -> dict[str, Any]:
        told = self.told(job)
        outcomes = {str(number): vars(outcome) for number, outcome in told.items()}
        number = best(told)
        if told and number is None:  # the defaults would pass for a choice that nobody made
            raise StudyError(
                f"Cell {job.cell}: not one of its {len(told)} tuning trials ended with a validation value that is a "
                "number, so nothing can be chosen; look at their journals, and change the tune block of the arm."
            )
        chosen = select(told, fixed_of(self.arms[job.arm]))
        return {"hyperparameters": chosen, "trial": number, "trials": outcomes}

    def _proposed(self, job: Job) -> Values:
        """What a trial tries: settled when it is first asked, so that a failed trial before it may yet be mended."""
        if job.key not in self._proposals:
            kept = self.store.once(f"proposals/{job.key}", lambda: self._proposal(job))
            self._proposals[job.key] = dict(kept["hyperparameters"])
        return self._proposals[job.key]

    def _proposal(self, job: Job) -> dict[str, Any]:
        arm = self.arms[job.arm]
        assert not isinstance(arm, RadiomicsArm), "an arm that has no trials"
        assert job.trial is not None
        seed = key_of({name: value for name, value in job.recipe.items() if name != "trial"})
        told = self.told(job)
        proposed = propose(space_of(arm), fixed_of(arm), seed, job.trial, arm.tune.parallel, told)
        return {"name": job.name, "hyperparameters": proposed}


def outcome_of(record: Mapping[str, Any], rungs: Mapping[int, Mapping[str, Any]]) -> Told:
    """A finished trial as the sampler sees it; one whose value is no number has failed."""
    value = float(record["result"]["value"])
    return Told(
        dict(record["hyperparameters"]),
        None if math.isnan(value) else value,
        pruned=bool(record["result"].get("pruned", False)),
        rungs={rung: float(entry["value"]) for rung, entry in rungs.items()},
    )


def selection_of(fit: Job) -> str:
    """Name of the record that holds the choice of a replicate's cell."""
    recipe = {name: fit.recipe[name] for name in ("cell", "development", "split", "tune")}
    return f"selections/{key_of({'kind': 'selection', **recipe})}"
