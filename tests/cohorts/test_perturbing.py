from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohorts.perturbing import direction, perturbed
from search_spaces.ladder import Robustness, Variant

SIDES = ["x0", "y0", "x1", "y1"]
FACTORS = st.floats(0.25, 4).filter(lambda value: value != 1)


def table(*boxes: tuple[float, float, float, float]) -> pl.DataFrame:
    """One box per image."""
    rows = [(f"i{number}", 0, *map(float, box)) for number, box in enumerate(boxes)]
    return pl.DataFrame(rows, schema=["image", "box", *SIDES], orient="row")


def size(box: tuple[float, ...]) -> tuple[float, float]:
    return box[2] - box[0], box[3] - box[1]


def center(box: tuple[float, ...]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def shift(magnitude: float, draw: int = 0) -> Variant:
    return Robustness(shift=(magnitude,), draws=draw + 1).variants()[draw]


def test_a_scale_stretches_both_sides_about_the_center() -> None:
    found = perturbed(table((10, 20, 30, 60)), Variant("scale-1.5", "scale", 1.5, 0), "study")

    assert found.select(SIDES).row(0) == (5, 10, 35, 70)


def test_an_aspect_changes_width_over_height_and_keeps_area_and_center() -> None:
    found = perturbed(table((10, 20, 30, 60)), Variant("aspect-4", "aspect", 4.0, 0), "study")

    assert found.select(SIDES).row(0) == (0, 30, 40, 50)  # 20 x 40 becomes 40 x 20


def test_a_shift_goes_so_far_of_the_width_across_and_of_the_height_down() -> None:
    variant = shift(0.1)
    angle = direction("study", "i0", 0, variant.id)

    found = perturbed(table((10, 20, 30, 60)), variant, "study").select(SIDES).row(0)

    right, down = 20 * 0.1 * math.cos(angle), 40 * 0.1 * math.sin(angle)
    assert found == pytest.approx((10 + right, 20 + down, 30 + right, 60 + down))


def test_directions_are_those_that_were_published() -> None:
    # By sha256sum: printf 'study|a-0123456789ab|0|shift-0.1-0' | sha256sum begins with 208bf0e0ff5e946c, of 2**64 of
    # a circle. Another value here would be another draw for every study.
    assert direction("study", "a-0123456789ab", 0, "shift-0.1-0") == pytest.approx(0.7988148)
    assert direction("study", "a-0123456789ab", 1, "shift-0.1-0") == pytest.approx(1.8329256)


def test_directions_are_spread_over_the_circle() -> None:
    angles = [direction("study", f"i{number}", 0, "shift-0.1-0") for number in range(2000)]

    quarters = [sum(quarter <= angle / (math.pi / 2) < quarter + 1 for angle in angles) for quarter in range(4)]

    assert sum(quarters) == 2000
    assert all(420 < count < 580 for count in quarters)  # 500 each, within four standard deviations


def test_study_image_box_and_draw_each_change_the_direction() -> None:
    names = [("s", "i", 0, "v"), ("t", "i", 0, "v"), ("s", "j", 0, "v"), ("s", "i", 1, "v"), ("s", "i", 0, "w")]

    assert len({direction(*name) for name in names}) == 5


def test_the_draw_of_a_box_does_not_depend_on_its_neighbors_or_their_order() -> None:
    boxes = table((10, 20, 30, 60), (0, 0, 5, 5), (7, 7, 9, 9))
    variant = shift(0.2, draw=3)

    every = perturbed(boxes, variant, "study")
    alone = perturbed(boxes[[2, 0]], variant, "study")

    assert alone.equals(every[[2, 0]])


def test_boxes_are_moved_beyond_the_border_rather_than_less_far() -> None:
    moved = perturbed(table(*[(0, 0, 10, 10)] * 8), shift(1.0), "study").select(SIDES).rows()

    assert [math.dist(center(box), (5, 5)) for box in moved] == pytest.approx([10] * 8)
    assert min(min(box) for box in moved) < -5


def test_other_columns_and_the_order_stay() -> None:
    boxes = table((0, 0, 1, 1), (0, 0, 2, 2)).with_columns(target=pl.lit(1))

    found = perturbed(boxes, shift(0.1), "study")

    assert found.columns == boxes.columns
    assert found.drop(SIDES).equals(boxes.drop(SIDES))


def test_no_box_gives_no_box() -> None:
    boxes = table((0, 0, 1, 1)).clear()

    assert perturbed(boxes, shift(0.1), "study").equals(boxes)


@given(
    x=st.floats(-100, 5000), y=st.floats(-100, 5000), width=st.floats(1, 3000), height=st.floats(1, 3000),
    magnitude=st.floats(0.001, 1), factor=FACTORS,
)  # fmt: skip
def test_any_box_keeps_what_its_variant_does_not_change(x, y, width, height, magnitude, factor) -> None:
    box = (x, y, x + width, y + height)
    before = size(box)
    variants = (
        Variant("a", "shift", magnitude, 0), Variant("b", "scale", factor, 0), Variant("c", "aspect", factor, 0),
    )  # fmt: skip

    shifted, scaled, stretched = (perturbed(table(box), one, "s").select(SIDES).row(0) for one in variants)

    assert size(shifted) == pytest.approx(before)
    steps = [(after - old) / side for after, old, side in zip(center(shifted), center(box), before, strict=True)]
    assert math.hypot(*steps) == pytest.approx(magnitude, rel=1e-6)
    assert size(scaled) == pytest.approx((factor * before[0], factor * before[1]))
    assert center(scaled) == pytest.approx(center(box))
    assert math.prod(size(stretched)) == pytest.approx(math.prod(before))
    assert size(stretched)[0] / size(stretched)[1] == pytest.approx(factor * before[0] / before[1])
    assert center(stretched) == pytest.approx(center(box))
