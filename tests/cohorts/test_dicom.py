"""From DICOM bytes to gray values: the steps, their order and what is told of them."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from cohorts.dicom import read_dicom
from tests.cohorts.making import dicom, lut, ramp


def shown(**tags):
    """Values of a ramp 0..200 with the tags, as shares of the full range."""
    return read_dicom(dicom(ramp(200), **tags)).values / 65535


def test_a_plain_ramp_fills_the_range_between_its_percentiles():
    radiograph = read_dicom(dicom(ramp()))

    assert radiograph.window == "percentiles 0.5..99.5 (no VOI in the header)"
    assert radiograph.values.dtype == np.uint16
    assert (radiograph.values[0, 0], radiograph.values[-1, -1]) == (0, 65535)
    assert (np.diff(radiograph.values.ravel().astype(int)) >= 0).all()


def test_the_linear_window_follows_the_formula_of_the_standard():
    # PS3.3 C.11.2.1.2: ((x - (c - 0.5)) / (w - 1) + 0.5); c = 100.5 and w = 201 map 0..200 to 0..1.
    values = shown(WindowCenter=100.5, WindowWidth=201)

    np.testing.assert_allclose(values, ramp(200) / 200, atol=1e-5)


def test_rescale_comes_before_the_window():
    # 2 x - 100 spans -100..300; the window shows 0..200 of that, so stored 50 is black, 100 middle and 150 white.
    values = shown(RescaleSlope=2, RescaleIntercept=-100, WindowCenter=100.5, WindowWidth=201)

    np.testing.assert_allclose(values, np.clip((ramp(200) - 50.0) / 100, 0, 1), atol=1e-5)


def test_a_negative_slope_turns_the_gray_scale_around_once():
    values = shown(RescaleSlope=-1, RescaleIntercept=200, WindowCenter=100.5, WindowWidth=201)

    np.testing.assert_allclose(values, 1 - ramp(200) / 200, atol=1e-5)


@pytest.mark.parametrize(
    ("photometric", "shape"), [("MONOCHROME1", None), ("MONOCHROME2", "INVERSE"), ("MONOCHROME1", "INVERSE")]
)
def test_monochrome1_and_inverse_are_one_inversion(photometric, shape):
    tags = {"PresentationLUTShape": shape} if shape else {}
    radiograph = read_dicom(
        dicom(ramp(200), PhotometricInterpretation=photometric, WindowCenter=100.5, WindowWidth=201, **tags)
    )

    assert radiograph.inverted
    np.testing.assert_allclose(radiograph.values / 65535, 1 - ramp(200) / 200, atol=1e-5)


def test_identity_is_no_inversion():
    assert not read_dicom(dicom(ramp(), PresentationLUTShape="IDENTITY")).inverted


def test_the_voi_sequence_wins_over_the_window():
    entries = [min(300, 3 * value) for value in range(201)]
    radiograph = read_dicom(dicom(ramp(200), VOILUTSequence=lut(entries), WindowCenter=100.5, WindowWidth=201))

    assert radiograph.window == "VOI LUT"
    np.testing.assert_allclose(radiograph.values / 65535, np.minimum(ramp(200) / 100, 1), atol=1e-5)


def test_a_voi_table_of_8_bit_entries_does_not_wrap_at_256_stored_values():
    entries = [value // 16 for value in range(4096)]
    values = read_dicom(dicom(ramp(), VOILUTSequence=lut(entries, bits=8))).values

    np.testing.assert_allclose(values / 65535, (ramp() // 16) / 255, atol=1e-5)


def test_a_modality_table_of_12_bit_entries_is_applied_before_the_window():
    entries = [200 - value for value in range(201)]
    values = shown(ModalityLUTSequence=lut(entries, bits=12), WindowCenter=100.5, WindowWidth=201)

    np.testing.assert_allclose(values, 1 - ramp(200) / 200, atol=1e-5)


def test_values_beyond_a_table_get_its_last_entry():
    values = shown(ModalityLUTSequence=lut(list(range(101)), first=50), WindowCenter=50.5, WindowWidth=101)

    np.testing.assert_allclose(values, np.clip((ramp(200) - 50.0) / 100, 0, 1), atol=1e-5)


def test_the_first_of_several_windows_is_taken_and_told():
    radiograph = read_dicom(dicom(ramp(200), WindowCenter=[100.5, 10], WindowWidth=[201, 5]))

    assert radiograph.window == "window 100.5/201 LINEAR, first of 2"


def test_the_window_function_is_read_despite_its_spelling():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exact = shown(WindowCenter=100, WindowWidth=200, VOILUTFunction="linear_exact ")
    sigmoid = shown(WindowCenter=100, WindowWidth=200, VOILUTFunction="SIGMOID")

    np.testing.assert_allclose(exact, ramp(200) / 200, atol=1e-5)
    # PS3.3 C.11.2.1.3.1: 1 / (1 + exp(-4 (x - c) / w)); at x = 150 that is 1 / (1 + e^-1) = 0.73106.
    assert sigmoid[ramp(200) == 150][0] == pytest.approx(0.73106, abs=1e-4)


@pytest.mark.parametrize(
    ("center", "width", "reason"),
    [(60000, 100, "leaves 1 of 256 gray levels"), (2000, 409, "saturates 90% of the pixels"), (100, 0, "is unusable")],
)
def test_a_window_that_flattens_the_image_is_ignored_with_the_reason(center, width, reason):
    radiograph = read_dicom(dicom(ramp(), WindowCenter=center, WindowWidth=width))

    assert radiograph.window == f"percentiles 0.5..99.5 (window {center}/{width} LINEAR {reason})"
    assert len(np.unique(radiograph.values)) > 1000


def test_pixels_that_the_detector_saturated_do_not_speak_against_a_window():
    values = ramp(200)
    values[:24] = 0  # three quarters of the image are collimated
    radiograph = read_dicom(dicom(values, WindowCenter=150.5, WindowWidth=101))

    assert radiograph.window == "window 150.5/101 LINEAR"


def test_padding_counts_for_no_percentile_and_becomes_black():
    values = ramp(1000) + np.uint16(100)
    values[:16] = 4000
    radiograph = read_dicom(dicom(values, PixelPaddingValue=4000))

    assert radiograph.window.endswith("; padding masked")
    assert (radiograph.values[:16] == 0).all()
    assert radiograph.values[-1, -1] == 65535


def test_a_padding_range_is_masked_between_both_limits():
    values = ramp(1000)
    radiograph = read_dicom(dicom(values, PixelPaddingValue=900, PixelPaddingRangeLimit=2000))

    assert (radiograph.values[values >= 900] == 0).all()
    assert radiograph.values[values == 890][0] > 64000


def test_overlay_bits_above_the_stored_bits_are_masked():
    clean, overlaid = ramp(), ramp()
    overlaid[::2] |= 0x8000

    np.testing.assert_array_equal(read_dicom(dicom(overlaid)).values, read_dicom(dicom(clean)).values)


def test_values_at_the_top_of_their_word_are_shifted_down():
    shifted = read_dicom(dicom(ramp() << 4, HighBit=15)).values

    np.testing.assert_array_equal(shifted, read_dicom(dicom(ramp())).values)


def test_signed_values_keep_their_order():
    signed = (ramp().astype(np.int32) - 2048).astype(np.int16)

    np.testing.assert_array_equal(read_dicom(dicom(signed)).values, read_dicom(dicom(ramp())).values)


def test_eight_bits_are_read():
    assert read_dicom(dicom(ramp(255).astype(np.uint8), bits=8)).values[-1, -1] == 65535


def test_a_constant_image_is_black_and_says_so():
    radiograph = read_dicom(dicom(np.full((8, 8), 7, np.uint16), WindowCenter=100, WindowWidth=200))

    assert radiograph.window.endswith("the image is constant")
    assert not radiograph.values.any()


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_every_way_of_writing_the_header_gives_the_same_values(syntax):
    radiograph = read_dicom(dicom(ramp(), syntax=syntax))

    assert radiograph.transfer_syntax == syntax
    np.testing.assert_array_equal(radiograph.values, read_dicom(dicom(ramp())).values)


def test_a_file_without_preamble_is_read():
    preamble = 132
    data = dicom(ramp(), syntax=ImplicitVRLittleEndian)
    meta = 12 + int.from_bytes(data[140:144], "little")

    assert read_dicom(data[preamble + meta :]).values.shape == (32, 64)


@pytest.mark.parametrize(
    ("tags", "spacing", "source"),
    [
        ({"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.1, 0.1]}, 0.2, "PixelSpacing"),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.1, 0.1]}, 0.1, "ImagerPixelSpacing"),
        ({"NominalScannedPixelSpacing": [0.3, 0.3]}, 0.3, "NominalScannedPixelSpacing"),
        ({"PixelSpacing": [0.1, 0.4]}, 0.2, "PixelSpacing"),
        ({"PixelSpacing": [0, 0]}, None, "none"),
        ({}, None, "none"),
    ],
)
def test_spacing_comes_from_the_first_tag_above_zero(tags, spacing, source):
    radiograph = read_dicom(dicom(ramp(), **tags))

    assert radiograph.spacing_source == source
    assert radiograph.spacing_mm == (None if spacing is None else pytest.approx(spacing))


@pytest.mark.parametrize(("written", "years"), [("052Y", 52), ("006M", 0.5), ("52", 52), ("unknown", None), ("", None)])
def test_ages_are_years(written, years):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = dicom(ramp(), PatientAge=written)

    assert read_dicom(data).age == years


def test_nothing_that_names_a_patient_leaves_the_header():
    radiograph = read_dicom(dicom(ramp(), ViewPosition="AP", PatientSex="F", InstitutionName="Jane's hospital"))

    told = {name: value for name, value in vars(radiograph).items() if name != "values"}
    assert (told["view"], told["sex"]) == ("AP", "F")
    assert "Jane" not in str(told)
    assert "4711" not in str(told)


def test_free_text_in_a_code_is_dropped():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = dicom(ramp(), ViewPosition="ap of mrs. Doe; left knee", PatientSex="female")

    assert (read_dicom(data).view, read_dicom(data).sex) == (None, None)


def test_reading_a_strange_header_warns_of_nothing(caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = dicom(ramp(), PatientAge="Jane, 52 years")
    caplog.clear()
    with warnings.catch_warnings(), caplog.at_level(logging.DEBUG):
        warnings.simplefilter("error")
        read_dicom(data)

    assert "Jane" not in caplog.text
