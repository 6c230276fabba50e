"""What the n-th tuning trial of a cell tries, and which trial a replicate follows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from search_spaces.hyperparameters import SPACES, Choice, Float

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Told:
    """Outcome of one trial: what it tried and its validation metric, None if it failed."""

    hyperparameters: dict[str, Any]
    value: float | None


def propose(task: str, cell_key: str, trial: int, parallel: int, told: Mapping[int, Told]) -> dict[str, Any]:
    """Hyperparameters of one trial: a pure function of the cell and of the batches that ended before.

    Trials are asked in batches of `parallel`. Trial 0 is the default point of the space. The sampler (TPE, Bergstra et
    al. 2011) is seeded by the cell and the batch and sees outcomes in the order of their numbers, so who finished
    first changes nothing.
    """
    if trial == 0:
        return defaults(task)
    first = trial - trial % parallel
    study = _study_after(task, cell_key, first, told)
    space = _distributions(task)
    asked = [study.ask(space) for number in range(max(first, 1), trial + 1)]
    return dict(asked[-1].params)


def defaults(task: str) -> dict[str, Any]:
    """The point a cell uses where nothing is tuned."""
    return {name: space.default for name, space in SPACES[task].items()}


def select(told: Mapping[int, Told], task: str) -> dict[str, Any]:
    """The choice of the best trial (highest value, then lowest number); the defaults where nothing was tuned."""
    finished = {number: outcome for number, outcome in told.items() if outcome.value is not None}
    if not finished:
        return defaults(task)
    best = max(finished, key=lambda number: (finished[number].value, -number))
    return finished[best].hyperparameters


def near_bound(task: str, chosen: Mapping[str, Any]) -> list[str]:
    """Names of hyperparameters whose choice lies within 5 % of a bound of their range."""
    floats = {name: space for name, space in SPACES[task].items() if isinstance(space, Float) and name in chosen}
    return [name for name, space in floats.items() if not 0.05 <= space.position(chosen[name]) <= 0.95]


def _study_after(task: str, cell_key: str, first: int, told: Mapping[int, Told]) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # constant_liar: parallel trials differ
        sampler = optuna.samplers.TPESampler(
            seed=(int(cell_key[:8], 16) + first) % 2**32, n_startup_trials=4, constant_liar=True
        )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    space = _distributions(task)
    for number in range(first):
        outcome = told[number]
        failed = outcome.value is None
        state = optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE
        study.add_trial(
            optuna.trial.create_trial(
                state=state,
                params=outcome.hyperparameters,
                distributions=space,
                value=None if failed else outcome.value,
            )
        )
    return study


def _distributions(task: str) -> dict[str, optuna.distributions.BaseDistribution]:
    import optuna

    return {
        name: optuna.distributions.CategoricalDistribution(space.options)
        if isinstance(space, Choice)
        else optuna.distributions.FloatDistribution(space.low, space.high, log=space.log)
        for name, space in SPACES[task].items()
    }
