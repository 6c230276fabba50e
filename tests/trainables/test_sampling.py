"""Regions as inputs: geometry by hand, and the same values whichever way the pixels are kept."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import torch

from cohorts.regions import compose, crop, flip, rotation, shift_and_scale, squares_of
from trainables.classification.augmentation import Augmentation, adjust
from trainables.sampling import Normalization, RegionStack, fits

Image = npt.NDArray[np.uint16]


def regions(*squares: tuple[float, float, float, float]) -> pl.DataFrame:
    table = pl.DataFrame(squares, schema=["x0", "y0", "x1", "y1"], orient="row").cast(pl.Float64)
    return table.with_columns(center=pl.lit("a"), image=pl.lit("i"))


def stack_of(image: Image, table: pl.DataFrame, size: int, reach: float = 1.0) -> RegionStack:
    return RegionStack.load(table, lambda center, name: image, size=size, reach=reach)


def sampled(stack: RegionStack, to_stored: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    values = stack.sample(torch.arange(len(stack)), stack.grids(to_stored), size)[:, 0]
    return values.numpy().astype(np.float64) * 65535


def gradient(height: int, width: int) -> Image:
    """Gray value 100 x + 10 y + 1000 at the center of each pixel."""
    y, x = np.mgrid[:height, :width]
    return np.asarray(100 * x + 10 * y + 1000, np.uint16)


def test_a_region_of_whole_pixels_is_copied() -> None:
    image, table = gradient(20, 30), regions((4, 6, 12, 14))

    values = sampled(stack_of(image, table, 8), crop(squares_of(table)), 8)

    np.testing.assert_allclose(values[0], image[6:14, 4:12], atol=0.02)


def test_the_whole_range_of_gray_values_survives() -> None:
    image = np.array([[0, 65535], [32768, 1]], np.uint16)
    table = regions((0, 0, 2, 2))

    values = stack_of(image, table, 2).sample(
        torch.tensor([0]), stack_of(image, table, 2).grids(crop(squares_of(table))), 2
    )

    np.testing.assert_allclose(values[0, 0], np.array([[0, 1], [32768 / 65535, 1 / 65535]]), atol=1e-6)


def test_twice_the_pixels_are_interpolated_between_neighbors() -> None:
    image, table = gradient(20, 30), regions((4, 6, 8, 10))

    values = sampled(stack_of(image, table, 8), crop(squares_of(table)), 8)

    # The first input pixel's center is at stored (4.25, 6.25), a quarter pixel left and above the center of (4, 6).
    assert values[0, 0, 0] == pytest.approx(100 * 3.75 + 10 * 5.75 + 1000, abs=0.05)


def test_outside_the_image_its_border_goes_on() -> None:
    image, table = gradient(10, 4), regions((-3, 0, 7, 10))

    values = sampled(stack_of(image, table, 10), crop(squares_of(table)), 10)

    np.testing.assert_allclose(values[0, 5], [1050] * 4 + [1150, 1250] + [1350] * 4, atol=0.02)


def test_a_flip_mirrors_left_and_right() -> None:
    image, table = gradient(20, 30), regions((4, 6, 12, 14))
    stack, onto = stack_of(image, table, 8), crop(squares_of(table))

    np.testing.assert_allclose(
        sampled(stack, compose(onto, flip(True)), 8), sampled(stack, onto, 8)[:, :, ::-1], atol=0.02
    )


def test_a_cut_region_gives_what_the_whole_image_gives() -> None:
    image = np.random.default_rng(0).integers(0, 65536, (90, 70)).astype(np.uint16)
    table = regions((20, 30, 36, 46), (50, 60, 80, 90), (-4, -4, 20, 20))
    augmentation = Augmentation.of_strength(1.0)
    views = augmentation.draw(np.random.default_rng(1), 3)
    onto = compose(crop(squares_of(table)), views.matrices)

    cut = sampled(stack_of(image, table, 16, augmentation.reach), onto, 16)
    whole = sampled(stack_of(image, table, 16, reach=50), onto, 16)

    np.testing.assert_allclose(cut, whole, atol=1)  # of 65535


def test_the_farthest_corner_of_any_view_lies_within_reach() -> None:
    strong = Augmentation.of_strength(1.0)
    corners = compose(shift_and_scale(strong.shift, strong.shift, np.exp(strong.scale)), rotation(strong.degrees))

    farthest = np.abs(corners[:, :2]) @ np.ones(2) + corners[:, 2]

    assert farthest.max() == pytest.approx(strong.reach)


def test_coarse_inputs_are_averages_and_not_single_pixels() -> None:
    image = (np.indices((256, 256)).sum(axis=0) % 2 * 65535).astype(np.uint16)  # a checkerboard
    table = regions((0, 0, 256, 256))

    values = sampled(stack_of(image, table, 32), crop(squares_of(table)), 32)

    np.testing.assert_allclose(values, 32767.5, atol=1)


@pytest.mark.parametrize("square", [(0, 0, 256, 256), (13, 29, 200, 216), (-30, -30, 226, 226)])
def test_averaging_shifts_nothing(square: tuple[float, float, float, float]) -> None:
    image, table = gradient(260, 250), regions(square)
    onto = crop(squares_of(table))

    coarse = sampled(stack_of(image, table, 32), onto, 32)[0]
    full = sampled(stack_of(image, table, 256), onto, 256)[0]

    inner = slice(6, -6)  # where the border is repeated, averages and samples differ
    np.testing.assert_allclose(
        coarse[inner, inner], cv2.resize(full, (32, 32), interpolation=cv2.INTER_AREA)[inner, inner], atol=8
    )


def test_regions_of_unequal_sizes_share_one_tensor() -> None:
    image, table = gradient(200, 100), regions((10, 10, 26, 26), (0, 0, 90, 90))

    stack = stack_of(image, table, 64)

    values = sampled(stack, crop(squares_of(table)), 64)
    assert values[0].mean() == pytest.approx(image[10:26, 10:26].mean(), rel=1e-3)
    assert values[1].mean() == pytest.approx(image[:90, :90].mean(), rel=1e-3)


def test_each_input_is_standardized_by_itself_unless_mean_and_std_are_given() -> None:
    inputs = torch.tensor([[0.0, 0.2], [0.4, 0.6]]).repeat(3, 1, 1, 1) * torch.tensor([1.0, 0.5, 0.0]).view(3, 1, 1, 1)

    itself = Normalization()(inputs)
    given = Normalization.of({"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)})(inputs)

    torch.testing.assert_close(itself[0], itself[1])
    assert float(itself[0].std()) == pytest.approx(1)
    assert float(itself[2].abs().max()) == 0
    torch.testing.assert_close(given, 2 * inputs - 1)


def test_three_means_make_three_channels_of_a_gray_image() -> None:
    source = {"mean": (0.1, 0.2, 0.3), "std": (0.5, 1.0, 2.0)}
    gray = torch.full((2, 1, 4, 4), 0.4)

    color, one = (Normalization.of(source, channels)(gray) for channels in (3, 1))

    assert color.shape == (2, 3, 4, 4)
    torch.testing.assert_close(color[0, :, 0, 0], torch.tensor([0.6, 0.2, 0.05]))
    torch.testing.assert_close(one, torch.full((2, 1, 4, 4), (0.4 - 0.2) / (3.5 / 3)))


def test_a_stack_says_where_its_pixels_are_and_how_many() -> None:
    image, table = gradient(600, 520), regions((0, 0, 512, 512), (0, 0, 512, 512))

    facts = stack_of(image, table, 512).facts()

    assert facts == {"where": "cpu", "megabytes": pytest.approx(2 * 514 * 514 * 2 / 2**20, abs=0.1)}


def test_pixels_stay_on_a_device_of_which_they_take_a_quarter_at_most() -> None:
    assert fits(needed=25, free=100)
    assert not fits(needed=26, free=100)


def test_gamma_bends_gray_values_and_never_leaves_numbers() -> None:
    inputs = torch.tensor([0.25, -1e-9, 1.0000001]).view(3, 1, 1, 1)

    bent = adjust(inputs, torch.tensor([0.5, 0.5, 2.0]))

    assert bent.flatten().tolist() == [0.5, 0.0, 1.0]


def test_no_augmentation_changes_nothing() -> None:
    views = Augmentation.of_strength(0.0).draw(np.random.default_rng(0), 4)

    assert np.array_equal(views.matrices, np.broadcast_to(np.eye(2, 3), (4, 2, 3)))
    assert np.array_equal(views.gamma, np.ones(4))
