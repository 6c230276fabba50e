"""DICOM files: from bytes to gray values over the full range, and the few facts that may leave a header."""

from __future__ import annotations

import logging
import math
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pydicom
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from cohorts.dicom_frame import stored_levels
from cohorts.dicom_window import gray_values
from cohorts.radiograph import FULL, MAX_VALUES, Radiograph, UnreadableError
from cohorts.raster import to_gray

MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


def read_dicom(data: bytes) -> Radiograph:
    """Modality LUT or rescale, then VOI, then polarity; raises UnreadableError with a reason free of patient data."""
    with _quiet():
        try:
            return _radiograph(_header(data))
        except (UnreadableError, MemoryError):
            raise
        except Exception as error:
            # A damaged header fails in as many ways as it has elements; the text may hold a name, the type does not.
            raise UnreadableError("corrupt", f"the DICOM header cannot be read ({type(error).__name__})") from None


def _radiograph(header: Any) -> Radiograph:
    _check_header(header)
    levels = stored_levels(header)
    if levels.index.ndim == 3:
        gray, note = to_gray(levels.index, tolerance=0)
        values = (gray.astype("uint32") * FULL // (2**levels.bits - 1)).astype("uint16")
        window, inverted = f"{levels.bits} bits as stored{note}", False
    else:
        values, window, inverted = gray_values(levels, header)
    spacing, source = _spacing(header)
    return Radiograph(
        values=values,
        window=window,
        transfer_syntax=str(header.file_meta.TransferSyntaxUID),
        inverted=inverted,
        spacing_mm=spacing,
        spacing_source=source,
        view=_code(header, "ViewPosition", r"[A-Z0-9 _-]{1,16}"),
        age=_age(header),
        sex=_code(header, "PatientSex", r"[MFO]"),
    )


def _header(data: bytes) -> Any:
    if data[128:132] == b"DICM" and DeflatedExplicitVRLittleEndian.encode() in data[132:1024]:
        _check_deflated(data)
    header = pydicom.dcmread(BytesIO(data), force=True)
    if (
        header.get("SOPClassUID") == MEDIA_DIRECTORY
        or header.file_meta.get("MediaStorageSOPClassUID") == MEDIA_DIRECTORY
    ):
        raise UnreadableError("not an image", "the file is a DICOMDIR")
    if data[128:132] == b"DICM" and not header and pydicom.dcmread(BytesIO(data), stop_before_pixels=True).get("Rows"):
        raise UnreadableError("truncated", "the file ends within its pixel data")
    if "SOPClassUID" not in header or not header.get("Rows") or not header.get("Columns"):
        raise UnreadableError("not an image", "no PNG, JPEG or DICOM image (SOPClassUID, Rows and Columns)")
    if "TransferSyntaxUID" not in header.file_meta:
        implicit, little = header.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return header


def _check_deflated(data: bytes) -> None:
    """The header of a deflated file is compressed too, so its promises cannot be read before the damage is done."""
    group_length = int.from_bytes(data[140:144], "little")  # of the file meta group, which begins at 132
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflater.decompress(data[144 + group_length :], 2 * MAX_VALUES)
    if inflater.unconsumed_tail:
        raise UnreadableError("too large", f"the deflated file holds more than {2 * MAX_VALUES} bytes")


def _check_header(header: Any) -> None:
    frames, samples = int(header.get("NumberOfFrames") or 1), int(header.get("SamplesPerPixel") or 1)
    rows, columns = int(header.Rows), int(header.Columns)
    photometric = str(header.get("PhotometricInterpretation", "")).strip()
    if rows * columns * frames * samples > MAX_VALUES:
        raise UnreadableError(
            "too large", f"{columns} x {rows} x {frames} x {samples} values, at most {MAX_VALUES} are read"
        )
    if frames > 1:
        raise UnreadableError("multi-frame", f"{frames} frames, only single radiographs are read")
    if photometric == "PALETTE COLOR":
        raise UnreadableError("color", "a color palette, only gray images are read")
    is_gray = photometric in ("MONOCHROME1", "MONOCHROME2") and samples == 1
    is_color = (photometric == "RGB" or photometric.startswith("YBR_")) and samples == 3
    if not is_gray and not is_color:
        raise UnreadableError(
            "unsupported", f"photometric interpretation and {samples} samples do not fit a radiograph"
        )
    if header.get("BitsAllocated") not in (8, 16) or not 1 <= int(header.get("BitsStored", 0)) <= header.BitsAllocated:
        raise UnreadableError("unsupported", "bits per value, 1 to 16 stored in 8 or 16 allocated are read")


def _spacing(header: Any) -> tuple[float | None, str]:
    """Pixel pitch in mm and the tag it came from; the geometric mean where rows and columns differ."""
    for tag in SPACINGS:
        try:
            row, column = (float(value) for value in header.get(tag) or ())
        except (TypeError, ValueError):
            continue
        if row > 0 and column > 0 and math.isfinite(row * column):
            return math.sqrt(row * column), tag
    return None, "none"


def _code(header: Any, tag: str, allowed: str) -> str | None:
    value = str(header.get(tag) or "").strip().upper()
    return value if re.fullmatch(allowed, value) else None


def _age(header: Any) -> float | None:
    """Years from a DICOM age such as 052Y or 007M; some devices write a bare number of years."""
    found = re.fullmatch(r"(\d{1,3})([YMWD]?)", str(header.get("PatientAge") or "").strip().upper())
    return int(found[1]) / {"": 1, "Y": 1, "M": 12, "W": 52.18, "D": 365.25}[found[2]] if found else None


@contextmanager
def _quiet() -> Iterator[None]:
    """pydicom's warnings quote header values, which must reach no log."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
