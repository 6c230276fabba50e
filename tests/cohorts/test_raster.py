"""PNG and JPEG files: bit depth, color, damage."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from cohorts.radiograph import UnreadableError
from cohorts.raster import read_raster
from tests.cohorts.making import radiograph, ramp


def encoded(values, kind=".png", *options):
    return cv2.imencode(kind, values, list(options))[1].tobytes()


def reason(data: bytes) -> str:
    with pytest.raises(UnreadableError) as caught:
        read_raster(data)
    return str(caught.value)


def test_eight_bits_are_spread_over_the_full_range():
    image = read_raster(encoded(np.array([[0, 1], [128, 255]], np.uint8)))

    assert image.values.tolist() == [[0, 257], [128 * 257, 65535]]
    assert (image.window, image.transfer_syntax, image.inverted) == ("8 bits x 257", "PNG", False)


def test_sixteen_bits_stay_as_they_are():
    np.testing.assert_array_equal(read_raster(encoded(ramp())).values, ramp())


def test_a_gray_jpeg_is_read():
    image = read_raster(encoded(radiograph(0), ".jpg"))

    assert (image.values.shape, image.transfer_syntax) == ((40, 30), "JPEG")


def test_equal_channels_are_gray():
    gray = radiograph(0)
    image = read_raster(encoded(np.stack([gray] * 3, axis=2)))

    np.testing.assert_array_equal(image.values, gray * np.uint16(257))
    assert image.window == "8 bits x 257; three equal channels"


def test_a_faint_tint_becomes_luminance_and_is_told():
    tinted = np.full((8, 8, 3), 100, np.uint8)
    tinted[..., 0] = 110  # blue counts 0.114: 100 + 1.14

    image = read_raster(encoded(tinted))

    assert image.values[0, 0] == 101 * 257
    assert image.window == "8 bits x 257; luminance of a faint tint (10 of 255)"


def test_color_is_refused():
    color = np.full((8, 8, 3), 100, np.uint8)
    color[2, 3] = (0, 0, 255)

    assert reason(encoded(color)).startswith("color: ")


def test_transparency_is_refused_unless_there_is_none():
    opaque = np.full((8, 8, 4), 255, np.uint8)
    assert read_raster(encoded(opaque)).values[0, 0] == 65535

    opaque[0, 0, 3] = 0
    assert reason(encoded(opaque)).startswith("color: ")


@pytest.mark.parametrize("kind", [".png", ".jpg"])
def test_a_truncated_file_is_refused_although_decoders_would_fill_it(kind):
    data = encoded(np.random.default_rng(0).integers(0, 256, (80, 80)).astype(np.uint8), kind)

    assert reason(data[: len(data) // 2]).startswith("truncated: ")


def test_damaged_pixels_are_refused():
    data = bytearray(encoded(np.random.default_rng(0).integers(0, 256, (80, 80)).astype(np.uint8)))
    data[60:2000] = bytes(1940)

    assert reason(bytes(data)).startswith("corrupt: ")


def test_a_tiny_file_that_claims_a_huge_image_is_refused_before_decoding():
    header = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + b"IEND"

    assert reason(data) == "too large: 60000 x 60000 pixels, at most 200000000 values are read"


def test_the_rotation_flag_is_ignored_as_boxes_do():
    values = radiograph(0)
    plain = encoded(values, ".jpg")
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    rotated = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:]

    np.testing.assert_array_equal(read_raster(rotated).values, read_raster(plain).values)
