"""Phases and learning rates, by hand."""

from __future__ import annotations

import pytest

from search_spaces.errors import StudyError
from trainables.classification.schedule import Phase, left_over, phases_of, rate_factor

BACKBONE = frozenset({"conv1.weight"})


def phases(init: str, epochs: int) -> tuple[Phase, ...]:
    return phases_of(init, epochs, frozen=frozenset(), backbone=BACKBONE)


def test_most_inits_train_in_one_phase() -> None:
    assert phases("transfer", 10) == (Phase(1, 10, frozenset()),)


@pytest.mark.parametrize(("epochs", "probe"), [(2, 1), (3, 1), (10, 3), (50, 15)])
def test_a_probe_takes_three_tenths_of_the_epochs_and_at_least_one(epochs: int, probe: int) -> None:
    first, second = phases("probe_then_transfer", epochs)

    assert first == Phase(1, probe, BACKBONE, is_probe=True)
    assert second == Phase(probe + 1, epochs, frozenset())


def test_one_epoch_is_too_few_for_two_phases() -> None:
    with pytest.raises(StudyError, match="probe_then_transfer with 1 epoch: it has two phases; train at least 2"):
        phases("probe_then_transfer", 1)


@pytest.mark.parametrize(
    ("done", "until", "entered"),
    [(0, 10, [1, 4]), (2, 10, [1, 4]), (3, 10, [4]), (0, 3, [1]), (3, 3, [1]), (10, 10, [4])],
)
def test_the_phases_left_over_end_with_the_one_in_which_the_attempt_ends(
    done: int, until: int, entered: list[int]
) -> None:
    assert [phase.first for phase in left_over(phases("probe_then_transfer", 10), done, until)] == entered


def test_each_phase_counts_its_steps_from_its_own_start() -> None:
    second = phases("probe_then_transfer", 10)[1]

    assert second.done(4, 0.0) == 0
    assert second.done(7, 0.5) == pytest.approx(3.5 / 7)


@pytest.mark.parametrize(
    ("schedule", "middle", "end"), [("cosine", 0.5, 0.0), ("linear", 0.5, 0.0), ("constant", 1.0, 1.0)]
)
def test_every_schedule_rises_first_and_then_goes_its_way(schedule: str, middle: float, end: float) -> None:
    assert rate_factor(schedule, 0.0) == pytest.approx(0.1)
    assert rate_factor(schedule, 0.025) == pytest.approx(0.55)
    assert rate_factor(schedule, 0.05) == pytest.approx(1.0)
    assert rate_factor(schedule, 0.525) == pytest.approx(middle)
    assert rate_factor(schedule, 1.0) == pytest.approx(end, abs=1e-12)


def test_a_cosine_falls_slowly_at_first_and_a_line_evenly() -> None:
    assert rate_factor("cosine", 0.2875) == pytest.approx(0.8536, abs=1e-4)  # (1 + cos(pi / 4)) / 2
    assert rate_factor("linear", 0.2875) == pytest.approx(0.75)
