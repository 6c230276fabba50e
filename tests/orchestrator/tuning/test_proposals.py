from __future__ import annotations

import math

import pytest

from orchestrator.tuning.proposals import Told, defaults, near_bound, propose, select, space_of
from search_spaces.arms import ClassificationArm
from search_spaces.hyperparameters import searched_space

CELL = "0123456789abcdef0123"
SPACE = searched_space("classification", None)


def told(*values: float | None, parallel: int = 2, space=SPACE) -> dict[int, Told]:
    """Outcomes in order; every trial tried what the search proposes for it."""
    outcomes: dict[int, Told] = {}
    for number, value in enumerate(values):
        outcomes[number] = Told(propose(space, {}, CELL, number, parallel, outcomes), value)
    return outcomes


def arm(**tune) -> ClassificationArm:
    """A classification arm of boxes with a margin of its own."""
    return ClassificationArm.model_validate(
        {
            "task": "classification",
            "labels": {"positive": ["malignant"], "negative": ["benign"]},
            "region": "box",
            "margin": 0.35,
            "grid": {"backbone": ["resnet50"], "pretraining": ["none"], "init": ["scratch"]},
            "tune": tune,
        }
    )


def test_the_first_trial_is_the_default_point():
    assert propose(SPACE, {}, CELL, 0, 4, {}) == defaults(SPACE)


def test_where_the_margin_is_tuned_the_first_trial_has_the_margin_of_the_arm():
    space = space_of(arm(search=["learning_rate", "margin"]))

    assert propose(space, {}, CELL, 0, 4, {}) == {"learning_rate": 1e-3, "margin": 0.35}


def test_only_what_a_study_names_is_tuned_choices_too_and_fixed_values_stand_in_every_trial():
    space = space_of(arm(search=["learning_rate", "schedule"]))
    fixed = {"weight_decay": 0.003, "ema": "0.99"}

    tried = [propose(space, fixed, CELL, number, 4, {}) for number in range(4)]

    assert {tuple(values) for values in tried} == {("weight_decay", "ema", "learning_rate", "schedule")}
    assert all((values["weight_decay"], values["ema"]) == (0.003, "0.99") for values in tried)
    assert len({values["schedule"] for values in tried}) > 1
    assert all(values["schedule"] in space["schedule"] for values in tried)


def test_a_proposal_depends_only_on_the_cell_and_on_the_batches_before():
    before = told(0.6, 0.7)
    shuffled = dict(reversed(before.items()))

    assert propose(SPACE, {}, CELL, 2, 2, before) == propose(SPACE, {}, CELL, 2, 2, shuffled)
    assert propose(SPACE, {}, CELL, 2, 2, before) != propose(SPACE, {}, "f" * 20, 2, 2, before)


def test_trials_of_one_batch_do_not_see_each_other():
    before = told(0.6, 0.7)
    alone = propose(SPACE, {}, CELL, 3, 2, before)

    assert alone == propose(SPACE, {}, CELL, 3, 2, {**before, 2: Told(defaults(SPACE), 0.99)})


def test_the_trials_of_a_batch_differ():
    points = [tuple(propose(SPACE, {}, CELL, number, 4, {}).values()) for number in range(4)]

    assert len(set(points)) == 4


def test_every_proposal_lies_in_the_space():
    for outcome in told(0.5, 0.6, None, 0.7, 0.4, 0.8).values():
        for name, value in outcome.hyperparameters.items():
            assert value in SPACE[name]


def test_a_failed_trial_is_told_as_failed_and_never_selected():
    outcomes = told(None, 0.55, None)

    assert select(outcomes, {}) == outcomes[1].hyperparameters


def test_the_best_trial_is_selected_and_the_earlier_one_of_two_equals():
    outcomes = told(0.6, 0.8, 0.8)

    assert select(outcomes, {}) == outcomes[1].hyperparameters


def test_a_pruned_trial_is_never_selected_over_one_that_ran_to_its_end():
    outcomes = told(0.6, 0.9)
    outcomes[1] = Told(outcomes[1].hyperparameters, 0.9, pruned=True, rungs={2: 0.9})

    assert select(outcomes, {}) == outcomes[0].hyperparameters


@pytest.mark.parametrize("rungs", [{1: 0.9}, {1: math.nan}])
def test_the_sampler_learns_that_a_trial_was_pruned_and_how_it_stood(rungs):
    """TPE puts pruned trials behind all that ran to their end, so that the next proposals are other ones."""
    ended = told(0.5, 0.6, 0.7, 0.8, 0.9, 0.95, parallel=6)
    pruned = {number: Told(one.hyperparameters, one.value, number > 2, rungs) for number, one in ended.items()}

    after_ended = propose(SPACE, {}, CELL, 6, 6, ended)
    after_pruned = propose(SPACE, {}, CELL, 6, 6, pruned)

    assert after_ended != after_pruned
    assert all(value in SPACE[name] for name, value in after_pruned.items())


def test_without_tuning_only_the_fixed_values_are_taken():
    assert select({}, {"weight_decay": 0.01}) == {"weight_decay": 0.01}


def test_a_choice_near_a_bound_is_named():
    assert near_bound(SPACE, {**defaults(SPACE), "learning_rate": 9e-2}) == ["learning_rate"]
    assert near_bound(SPACE, defaults(SPACE)) == []


def test_a_fixed_value_near_a_bound_is_the_choice_of_the_study_and_not_named():
    assert near_bound(SPACE, {**defaults(SPACE), "label_smoothing": 0.2}) == []
