"""PNG and JPEG files: 8 or 16 bits, scaled to the full range by the bit depth of the file."""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np

from cohorts.radiograph import FULL, MAX_VALUES, Pixels, Radiograph, UnreadableError

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"

CHROMA_TOLERANCE = 16
"""Largest difference between color channels, of 255, that still counts as a gray image with a faint tint."""

Raw = np.ndarray[Any, Any]


def read_raster(data: bytes) -> Radiograph:
    """A PNG or JPEG as gray values; color images raise UnreadableError. Rotation flags are ignored, as boxes do."""
    kind = "PNG" if data.startswith(PNG) else "JPEG"
    height, width, samples = _png_size(data) if kind == "PNG" else _jpeg_size(data)
    if height * width * samples > MAX_VALUES:
        raise UnreadableError("too large", f"{width} x {height} pixels, at most {MAX_VALUES} values are read")
    _check_end(data, kind)
    try:
        raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        raw = None
    if raw is None:
        raise UnreadableError("corrupt", f"the {kind} cannot be decoded")
    gray, note = to_gray(raw)
    values, scaling = _full_range(gray)
    return Radiograph(values=values, window=scaling + note, transfer_syntax=kind)


def to_gray(raw: Raw, tolerance: int = CHROMA_TOLERANCE) -> tuple[Raw, str]:
    """One channel of a gray, BGR or BGRA image, and a note of what was done.

    Equal channels are gray; a tint up to `tolerance` (of 255) gives the luminance; more raises UnreadableError.
    """
    if raw.ndim == 2:
        return raw, ""
    if raw.shape[2] == 4:
        if (raw[..., 3] != np.iinfo(raw.dtype).max).any():
            raise UnreadableError("color", "the image is partly transparent")
        raw = np.ascontiguousarray(raw[..., :3])
    spread = int((raw.max(axis=2) - raw.min(axis=2)).max())
    if spread == 0:
        return raw[..., 0], "; three equal channels"
    levels = np.iinfo(raw.dtype).max / 255
    if spread > tolerance * levels:
        raise UnreadableError("color", "the color channels differ, only gray images are read")
    return cv2.cvtColor(raw, cv2.COLOR_BGR2GRAY), f"; luminance of a faint tint ({spread / levels:.0f} of 255)"


def _full_range(gray: Raw) -> tuple[Pixels, str]:
    if gray.dtype == np.uint8:
        return gray.astype(np.uint16) * (FULL // 255), "8 bits x 257"
    if gray.dtype == np.uint16:
        return gray, "16 bits as stored"
    raise UnreadableError("unsupported", f"values of type {gray.dtype}, 8 and 16 bits are read")


def _png_size(data: bytes) -> tuple[int, int, int]:
    if len(data) < 26 or data[12:16] != b"IHDR":
        raise UnreadableError("corrupt", "the PNG has no header")
    width, height, _, color = struct.unpack(">IIBB", data[16:26])
    return height, width, {0: 1, 4: 2, 6: 4}.get(color, 3)


def _jpeg_size(data: bytes) -> tuple[int, int, int]:
    """Height, width and components from the first start-of-frame segment."""
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width, components = struct.unpack(">HHB", data[at + 5 : at + 10])
            return height, width, components
        at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])
    raise UnreadableError("corrupt", "the JPEG has no frame header")


def _check_end(data: bytes, kind: str) -> None:
    """Decoders fill a truncated file with gray or black and say nothing."""
    end = b"IEND" if kind == "PNG" else b"\xff\xd9"
    if end not in data[-4096:]:
        raise UnreadableError("truncated", f"the {kind} ends before its end marker")
