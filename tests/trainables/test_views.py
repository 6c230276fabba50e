from __future__ import annotations

from typing import Any

import pytest

from tests.trainables.classification_jobs import data
from trainables.views import is_perturbed, views

LADDER = {"shift": [0.1], "scale": [1.2], "draws": 2}
VARIANTS = ["shift-0.1-0", "shift-0.1-1", "scale-1.2"]


def job(variants: list[str], ladder: dict[str, Any] | None = None, drawn_for: str = "study") -> dict[str, Any]:
    return {"arm": {"robustness": ladder}, "recipe": {"variants": variants, "drawn_for": drawn_for, "images": None}}


@pytest.mark.parametrize("recipe", [{"variants": ["original"]}, {"part": [0, 1]}])
def test_images_as_they_are_are_seen_once_whatever_ladder_the_arm_has(recipe: dict[str, Any]) -> None:
    given = data(4)

    ((variant, seen),) = views({"arm": {"robustness": LADDER}, "recipe": recipe}, given)

    assert variant == "original"
    assert seen is given
    assert not is_perturbed({"recipe": recipe})


def test_each_variant_has_boxes_of_its_own_and_the_same_images() -> None:
    given = data(4)

    seen = dict(views(job(VARIANTS, LADDER), given))

    assert list(seen) == VARIANTS
    assert is_perturbed(job(VARIANTS, LADDER))
    assert all(one.images is given.images and one.stores is given.stores for one in seen.values())
    corners = {variant: one.boxes["x0"].to_list() for variant, one in seen.items()}  # type: ignore[index]
    assert len({tuple(each) for each in (*corners.values(), given.boxes["x0"].to_list())}) == 4  # type: ignore[index]


def test_boxes_follow_from_the_recipe_alone() -> None:
    first, again, other = (
        [seen.boxes for _, seen in views(job(VARIANTS, LADDER, name), data(4))] for name in ("x", "x", "y")
    )

    assert all(one.equals(same) for one, same in zip(first, again, strict=True))  # type: ignore[union-attr, arg-type]
    assert not first[0].equals(other[0])  # type: ignore[union-attr, arg-type]


def test_a_ladder_that_is_not_the_recipes_is_never_scored() -> None:
    with pytest.raises(AssertionError, match="not the one of the job's recipe"):
        list(views(job(VARIANTS, {**LADDER, "draws": 1}), data(4)))
