"""Search spaces: defaults, bounds, and refusals that name what is allowed."""

from __future__ import annotations

import pytest

from search_spaces.arms import ClassificationArm
from search_spaces.errors import StudyError
from search_spaces.hyperparameters import SPACES, Choice, Float, as_meant, searched_space, settings


def test_every_default_lies_in_its_range() -> None:
    entries = [entry for space in SPACES.values() for entry in space.values() if entry.default is not None]

    assert len(entries) == 16
    assert all(entry.default in entry for entry in entries)


def test_chosen_values_overlay_the_defaults() -> None:
    values = settings("classification", {"learning_rate": 0.01})

    assert values["learning_rate"] == 0.01
    assert values["schedule"] == "cosine"
    assert set(values) == set(SPACES["classification"])


def test_values_as_yaml_reads_them_are_taken_as_they_are_meant() -> None:
    written = {"ema": 0.99, "image_scale": 1.0, "schedule": "linear", "learning_rate": "1e-3", "margin": 1}
    labels, grid = {"positive": ["a"], "negative": ["b"]}, {"backbone": ["x"], "pretraining": ["y"], "init": ["frozen"]}

    arm = ClassificationArm.model_validate(
        {"task": "classification", "labels": labels, "grid": grid, "region": "box", "tune": {"fixed": written}}
    )

    meant = {"ema": "0.99", "image_scale": "1", "schedule": "linear", "learning_rate": 0.001, "margin": 1.0}
    assert arm.tune.fixed == meant
    assert as_meant({"learning_rate": "fast", "unheard_of": 2}) == {"learning_rate": "fast", "unheard_of": 2}


def test_what_is_searched_is_the_tasks_own_unless_a_study_says():
    assert list(searched_space("detection", None)) == ["learning_rate", "weight_decay", "mosaic"]
    assert list(searched_space("detection", ("schedule",))) == ["schedule"]


def test_a_searched_margin_has_the_margin_of_the_arm_as_its_default_point():
    assert searched_space("classification", ("margin",), margin=0.3)["margin"].default == 0.3
    assert SPACES["classification"]["margin"].default is None


@pytest.mark.parametrize("value", [1e-6, 0.2, True, "0.01", None])
def test_a_value_outside_the_range_is_refused_with_the_range(value: object) -> None:
    with pytest.raises(StudyError, match=r"learning_rate is .*; it must be a number from 1e-05 to 0\.1\."):
        settings("classification", {"learning_rate": value})


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(StudyError, match=r"'dropout' is not a hyperparameter\. Known: learning_rate, weight_decay"):
        settings("classification", {"dropout": 0.1})


@pytest.mark.parametrize(("value", "position"), [(1e-5, 0.0), (1e-3, 0.5), (1e-1, 1.0)])
def test_a_position_is_measured_on_the_sampled_scale(value: float, position: float) -> None:
    assert Float(1e-5, 1e-1, log=True, default=1e-3).position(value) == pytest.approx(position)


def test_a_choice_knows_its_options() -> None:
    optimizer = Choice(("adamw", "sgd"), "sgd")

    assert "sgd" in optimizer
    assert "adam" not in optimizer
    assert str(optimizer) == "one of adamw, sgd"
