from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cohorts.phantom.acquisition import expose, quantize
from cohorts.phantom.centers import TABLE
from cohorts.phantom.knee import Film, View, draw_anatomy, render_knee
from cohorts.phantom.lesions import Box, Label, add_lesion, draw_lesion
from cohorts.phantom.noise import NoisePool, generator, noise_pool
from cohorts.phantom.patient import draw_patient, take_radiograph
from search_spaces.study import Phantom

HEIGHT = 96
POOL = NoisePool(0, HEIGHT)


def film(number: int, view: View = "AP") -> Film:
    rng = generator(7, number)
    return render_knee(draw_anatomy(rng), view, HEIGHT, rng, POOL)


def with_lesion(number: int, label: Label, difficulty: float = 0.0) -> tuple[Film, Film, Box]:
    before, after = film(number), film(number)
    rng = generator(8, number)
    box = add_lesion(after, draw_lesion(rng, label, difficulty), rng, POOL)
    return before, after, box


@pytest.mark.parametrize("label", ["malignant", "benign"])
@pytest.mark.parametrize("number", range(8))
def test_the_box_holds_nearly_all_that_the_lesion_changed(label: Label, number: int) -> None:
    before, after, box = with_lesion(number, label)

    change = np.abs(after.attenuation - before.attenuation)

    inside = change[box.y0 : box.y1, box.x0 : box.x1]
    assert inside.sum() > 0.85 * change.sum()
    assert inside.mean() > 0.02


@pytest.mark.parametrize("number", range(8))
def test_a_benign_lesion_stays_inside_its_bone_unless_it_looks_aggressive(number: int) -> None:
    before, after = film(number), film(number)
    lesion = replace(draw_lesion(generator(8, number), "benign", 0.0), reaction=0.0)

    add_lesion(after, lesion, generator(9, number), POOL)

    changed = np.abs(after.attenuation - before.attenuation) > 1e-6
    assert not (changed & (after.bones[lesion.bone].depth <= 0)).any()


def test_difficulty_makes_lesions_fainter() -> None:
    contrast = [draw_lesion(generator(1), "malignant", difficulty).contrast for difficulty in (0, 0.5, 1)]

    assert contrast[0] == 1
    assert contrast[0] > contrast[1] > contrast[2] > 0.3


def test_signs_separate_the_classes_and_overlap_more_with_difficulty() -> None:
    def gap(difficulty: float) -> float:
        moth = {
            label: np.mean([draw_lesion(generator(2, n), label, difficulty).moth for n in range(200)])
            for label in ("malignant", "benign")
        }
        return float(moth["malignant"] - moth["benign"])

    assert gap(0) > 0.6
    assert 0.05 < gap(1) < gap(0.5) < gap(0)


def test_both_views_of_a_patient_show_the_lesion_at_the_same_height() -> None:
    spec = Phantom(patients=40, height=HEIGHT)
    two = [patient for n in range(1, 40) if len((patient := draw_patient(spec, 0, n, "benign")).views) == 2]

    for patient in two:
        front, side = (take_radiograph(spec, 0, patient, view).box for view in ("AP", "LAT"))

        assert front is not None
        assert side is not None
        assert abs((front.y0 + front.y1) - (side.y0 + side.y1)) / 2 < 0.1 * HEIGHT


def test_a_film_larger_than_the_anatomy_is_drawn_has_its_box_enlarged_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cohorts.phantom.patient._LARGEST_RENDERED", 128)
    small, large = Phantom(height=128), Phantom(height=256)
    patient = draw_patient(small, 0, 1, "benign")

    first, second = take_radiograph(small, 0, patient, "AP"), take_radiograph(large, 0, patient, "AP")

    assert second.stored.shape == (256, 192)
    assert first.box is not None
    assert second.box is not None
    assert (second.box.x0, second.box.y1) == (2 * first.box.x0, 2 * first.box.y1)


def test_bone_is_brighter_than_tissue_and_tissue_than_air() -> None:
    knee = film(3)
    picture = expose(knee.attenuation, TABLE[0].detector, generator(1))
    bone = knee.bones["femur"].depth > 5
    air = knee.attenuation < 0.05
    tissue = ~air & ~np.any([part.depth > 0 for part in knee.bones.values()], axis=0)

    assert picture[bone].mean() > picture[tissue].mean() + 0.2
    assert picture[tissue].mean() > picture[air].mean() + 0.05


def test_monochrome1_stores_the_complement() -> None:
    picture = np.array([[0.0, 0.25, 1.0]], np.float32)

    assert quantize(picture, 10, inverted=False).tolist() == [[0, 256, 1023]]
    assert quantize(picture, 10, inverted=True).tolist() == [[1023, 767, 0]]


def test_noise_fields_have_mean_zero_and_variance_one_as_a_whole() -> None:
    tile = noise_pool(0, 128).trabeculae(generator(1), (128, 128))

    assert float(tile.mean()) == pytest.approx(0, abs=1e-4)
    assert float(tile.std()) == pytest.approx(1, abs=1e-4)


def test_noise_does_not_depend_on_what_was_drawn_before() -> None:
    fresh, used = NoisePool(5, 96), NoisePool(5, 96)
    used.tissue(generator(1), (96, 72))

    np.testing.assert_array_equal(fresh.holes(generator(2), (20, 20)), used.holes(generator(2), (20, 20)))
