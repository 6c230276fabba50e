"""What the n-th tuning trial of a cell tries, and which trial a replicate follows."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from search_spaces.arms import Arm, ClassificationArm, RadiomicsArm
from search_spaces.hyperparameters import Choice, Float, Space, searched_space

if TYPE_CHECKING:
    import optuna

Values = dict[str, Any]


@dataclass(frozen=True)
class Told:
    """Outcome of one trial: what it tried and its validation metric, None if it failed."""

    hyperparameters: Values
    value: float | None
    pruned: bool = False
    """It was taken out at a rung; its value is the best up to there."""
    rungs: Mapping[int, float] = field(default_factory=dict)
    """Value at each rung that it came to, by epoch."""


def space_of(arm: Arm) -> Space:
    """What an arm tunes; empty for radiomics, whose inner cross-validation tunes within each fit."""
    if isinstance(arm, RadiomicsArm):
        return {}
    margin = arm.margin if isinstance(arm, ClassificationArm) else None
    return searched_space(arm.task, arm.tune.search, margin=margin)


def fixed_of(arm: Arm) -> Values:
    """Hyperparameters that an arm gives a value of its own."""
    return {} if isinstance(arm, RadiomicsArm) else dict(arm.tune.fixed)


def propose(
    space: Space, fixed: Mapping[str, Any], cell_key: str, trial: int, parallel: int, told: Mapping[int, Told]
) -> Values:
    """Hyperparameters of one trial, fixed ones included: a pure function of the cell and of the batches before.

    Trials are asked in batches of `parallel`. Trial 0 is the default point of the space. The sampler (TPE, Bergstra et
    al. 2011) is seeded by the cell and the batch and sees outcomes in the order of their numbers, so who finished
    first changes nothing.
    """
    if trial == 0:
        return {**fixed, **defaults(space)}
    first = trial - trial % parallel
    study = _study_after(space, cell_key, first, told)
    asked = [study.ask(_distributions(space)) for number in range(max(first, 1), trial + 1)]
    return {**fixed, **asked[-1].params}


def defaults(space: Space) -> Values:
    """The default point of a space."""
    return {name: entry.default for name, entry in space.items()}


def select(told: Mapping[int, Told], fixed: Mapping[str, Any]) -> Values:
    """The choice of the best trial: one that ran to its end, then the highest value, then the lowest number.

    The fixed values alone where nothing was tuned.
    """
    number = best(told)
    return dict(fixed) if number is None else told[number].hyperparameters


def best(told: Mapping[int, Told]) -> int | None:
    """Number of the trial that is chosen, None if there is none that finished."""
    finished = {number: outcome for number, outcome in told.items() if outcome.value is not None}
    return max(finished, key=lambda n: (not finished[n].pruned, finished[n].value, -n), default=None)


def near_bound(space: Space, chosen: Mapping[str, Any]) -> list[str]:
    """Names of tuned hyperparameters whose choice lies within 5 % of a bound of their range."""
    floats = {name: entry for name, entry in space.items() if isinstance(entry, Float) and name in chosen}
    return [name for name, entry in floats.items() if not 0.05 <= entry.position(chosen[name]) <= 0.95]


def _study_after(space: Space, cell_key: str, first: int, told: Mapping[int, Told]) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # constant_liar: parallel trials differ
        sampler = optuna.samplers.TPESampler(
            seed=(int(cell_key[:8], 16) + first) % 2**32, n_startup_trials=4, constant_liar=True
        )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for number in range(first):
        study.add_trial(_as_optuna_trial(space, told[number]))
    return study


def _as_optuna_trial(space: Space, outcome: Told) -> optuna.trial.FrozenTrial:
    """A pruned trial has no value of the whole training, only those at its rungs."""
    import optuna

    states = optuna.trial.TrialState
    failed = outcome.value is None
    return optuna.trial.create_trial(
        state=states.FAIL if failed else states.PRUNED if outcome.pruned else states.COMPLETE,
        params={name: outcome.hyperparameters[name] for name in space},
        distributions=_distributions(space),
        value=None if failed or outcome.pruned else outcome.value,
        intermediate_values={rung: value for rung, value in outcome.rungs.items() if math.isfinite(value)},
    )


def _distributions(space: Space) -> dict[str, optuna.distributions.BaseDistribution]:
    import optuna

    return {
        name: optuna.distributions.CategoricalDistribution(entry.options)
        if isinstance(entry, Choice)
        else optuna.distributions.FloatDistribution(entry.low, entry.high, log=entry.log)
        for name, entry in space.items()
    }
