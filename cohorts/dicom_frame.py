"""The pixel data of a DICOM file as stored values: which decoder reads which transfer syntax, and which bits count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array
from pydicom.uid import UID

from cohorts.radiograph import Pixels, UnreadableError

Raw = np.ndarray[Any, Any]

JPEG = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"}
JPEG_LS = {"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"}
JPEG_2000 = {"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"}
HTJ2K = {"1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"}
END = b"\xff\xd9"


@dataclass(frozen=True)
class Levels:
    """Stored values as indexes of a table: `index` + `lowest` is the stored value; `bits` tells the table's length.

    `index`: uint16, shape (rows, columns), or (rows, columns, 3) of a color image.
    """

    index: Pixels
    lowest: int
    bits: int


def stored_levels(header: Any) -> Levels:
    """Decode the only frame and keep the stored bits; raises UnreadableError."""
    syntax = UID(header.file_meta.TransferSyntaxUID)
    if not syntax.is_transfer_syntax or syntax.is_private:
        raise UnreadableError("unsupported", "the transfer syntax is not one of the DICOM standard")
    _check_length(header, syntax)
    return _significant(_decode(header, syntax), header)


def _check_length(header: Any, syntax: UID) -> None:
    if "PixelData" not in header or not header.PixelData:
        raise UnreadableError("no pixels", "the file holds no pixel data, or ends before them")
    if syntax.is_encapsulated:
        if syntax in JPEG | JPEG_LS | JPEG_2000 | HTJ2K and END not in _frame(header)[-64:]:
            raise UnreadableError("truncated", f"the {syntax.name.split(',')[0]} stream ends before its end marker")
        return
    samples = int(header.get("SamplesPerPixel") or 1)
    if header.PhotometricInterpretation == "YBR_FULL_422":
        samples = 2
    needed = header.Rows * header.Columns * samples * header.BitsAllocated // 8
    if len(header.PixelData) < needed:
        raise UnreadableError("truncated", f"{len(header.PixelData)} of {needed} bytes of pixel data")


def _decode(header: Any, syntax: UID) -> Raw:
    shape = (int(header.Rows), int(header.Columns))
    for decode in _decoders(syntax):
        try:
            raw = decode(header)
        except MemoryError:
            raise
        except Exception:
            continue
        if raw.shape[:2] == shape and raw.dtype.kind in "iu":
            return raw
    raise UnreadableError("corrupt", f"the pixel data ({syntax.name.split(',')[0]}) cannot be decoded")


def _decoders(syntax: UID) -> tuple[Callable[[Any], Raw], ...]:
    # imagecodecs reads JPEG lossless four times as fast as pydicom's plugins, and 12-bit JPEG that they refuse.
    if syntax in JPEG:
        return _with(imagecodecs.jpeg_decode), _with(imagecodecs.ljpeg_decode), _pydicom
    if syntax in JPEG_LS:
        return _with(imagecodecs.jpegls_decode), _pydicom
    if syntax in JPEG_2000:
        return _pydicom, _with(imagecodecs.jpeg2k_decode)
    if syntax in HTJ2K:
        return _pydicom, _with(imagecodecs.htj2k_decode)
    return (_pydicom,)


def _pydicom(header: Any) -> Raw:
    # Bits above the stored ones are masked below, after a look at the high bit.
    return np.asarray(pixel_array(header, correct_unused_bits=False))


def _with(decode: Callable[[bytes], Raw]) -> Callable[[Any], Raw]:
    return lambda header: np.asarray(decode(_frame(header)))


def _frame(header: Any) -> bytes:
    return bytes(get_frame(header.PixelData, 0, number_of_frames=1))


def _significant(raw: Raw, header: Any) -> Levels:
    """Mask overlay bits above the stored ones and turn two's complement into an offset."""
    bits = int(header.BitsStored)
    values = raw.astype(np.uint16)
    shift = int(header.get("HighBit", bits - 1)) + 1 - bits
    # Files that name a high bit but keep their values at the bottom exist: shift only what does not fit.
    if shift > 0 and int(values.max()) >= 2**bits:
        values >>= shift
    values &= np.uint16(2**bits - 1)
    if header.get("PixelRepresentation") == 1:
        return Levels(values ^ np.uint16(2 ** (bits - 1)), -(2 ** (bits - 1)), bits)
    return Levels(values, 0, bits)
