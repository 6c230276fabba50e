"""Gray values of a DICOM radiograph: modality, VOI and polarity, worked out once per stored level.

Every step is a function of the stored value alone, so it is computed for the table of at most 65,536 levels
and looked up for the pixels; the histogram tells what a step does to the image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_windowing

from cohorts.dicom_frame import Levels
from cohorts.radiograph import FULL, Pixels

Floats = np.ndarray[Any, np.dtype[np.float64]]
Counts = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

PERCENTILES = 0.5, 99.5
LEAST_OCCUPIED = 0.02
"""Share of 256 gray levels that a VOI transformation must leave occupied."""
MOST_SATURATED = 0.6
"""Share of the pixels that a VOI transformation may drive to black or white."""


def gray_values(levels: Levels, header: Any) -> tuple[Pixels, str, bool]:
    """Values over the full range with bone bright, what was done, and whether the polarity was inverted.

    MONOCHROME1 and PresentationLUTShape INVERSE are one inversion, never applied twice. Padding becomes black.
    """
    stored = np.arange(levels.lowest, levels.lowest + 2**levels.bits)
    counts = np.bincount(levels.index.ravel(), minlength=stored.size)
    padding = _padding(header, stored)
    if not counts[~padding].any():
        padding[:] = False
    counts = np.where(padding, 0, counts)
    shown, done = _voi(_modality(stored, header), counts, header)
    inverted = header.PhotometricInterpretation == "MONOCHROME1" or header.get("PresentationLUTShape") == "INVERSE"
    shown = 1 - shown if inverted else shown
    shown[padding] = 0
    values: Pixels = np.round(shown * FULL).astype(np.uint16)[levels.index]
    return values, done + ("; padding masked" if padding.any() else ""), inverted


def _padding(header: Any, stored: Counts) -> Bools:
    first = header.get("PixelPaddingValue")
    if not isinstance(first, int):
        return np.zeros(stored.size, dtype=bool)
    last = header.get("PixelPaddingRangeLimit")
    low, high = sorted((first, last if isinstance(last, int) else first))
    return np.asarray((stored >= low) & (stored <= high))


def _modality(stored: Counts, header: Any) -> Floats:
    if header.get("ModalityLUTSequence"):
        return _look_up(stored, header.ModalityLUTSequence[0], header)
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    # A slope of zero would make every image constant.
    return np.asarray(stored * float(slope or 1) + float(intercept or 0), dtype=np.float64)


def _voi(modality: Floats, counts: Counts, header: Any) -> tuple[Floats, str]:
    """0..1 per level. The LUT sequence wins over the window (PS3.3 C.11.2.1); of several, the first is taken."""
    if header.get("VOILUTSequence"):
        name, alternatives = "VOI LUT", len(header.VOILUTSequence)
        shown = _unit(_look_up(modality, header.VOILUTSequence[0], header))
    elif header.get("WindowCenter") is not None and header.get("WindowWidth") is not None:
        center, alternatives = _first(header.WindowCenter)
        width, _ = _first(header.WindowWidth)
        function = str(_first(header.get("VOILUTFunction") or "LINEAR")[0]).strip().upper()
        name = f"window {float(center):g}/{float(width):g} {function}"
        shown = _window(modality, float(center), float(width), function)
    else:
        return _percentiles(modality, counts, "no VOI in the header")
    name += f", first of {alternatives}" if alternatives > 1 else ""
    fault = _fault(shown, counts)
    return (shown, name) if not fault else _percentiles(modality, counts, f"{name} {fault}")


def _first(value: Any) -> tuple[Any, int]:
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return value, 1
    return value[0], len(value)


def _window(modality: Floats, center: float, width: float, function: str) -> Floats:
    frame = Dataset()
    frame.PhotometricInterpretation = "MONOCHROME2"
    frame.BitsStored, frame.PixelRepresentation = 16, 0
    frame.WindowCenter, frame.WindowWidth, frame.VOILUTFunction = center, width, function
    try:
        return np.asarray(np.clip(apply_windowing(modality, frame) / FULL, 0, 1), dtype=np.float64)
    except ValueError:  # a width below 1 or a function that DICOM does not know
        return np.full(modality.shape, np.nan)


def _look_up(values: Any, item: Any, header: Any) -> Floats:
    """Entries of a LUT sequence item; values outside its range get the first or last entry.

    Not pydicom's: 3.0 wraps indexes above 255 when entries have 8 bits, and fails at 10- or 12-bit modality LUTs.
    """
    entries, first, _ = (int(value) for value in item.LUTDescriptor)
    if isinstance(item.LUTData, bytes):
        little = header.original_encoding[1] is not False
        table = np.frombuffer(item.LUTData, dtype="<u2" if little else ">u2")
    else:
        table = np.asarray(item.LUTData, dtype=np.float64).ravel()
    table = table[: entries or 2**16]
    if first >= 2**15 and values.min() < 0:  # read as unsigned, meant as signed
        first -= 2**16
    place = np.clip(np.round(values).astype(np.int64) - first, 0, len(table) - 1)
    return np.asarray(table[place], dtype=np.float64)


def _fault(shown: Floats, counts: Counts) -> str:
    """Why a VOI transformation cannot be meant for this image, or nothing.

    Pixels at the ends of the stored range were saturated before and do not count as saturated by the transformation.
    """
    if np.isnan(shown).any():
        return "is unusable"
    seen = np.flatnonzero(counts)
    occupied = np.unique((shown[seen] * 255).astype(int)).size
    if occupied < LEAST_OCCUPIED * 256:
        return f"leaves {occupied} of 256 gray levels"
    inner = seen[1:-1]
    total = counts[inner].sum()
    saturated = counts[inner][(shown[inner] <= 0) | (shown[inner] >= 1)].sum() / max(total, 1)
    return f"saturates {saturated:.0%} of the pixels" if saturated > MOST_SATURATED else ""


def _percentiles(modality: Floats, counts: Counts, why: str) -> tuple[Floats, str]:
    order = np.argsort(modality, kind="stable")
    share = np.cumsum(counts[order]) / counts.sum()
    low, high = (modality[order][np.searchsorted(share, percentile / 100)] for percentile in PERCENTILES)
    if low == high:
        seen = modality[counts > 0]
        low, high = seen.min(), seen.max()
    name = f"percentiles {PERCENTILES[0]:g}..{PERCENTILES[1]:g} ({why})"
    if low == high:
        return np.zeros(modality.shape), f"{name}; the image is constant"
    return np.clip((modality - low) / (high - low), 0, 1), name


def _unit(table: Floats) -> Floats:
    low, high = table.min(), table.max()
    return np.asarray((table - low) / (high - low if high > low else 1.0), dtype=np.float64)
