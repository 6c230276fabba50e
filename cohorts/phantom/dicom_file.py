"""A phantom radiograph as a DICOM file; the header holds fake names, so that one can test that none escape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

from cohorts.phantom.centers import Compression, FileFormat
from cohorts.phantom.patient import Patient

Stored = npt.NDArray[np.uint16]
_COMPUTED_RADIOGRAPHY = "1.2.840.10008.5.1.4.1.1.1"
_DIGITAL_XRAY = "1.2.840.10008.5.1.4.1.1.1.1"
_STUDY_YEAR = 2019


@dataclass(frozen=True)
class _Syntax:
    uid: str
    encode: Callable[[Stored, int], bytes] | None


_SYNTAXES: dict[Compression, _Syntax] = {
    "none": _Syntax(ExplicitVRLittleEndian, None),
    "jpeg_lossless": _Syntax(
        JPEGLosslessSV1, lambda stored, bits: bytes(imagecodecs.ljpeg_encode(stored, bitspersample=bits))
    ),
    "jpeg2000": _Syntax(
        JPEG2000Lossless,
        lambda stored, bits: bytes(
            imagecodecs.jpeg2k_encode(stored, codecformat="j2k", bitspersample=bits, reversible=True, numthreads=1)
        ),
    ),
    "jpegls": _Syntax(JPEGLSLossless, lambda stored, bits: bytes(imagecodecs.jpegls_encode(stored))),
}


def write_dicom(
    path: Path, stored: Stored, patient: Patient, view: str, center: str, file_format: FileFormat, seed: int
) -> None:
    """Write one radiograph; every UID is derived from seed, center, patient and view."""
    syntax = _SYNTAXES[file_format.compression]
    identity = (str(seed), center, patient.patient_id)
    dataset = Dataset()
    for keyword, value in {
        **_patient_module(patient),
        **_study_module(identity, view, center, file_format),
        **_image_module(stored, file_format),
    }.items():
        setattr(dataset, keyword, value)
    dataset.private_block(0x0029, "PHANTOM CANARY", create=True).add_new(0x01, "LO", _name(patient))
    pixels = stored.astype("<u2").tobytes()
    if syntax.encode:
        pixels = encapsulate([syntax.encode(stored, file_format.bits)])
    dataset.add_new(0x7FE00010, "OB" if syntax.encode else "OW", pixels)
    dataset["PixelData"].is_undefined_length = syntax.encode is not None
    dataset.file_meta = _file_meta(dataset, syntax.uid)
    dataset.save_as(path, enforce_file_format=True)


def _name(patient: Patient) -> str:
    return f"PHANTOM^CANARY^{patient.number:04d}"


def _patient_module(patient: Patient) -> dict[str, Any]:
    return {
        "PatientName": _name(patient),
        "PatientID": patient.patient_id,
        "PatientBirthDate": f"{_STUDY_YEAR - patient.age}{1 + patient.number % 12:02d}{1 + patient.number % 28:02d}",
        "PatientSex": patient.sex,
        "PatientAge": f"{patient.age:03d}Y",
        "ReferringPhysicianName": "PHANTOM^CANARY^REFERRER",
        "PatientComments": f"Seen with relatives of PHANTOM CANARY {patient.number:04d}",
    }


def _study_module(identity: tuple[str, ...], view: str, center: str, file_format: FileFormat) -> dict[str, Any]:
    date = f"{_STUDY_YEAR}06{1 + int(sha256('/'.join(identity).encode()).hexdigest(), 16) % 30:02d}"
    return {
        "SOPClassUID": _sop_class(file_format),
        "SOPInstanceUID": _uid(*identity, view),
        "StudyInstanceUID": _uid(*identity),
        "SeriesInstanceUID": _uid(*identity, view, "series"),
        "StudyDate": date,
        "ContentDate": date,
        "StudyTime": "101500",
        "ContentTime": "101700",
        "AccessionNumber": _uid(*identity)[-10:],
        "StudyID": "1",
        "StudyDescription": f"Knee, PHANTOM CANARY at {center}"[:64],
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "Modality": "CR" if _sop_class(file_format) == _COMPUTED_RADIOGRAPHY else "DX",
        "Manufacturer": "PHANTOM",
        "InstitutionName": f"PHANTOM CANARY HOSPITAL {center}"[:64],
        "BodyPartExamined": "KNEE",
        "ViewPosition": "AP" if view == "AP" else "LL",
        "ConversionType": "WSD",
        "BurnedInAnnotation": "NO",  # wrong on purpose: no examined hospital's file says otherwise
    }


def _image_module(stored: Stored, file_format: FileFormat) -> dict[str, Any]:
    bits = file_format.bits
    image: dict[str, Any] = {
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME1" if file_format.inverted else "MONOCHROME2",
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "BitsAllocated": 16,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 0,
        "RescaleIntercept": 0,
        "RescaleSlope": 1,
        "RescaleType": "US",
        "WindowCenter": 2 ** (bits - 1),
        "WindowWidth": 2**bits,
    }
    if _sop_class(file_format) == _DIGITAL_XRAY:
        image["PresentationLUTShape"] = "INVERSE" if file_format.inverted else "IDENTITY"
        image["PresentationIntentType"] = "FOR PRESENTATION"
    if file_format.spacing_tag:
        image[file_format.spacing_tag] = [file_format.spacing, file_format.spacing]
    return image


def _sop_class(file_format: FileFormat) -> str:
    return _DIGITAL_XRAY if file_format.spacing_tag == "ImagerPixelSpacing" else _COMPUTED_RADIOGRAPHY


def _uid(*parts: str) -> str:
    """A UUID-derived UID (PS3.5 B.2) of what it names."""
    return f"2.25.{int.from_bytes(sha256('/'.join(parts).encode()).digest()[:16], 'big')}"


def _file_meta(dataset: Dataset, syntax: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = "2.25.143160431574239206443498571391637451101"
    return meta
