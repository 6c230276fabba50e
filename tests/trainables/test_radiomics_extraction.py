"""Radiomic features of one region."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from trainables.radiomics.extraction import UnmeasurableRegionError, crop, measure, standardize


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 60000, (height, width)).astype(np.uint16)


CHECKERBOARD = (np.indices((4, 4)).sum(axis=0) % 2 * 1000).astype(np.uint16)


def test_a_box_takes_every_pixel_that_it_touches():
    image = np.arange(80).reshape(10, 8)

    assert np.array_equal(crop(image, (1.2, 2.0, 4.0, 5.5), 0.0), image[2:6, 1:4])


def test_a_margin_is_a_share_of_the_box_and_ends_at_the_image():
    image = np.arange(80).reshape(10, 8)

    # 4 wide and 2 high: 2 pixels are added left and right, 1 above and below; the image ends at x = 8.
    assert np.array_equal(crop(image, (3.0, 4.0, 7.0, 6.0), 0.5), image[3:7, 1:8])


@pytest.mark.parametrize("box", [(2, 2, 4, 9), (2, 2, 9, 4), (20, 20, 30, 30), (-9, 0, 2, 8)])
def test_a_box_below_three_pixels_inside_the_image_is_unmeasurable(box):
    with pytest.raises(UnmeasurableRegionError, match="at least 3 x 3"):
        crop(np.zeros((10, 10)), box, 0.0)


def test_gray_levels_get_mean_300_and_deviation_100():
    levels = standardize(noise(20, 30))

    assert levels.mean() == pytest.approx(300)
    assert levels.std() == pytest.approx(100)


def test_an_outlier_ends_at_three_deviations():
    region = noise(20, 20) // 100
    region[3, 3] = 60000

    assert standardize(region).max() == 600


def test_a_constant_region_is_unmeasurable():
    with pytest.raises(UnmeasurableRegionError, match="all pixels are equal"):
        measure(np.full((20, 20), 7, dtype=np.uint16))


@pytest.mark.slow
def test_features_of_a_checkerboard_agree_with_a_calculation_by_hand():
    features = measure(CHECKERBOARD)

    assert features["stat_min"] == pytest.approx(200)  # half of the pixels one deviation below
    assert features["stat_max"] == pytest.approx(400)
    assert features["ih_entropy_fbn_n32"] == pytest.approx(1.0)  # two equally frequent levels: one bit
    # Neighbors: 12 + 12 side by side differ by 31 bins, 9 + 9 diagonal ones are equal.
    assert features["cm_contrast_d1_2d_s_mrg_fbn_n32"] == pytest.approx(24 / 42 * 31**2)
    # Runs in 4 directions: 16 + 16 single pixels, 7 + 7 diagonals, of 4 x 16 possible.
    assert features["rlm_r_perc_2d_s_mrg_fbn_n32"] == pytest.approx(46 / 64)
    assert features["szm_z_perc_2d_fbn_n32"] == pytest.approx(2 / 16)  # diagonals join: two zones


@pytest.mark.slow
def test_features_do_not_depend_on_exposure():
    region = noise(12, 12) // 4

    darker, brighter = measure(region), measure(region * 2 + 128)

    assert brighter == pytest.approx(darker, rel=1e-6)


def test_names_and_order_of_features_stay_as_published_models_know_them():
    names = list(measure(CHECKERBOARD))

    assert len(names) == 120
    assert names[0] == "stat_mean"
    assert names[-1] == "ngl_dc_energy_d1_a0.0_2d_fbn_n32"
    assert hashlib.sha256(" ".join(names).encode()).hexdigest()[:12] == "f261706d56e1"


def test_measuring_prints_nothing_and_leaves_the_root_logger_alone(capfd):
    root = logging.getLogger()
    before = root.level, list(root.handlers)

    measure(CHECKERBOARD)

    assert (root.level, list(root.handlers)) == before
    assert capfd.readouterr().out == ""


@pytest.mark.radiographs
def test_every_box_of_the_real_chest_films_has_finite_features():
    boxes = pl.read_csv(real_films() / "nih" / "boxes.csv")

    for file, x, y, width, height in boxes.select("file", "x", "y", "width", "height").iter_rows():
        film = cv2.imread(str(real_films() / "nih" / file), cv2.IMREAD_GRAYSCALE)
        features = measure(crop(film, (x, y, x + width, y + height), 0.0))

        assert np.isfinite(list(features.values())).all()


def real_films() -> Path:
    if "OSTEOGRID_RADIOGRAPHS" not in os.environ:
        pytest.skip("OSTEOGRID_RADIOGRAPHS names no folder of real radiographs")
    return Path(os.environ["OSTEOGRID_RADIOGRAPHS"])
