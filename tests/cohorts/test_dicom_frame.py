"""Transfer syntaxes, and the files that go to quarantine instead."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.uid import RLELossless

from cohorts.dicom import read_dicom
from cohorts.radiograph import UnreadableError
from tests.cohorts.making import ENCODERS, HTJ2K, JPEG_2000, JPEG_EXTENDED, JPEG_LOSSLESS, JPEG_LS, dicom, ramp

LOSSLESS = [RLELossless, JPEG_LOSSLESS, JPEG_LS, JPEG_2000, HTJ2K]


def reason(data: bytes) -> str:
    with pytest.raises(UnreadableError) as caught:
        read_dicom(data)
    assert "Doe" not in str(caught.value)
    assert "Jane" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_streams_give_the_uncompressed_values(syntax):
    radiograph = read_dicom(dicom(ramp(), syntax=syntax))

    assert radiograph.transfer_syntax == syntax
    np.testing.assert_array_equal(radiograph.values, read_dicom(dicom(ramp())).values)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG_2000])
def test_signed_compressed_values_keep_their_order(syntax):
    signed = (ramp().astype(np.int32) - 2048).astype(np.int16)

    np.testing.assert_array_equal(read_dicom(dicom(signed, syntax=syntax)).values, read_dicom(dicom(ramp())).values)


def test_signed_values_in_jpeg_lossless_are_two_s_complement_of_the_stored_bits():
    signed = (ramp().astype(np.int32) - 2048).astype(np.int16)
    frame = ENCODERS[JPEG_LOSSLESS](signed.view(np.uint16) & np.uint16(4095))

    values = read_dicom(dicom(signed, syntax=JPEG_LOSSLESS, frame=frame)).values

    np.testing.assert_array_equal(values, read_dicom(dicom(ramp())).values)


def test_twelve_bit_jpeg_is_read_to_within_its_loss():
    values = read_dicom(dicom(ramp(), syntax=JPEG_EXTENDED)).values.astype(int)

    assert np.abs(values - read_dicom(dicom(ramp())).values).max() < 16 * 4


@pytest.mark.parametrize("syntax", [JPEG_LOSSLESS, JPEG_LS, JPEG_2000, HTJ2K])
def test_a_truncated_stream_is_refused_although_decoders_would_fill_it(syntax):
    values = np.random.default_rng(0).integers(0, 4096, (64, 64)).astype(np.uint16)
    frame = ENCODERS[syntax](values)

    assert reason(dicom(values, syntax=syntax, frame=frame[: len(frame) // 2])).startswith("truncated: the ")


def test_a_file_cut_short_is_refused():
    data = dicom(ramp())

    assert reason(data[:-1000]) == "truncated: 3096 of 4096 bytes of pixel data"


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_a_compressed_file_cut_short_is_refused(syntax):
    values = np.random.default_rng(0).integers(0, 4096, (64, 64)).astype(np.uint16)
    data = dicom(values, syntax=syntax)

    assert reason(data[: len(data) * 2 // 3]) == "truncated: the file ends within its pixel data"


@pytest.mark.parametrize("syntax", [RLELossless, JPEG_LOSSLESS, JPEG_LS, JPEG_2000, HTJ2K])
def test_a_broken_stream_is_refused(syntax):
    noise = np.random.default_rng(0).bytes(400) + b"\xff\xd9"

    assert reason(dicom(ramp(), syntax=syntax, frame=noise)).startswith("corrupt: the pixel data (")


def test_a_stream_of_another_size_than_the_header_says_is_refused():
    frame = ENCODERS[JPEG_LS](ramp(height=16))

    assert reason(dicom(ramp(), syntax=JPEG_LS, frame=frame)).startswith("corrupt: ")


def test_a_tiny_file_that_claims_a_huge_image_is_refused_before_decoding():
    assert reason(dicom(ramp(), Rows=65535, Columns=65535)).startswith("too large: 65535 x 65535 x 1 x 1 values")


def test_several_frames_are_refused():
    assert reason(dicom(ramp(), NumberOfFrames=96)) == "multi-frame: 96 frames, only single radiographs are read"


def test_one_declared_frame_is_an_image():
    assert read_dicom(dicom(ramp(), NumberOfFrames=1)).values.shape == (32, 64)


def test_equal_color_channels_are_gray():
    gray = ramp(255).astype(np.uint8)
    radiograph = read_dicom(dicom(np.stack([gray] * 3, axis=2), bits=8))

    assert radiograph.window == "8 bits as stored; three equal channels"
    np.testing.assert_array_equal(radiograph.values, gray * np.uint16(257))


def test_color_is_refused():
    color = np.stack([ramp(255)] * 3, axis=2).astype(np.uint8)
    color[3, 3, 1] ^= 1

    assert reason(dicom(color, bits=8)).startswith("color: ")


def test_a_palette_is_refused():
    assert reason(dicom(ramp(), PhotometricInterpretation="PALETTE COLOR")).startswith("color: ")


@pytest.mark.parametrize("tags", [{"BitsStored": 0}, {"BitsStored": 17}, {"BitsAllocated": 32, "BitsStored": 32}])
def test_other_bit_depths_are_refused(tags):
    assert reason(dicom(ramp(), **tags)).startswith("unsupported: ")


def test_a_header_without_pixels_is_refused():
    assert reason(dicom(ramp(), PixelData=None)).startswith("no pixels: ")


def test_a_file_that_is_no_image_is_refused():
    assert reason(b"Doe^Jane, just a text").startswith("not an image: ")
    assert reason(b"").startswith("not an image: ")
    assert reason(dicom(ramp(), Rows=None)).startswith("not an image: ")


def test_a_dicomdir_is_refused():
    assert reason(dicom(ramp(), SOPClassUID="1.2.840.10008.1.3.10")) == "not an image: the file is a DICOMDIR"


def test_a_private_transfer_syntax_is_refused():
    known = b"1.2.840.10008.1.2.1\0"

    assert reason(dicom(ramp()).replace(known, b"1.2.3.4".ljust(len(known), b"\0"))).startswith("unsupported: ")


def test_random_damage_never_raises_anything_else():
    data = bytearray(dicom(ramp(height=8, width=8), syntax=JPEG_LS, WindowCenter=5, WindowWidth=9, PixelSpacing=[1, 1]))
    generator = np.random.default_rng(0)
    refused = []
    for _ in range(200):
        damaged = bytearray(data)
        for place in generator.integers(132, len(data), 3):
            damaged[place] = generator.integers(256)
        try:
            read_dicom(bytes(damaged))
        except UnreadableError as error:
            refused.append(str(error))

    assert refused
    assert "Doe" not in str(refused)
