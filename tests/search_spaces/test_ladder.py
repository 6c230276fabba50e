from __future__ import annotations

import pytest
from pydantic import ValidationError

from search_spaces.ladder import Robustness, Saliency
from tests.search_spaces.builders import make_study


def test_only_shifts_are_drawn_more_than_once() -> None:
    ladder = Robustness(shift=(0.1, 0.2), scale=(0.8,), aspect=(1.25,), draws=2)

    assert [variant.id for variant in ladder.variants()] == [
        *("shift-0.1-0", "shift-0.1-1", "shift-0.2-0", "shift-0.2-1"),
        *("scale-0.8", "aspect-1.25"),
    ]


@pytest.mark.parametrize(
    ("ladder", "reason"),
    [
        ({}, "names no step"),
        ({"shift": [0]}, "greater than 0"),
        ({"shift": [1.5]}, "less than or equal to 1"),
        ({"scale": [1]}, "1 is no factor"),
        ({"aspect": [5]}, "5 is no factor from 0.25 to 4"),
        ({"shift": [0.1, 0.1]}, "0.1"),
        ({"shift": [0.1, 0.10000001]}, "0.1"),  # both would be called shift-0.1
        ({"shift": [0.1], "draws": 0}, "greater than 0"),
        ({"shift": [0.1], "images": 0}, "greater than 0"),
    ],
)
def test_a_ladder_that_cannot_be_climbed_is_refused(ladder: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Robustness.model_validate(ladder)


def test_whole_images_have_no_boxes_to_perturb() -> None:
    with pytest.raises(ValidationError, match="robustness perturbs boxes"):
        make_study(arm={"region": "image", "robustness": {"shift": [0.1]}})


@pytest.mark.parametrize(("written", "meant"), [(True, Saliency()), (False, None), ({"images": 5}, Saliency(images=5))])
def test_saliency_may_be_said_in_one_word(written: object, meant: Saliency | None) -> None:
    assert make_study(arm={"saliency": written}).arms[0].saliency == meant
