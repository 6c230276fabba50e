from __future__ import annotations

from orchestrator.tuning import Told, defaults, near_bound, propose, select
from search_spaces.hyperparameters import SPACES

CELL = "0123456789abcdef0123"


def told(*values: float | None, parallel: int = 2) -> dict[int, Told]:
    """Outcomes in order; every trial tried what the search proposes for it."""
    outcomes: dict[int, Told] = {}
    for number, value in enumerate(values):
        outcomes[number] = Told(propose("classification", CELL, number, parallel, outcomes), value)
    return outcomes


def test_the_first_trial_is_the_default_point():
    assert propose("classification", CELL, 0, 4, {}) == defaults("classification")


def test_a_proposal_depends_only_on_the_cell_and_on_the_batches_before():
    before = told(0.6, 0.7)
    shuffled = dict(reversed(before.items()))

    assert propose("classification", CELL, 2, 2, before) == propose("classification", CELL, 2, 2, shuffled)
    assert propose("classification", CELL, 2, 2, before) != propose("classification", "f" * 20, 2, 2, before)


def test_trials_of_one_batch_do_not_see_each_other():
    before = told(0.6, 0.7)
    alone = propose("classification", CELL, 3, 2, before)

    assert alone == propose("classification", CELL, 3, 2, {**before, 2: Told(defaults("classification"), 0.99)})


def test_the_trials_of_a_batch_differ():
    points = [tuple(propose("classification", CELL, number, 4, {}).values()) for number in range(4)]

    assert len(set(points)) == 4


def test_every_proposal_lies_in_the_space():
    for outcome in told(0.5, 0.6, None, 0.7, 0.4, 0.8).values():
        for name, value in outcome.hyperparameters.items():
            assert value in SPACES["classification"][name]


def test_a_failed_trial_is_told_as_failed_and_never_selected():
    outcomes = told(None, 0.55, None)

    assert select(outcomes, "classification") == outcomes[1].hyperparameters


def test_the_best_trial_is_selected_and_the_earlier_one_of_two_equals():
    outcomes = told(0.6, 0.8, 0.8)

    assert select(outcomes, "classification") == outcomes[1].hyperparameters


def test_without_tuning_the_defaults_are_taken():
    assert select({}, "detection") == defaults("detection")


def test_a_choice_near_a_bound_is_named():
    assert near_bound("classification", {**defaults("classification"), "learning_rate": 9e-2}) == ["learning_rate"]
    assert near_bound("classification", defaults("classification")) == []
