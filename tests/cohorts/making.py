"""Small radiographs and center folders, written as real files."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path, PosixPath
from typing import Any

import cv2
import imagecodecs
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, RLELossless

JPEG_LOSSLESS, JPEG_EXTENDED = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.51"
JPEG_LS, JPEG_2000, HTJ2K = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"

ENCODERS = {
    JPEG_LOSSLESS: lambda values: imagecodecs.ljpeg_encode(values, bitspersample=12),
    JPEG_LS: imagecodecs.jpegls_encode,
    JPEG_2000: lambda values: imagecodecs.jpeg2k_encode(values, codecformat="j2k", reversible=True, level=0),
    HTJ2K: lambda values: imagecodecs.htj2k_encode(values),
    JPEG_EXTENDED: lambda values: imagecodecs.jpeg8_encode(values, level=100, bitspersample=12),
}


def dicom(
    values: Any, *, bits: int = 12, syntax: str = ExplicitVRLittleEndian, frame: bytes | None = None, **tags: Any
) -> bytes:
    """A DICOM file of the values, compressed where `syntax` says so; `frame`: its stream; a tag of None is removed."""
    values = np.asarray(values)
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    header.SOPClassUID, header.SOPInstanceUID = ComputedRadiographyImageStorage, "1.2.3"
    header.file_meta.MediaStorageSOPClassUID, header.file_meta.MediaStorageSOPInstanceUID = header.SOPClassUID, "1.2.3"
    header.PatientName, header.PatientID, header.StudyDescription = "Doe^Jane", "4711", "Jane's knee"
    header.Rows, header.Columns = values.shape[:2]
    header.SamplesPerPixel = 3 if values.ndim == 3 else 1
    header.PhotometricInterpretation = "RGB" if values.ndim == 3 else "MONOCHROME2"
    if values.ndim == 3:
        header.PlanarConfiguration = 0
    header.BitsAllocated = 8 * values.dtype.itemsize
    header.BitsStored, header.HighBit = bits, bits - 1
    header.PixelRepresentation = int(values.dtype.kind == "i")
    if syntax in ENCODERS or frame is not None:
        header.PixelData = encapsulate([frame if frame is not None else ENCODERS[syntax](values)])
    else:
        header.PixelData = values.astype(values.dtype.newbyteorder(">" if syntax.endswith("1.2.2") else "<")).tobytes()
    header["PixelData"].VR = "OB" if syntax in ENCODERS or values.dtype.itemsize == 1 else "OW"
    if syntax == RLELossless and frame is None:
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.compress(RLELossless, generate_instance_uid=False)
    for name, value in tags.items():
        if value is None:
            delattr(header, name)
        else:
            setattr(header, name, value)
    file = BytesIO()
    header.save_as(file, enforce_file_format=True)
    return file.getvalue()


def lut(entries: Sequence[int], first: int = 0, bits: int = 16) -> list[Dataset]:
    """A modality or VOI LUT sequence of one item."""
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 65536, first, bits]
    item.LUTData = list(entries)
    item["LUTDescriptor"].VR, item["LUTData"].VR = "US" if first >= 0 else "SS", "US"
    return [item]


def ramp(high: int = 4095, height: int = 32, width: int = 64) -> np.ndarray[Any, Any]:
    """All values from 0 to `high` in even steps, uint16."""
    return np.linspace(0, high, height * width).round().astype(np.uint16).reshape(height, width)


def radiograph(seed: int, height: int = 40, width: int = 30) -> np.ndarray[Any, Any]:
    """Smooth gray blobs, uint8: another image for each seed."""
    noise = np.random.default_rng(seed).random((6, 6))
    return np.clip(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) * 255, 0, 255).astype(np.uint8)


def write_png(path: Path, values: Any) -> None:
    """A PNG file; folders on the way are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", np.asarray(values))[1].tobytes())


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """A CSV file with the keys of the first row as header."""
    rows = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_center(
    folder: Path, labels: Sequence[str], *, first_seed: int = 0, patients: Sequence[str] | None = None
) -> Path:
    """A center of one PNG per label: 0.png, 1.png, …, each of its own patient p0, p1, … unless given."""
    for number in range(len(labels)):
        write_png(folder / f"{number}.png", radiograph(first_seed + number))
    patients = patients or [f"p{number}" for number in range(len(labels))]
    rows = zip(range(len(labels)), patients, labels, strict=True)
    write_csv(folder / "labels.csv", [{"file": f"{n}.png", "patient_id": p, "label": label} for n, p, label in rows])
    return folder


class CrashingPath(PosixPath):
    """A file whose decoder takes the whole process down, unless it is the process `survivor`."""

    def read_bytes(self) -> bytes:
        if os.environ.get("SURVIVOR") != str(os.getpid()):
            os._exit(1)
        return super().read_bytes()
