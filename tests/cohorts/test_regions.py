"""Regions and their affine matrices, with numbers by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cohorts.regions import (
    compose,
    crop,
    flip,
    invert,
    reduction,
    region_table,
    rotation,
    shift_and_scale,
    squares_of,
    transform,
)

CORNERS = np.array([[-1.0, -1.0], [1.0, 1.0]])


def images(*names: str, height: int = 200, width: int = 100) -> pl.DataFrame:
    return pl.DataFrame({"image": names, "patient": names, "center": "a", "height": height, "width": width})


def boxes(*rows: tuple[str, int, float, float, float, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["image", "box", "x0", "y0", "x1", "y1"], orient="row")


def test_a_whole_image_is_one_square_that_holds_its_longer_side() -> None:
    regions = region_table(images("i"), None, region="image", margin=0.2)

    assert regions["region"].to_list() == [-1]
    assert squares_of(regions).tolist() == [[-50.0, 0.0, 150.0, 200.0]]


def test_a_box_grows_by_its_margin_and_becomes_square_around_its_center() -> None:
    regions = region_table(images("i"), boxes(("i", 0, 10, 20, 30, 60)), region="box", margin=0.25)

    assert squares_of(regions).tolist() == [[-10.0, 10.0, 50.0, 70.0]]  # 40 high, 60 with margins, about (20, 40)


def test_every_box_is_a_region_and_order_does_not_depend_on_the_rows() -> None:
    table = boxes(("j", 1, 0, 0, 5, 5), ("i", 0, 0, 0, 5, 5), ("j", 0, 1, 1, 5, 5))

    regions = region_table(images("j", "i"), table, region="box", margin=0)

    assert regions.select("image", "region").rows() == [("i", 0), ("j", 0), ("j", 1)]


def test_an_image_without_a_box_is_named() -> None:
    with pytest.raises(ValueError, match="1 of 2 images have no box, the first is 'j'"):
        region_table(images("i", "j"), boxes(("i", 0, 0, 0, 5, 5)), region="box", margin=0)


def test_an_empty_box_is_named() -> None:
    with pytest.raises(ValueError, match="Box 3 of image 'i' is empty"):
        region_table(images("i"), boxes(("i", 3, 5, 0, 5, 5)), region="box", margin=0)


def test_box_regions_without_a_box_table_are_refused() -> None:
    with pytest.raises(ValueError, match="given none"):
        region_table(images("i"), None, region="box", margin=0)


def test_a_crop_lays_the_edges_of_the_input_on_the_square() -> None:
    corners = transform(crop(np.array([10.0, 20.0, 30.0, 60.0])), CORNERS)

    assert corners.tolist() == [[10.0, 20.0], [30.0, 60.0]]


def test_a_shift_is_a_share_of_the_side_and_a_scale_widens_the_window() -> None:
    matrix = compose(crop(np.array([0.0, 0.0, 100.0, 100.0])), shift_and_scale(0.1, -0.2, 1.5))

    np.testing.assert_allclose(transform(matrix, CORNERS), [[-15.0, -45.0], [135.0, 105.0]])


def test_a_flip_exchanges_left_and_right_only_where_asked() -> None:
    left_top = transform(flip(np.array([True, False])), CORNERS)[:, 0]

    assert left_top.tolist() == [[1.0, -1.0], [-1.0, -1.0]]


def test_a_quarter_turn_takes_right_to_below() -> None:
    turned = transform(rotation(90.0), np.array([[1.0, 0.0], [0.0, 1.0]]))

    np.testing.assert_allclose(turned, [[0.0, 1.0], [-1.0, 0.0]], atol=1e-12)


def test_the_last_of_composed_matrices_is_applied_first() -> None:
    point = np.array([[1.0, 0.0]])
    quarter, shift = rotation(90.0), shift_and_scale(0.5, 0.0, 1.0)

    np.testing.assert_allclose(transform(compose(quarter, shift), point), [[0.0, 2.0]], atol=1e-12)
    np.testing.assert_allclose(transform(compose(shift, quarter), point), [[1.0, 1.0]], atol=1e-12)


def test_one_crop_composes_with_many_jitters() -> None:
    matrices = compose(crop(np.array([[0.0, 0.0, 10.0, 10.0]] * 3)), shift_and_scale(np.zeros(3), np.zeros(3), 1.0))

    assert matrices.shape == (3, 2, 3)


def test_an_inverse_leads_back_to_the_network() -> None:
    matrix = compose(crop(np.array([3.0, 4.0, 33.0, 34.0])), rotation(20.0), shift_and_scale(0.1, 0.3, 0.7), flip(True))

    np.testing.assert_allclose(transform(invert(matrix), transform(matrix, CORNERS)), CORNERS, atol=1e-12)


@pytest.mark.parametrize(("side", "factor"), [(32, 1), (64, 1), (128, 1), (129, 2), (256, 4), (300, 4), (512, 8)])
def test_more_than_two_pixels_per_input_pixel_are_averaged_first(side: int, factor: int) -> None:
    assert reduction(side, 64) == factor
