from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import get_frame

from cohorts.phantom import writing
from cohorts.phantom.centers import TABLE, center_effects
from cohorts.phantom.patient import draw_patient, patient_labels, take_radiograph
from cohorts.sources.phantom import write_centers
from search_spaces.errors import StudyError
from search_spaces.study import Phantom

SMALL = Phantom(patients=6, height=64)
CENTERS = ("oslo", "bonn", "lyon", "graz")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantom") / "centers"
    write_centers(SMALL, CENTERS, out, workers=1)
    return out


def test_every_file_of_the_tables_is_there_and_no_other(data: Path) -> None:
    for center in CENTERS:
        listed = {row["file"] for row in rows(data / center / "labels.csv")}

        assert listed == {f"images/{path.name}" for path in (data / center / "images").iterdir()}
        assert {row["file"] for row in rows(data / center / "boxes.csv")} < listed


def test_a_lesion_has_one_box_and_a_normal_knee_none(data: Path) -> None:
    for center in CENTERS:
        lesions = [row["file"] for row in rows(data / center / "labels.csv") if row["label"] != "normal"]

        assert [row["file"] for row in rows(data / center / "boxes.csv")] == lesions


def test_boxes_lie_inside_their_images(data: Path) -> None:
    for center in CENTERS:
        for row in rows(data / center / "boxes.csv"):
            header = pydicom.dcmread(data / center / row["file"], stop_before_pixels=True)
            x, y, width, height = (int(row[name]) for name in ("x", "y", "width", "height"))

            assert min(x, y) >= 0
            assert min(width, height) > 0
            assert x + width <= header.Columns
            assert y + height <= header.Rows


@pytest.mark.parametrize(
    ("center", "syntax", "photometric", "bits", "tag", "spacing"),
    [
        ("oslo", "1.2.840.10008.1.2.1", "MONOCHROME2", 12, "ImagerPixelSpacing", 0.143),
        ("bonn", "1.2.840.10008.1.2.4.70", "MONOCHROME1", 10, "PixelSpacing", 0.2),
        ("lyon", "1.2.840.10008.1.2.4.90", "MONOCHROME2", 14, None, None),
        ("graz", "1.2.840.10008.1.2.4.80", "MONOCHROME1", 16, "ImagerPixelSpacing", 0.175),
    ],
)
def test_each_center_writes_its_own_kind_of_dicom(
    data: Path, center: str, syntax: str, photometric: str, bits: int, tag: str | None, spacing: float | None
) -> None:
    header = pydicom.dcmread(data / center / "images" / "0001-AP.dcm")

    assert header.file_meta.TransferSyntaxUID == syntax
    assert photometric == header.PhotometricInterpretation
    assert (header.BitsStored, header.HighBit, header.BitsAllocated) == (bits, bits - 1, 16)
    for keyword in ("ImagerPixelSpacing", "PixelSpacing", "NominalScannedPixelSpacing"):
        assert list(header.get(keyword) or []) == ([spacing, spacing] if keyword == tag else [])


@pytest.mark.parametrize("row", range(4))
def test_compressed_pixels_decode_to_what_was_drawn(data: Path, row: int) -> None:
    dataset = pydicom.dcmread(data / CENTERS[row] / "images" / "0001-AP.dcm")
    patient = draw_patient(SMALL, row, 1, patient_labels(SMALL, row)[0])
    drawn = take_radiograph(SMALL, row, patient, "AP").stored
    decode: list[Any] = [None, imagecodecs.ljpeg_decode, imagecodecs.jpeg2k_decode, imagecodecs.jpegls_decode]

    if row == 0:
        stored = np.frombuffer(dataset.PixelData, "<u2").reshape(drawn.shape)
    else:
        stored = decode[row](get_frame(dataset.PixelData, 0, number_of_frames=1))

    np.testing.assert_array_equal(stored, drawn)


def test_the_header_carries_names_that_must_not_leave_the_center(data: Path) -> None:
    header = pydicom.dcmread(data / "oslo" / "images" / "0003-AP.dcm", stop_before_pixels=True)

    assert str(header.PatientName) == "PHANTOM^CANARY^0003"
    assert header.PatientID == "CANARY-0003"
    assert len(header.PatientBirthDate) == 8
    assert "CANARY" in str(header[0x0029, 0x1001].value)


def test_uids_differ_between_images_and_views_share_a_study(data: Path) -> None:
    headers = [
        pydicom.dcmread(path, stop_before_pixels=True)
        for center in CENTERS
        for path in sorted((data / center / "images").iterdir())
    ]

    assert len({header.SOPInstanceUID for header in headers}) == len(headers)
    patients = {(header.InstitutionName, header.PatientID): header.StudyInstanceUID for header in headers}
    assert len({header.StudyInstanceUID for header in headers}) == len(patients) == 4 * SMALL.patients


def test_a_second_writing_gives_the_same_bytes(data: Path, tmp_path: Path) -> None:
    write_centers(SMALL, CENTERS, tmp_path, workers=1)

    assert contents(tmp_path) == contents(data)


@pytest.mark.slow
def test_the_number_of_workers_does_not_matter(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "WORTH_SHARING", 0)

    write_centers(SMALL, CENTERS[:1], tmp_path, workers=2)

    assert contents(tmp_path / "oslo") == contents(data / "oslo")


def test_another_center_leaves_the_first_ones_as_they_are(data: Path, tmp_path: Path) -> None:
    write_centers(SMALL, CENTERS[:1], tmp_path, workers=1)

    assert contents(tmp_path / "oslo") == contents(data / "oslo")


def test_another_seed_gives_other_radiographs(data: Path, tmp_path: Path) -> None:
    write_centers(SMALL.model_copy(update={"seed": -1}), CENTERS[:1], tmp_path, workers=1)

    first = Path("oslo/images/0001-AP.dcm")
    assert (tmp_path / first).read_bytes() != (data / first).read_bytes()


def test_a_finished_center_is_left_alone(tmp_path: Path) -> None:
    write_centers(SMALL, ("oslo",), tmp_path, workers=1)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    write_centers(SMALL, ("oslo",), tmp_path, workers=1)

    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_files_that_are_not_a_phantoms_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "bonn").mkdir()
    (tmp_path / "bonn" / "labels.csv").write_text("file,patient_id,label\n")

    with pytest.raises(StudyError, match="bonn: holds files that are not a phantom's"):
        write_centers(SMALL, ("oslo", "bonn"), tmp_path, workers=1)

    assert [path.name for path in tmp_path.rglob("*")] == ["bonn", "labels.csv"]


def test_a_phantom_of_another_spec_is_refused_and_the_difference_named(tmp_path: Path) -> None:
    write_centers(SMALL, ("oslo",), tmp_path, workers=1)

    with pytest.raises(StudyError, match=r"difficulty 0\.5, the study says 0\.9.*remove the folder"):
        write_centers(SMALL.model_copy(update={"difficulty": 0.9}), ("oslo",), tmp_path, workers=1)


def test_an_empty_folder_counts_as_absent(tmp_path: Path) -> None:
    (tmp_path / "oslo").mkdir()

    write_centers(SMALL, ("oslo",), tmp_path, workers=1)

    assert json.loads((tmp_path / "oslo" / "phantom.json").read_text())["spec"]["patients"] == SMALL.patients


def test_a_failure_halfway_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("cohorts.sources.phantom.write_csv", full)

    with pytest.raises(OSError, match="disk full"):
        write_centers(SMALL, ("oslo",), tmp_path, workers=1)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("patients", "prevalence", "expected"),
    [
        (60, 0.4, {"malignant": 24, "benign": 18, "normal": 18}),
        (7, 0.3, {"malignant": 2, "benign": 3, "normal": 2}),
        (3, 0.9, {"malignant": 3}),
    ],
)
def test_classes_follow_the_prevalence(patients: int, prevalence: float, expected: dict[str, int]) -> None:
    labels = patient_labels(Phantom(patients=patients, prevalence=prevalence), row=2)

    assert Counter(labels) == expected


def test_about_half_of_the_patients_have_two_views() -> None:
    views = [len(draw_patient(SMALL, 0, number, "normal").views) for number in range(400)]

    assert 150 < views.count(2) < 210


def test_without_difficulty_all_centers_have_the_first_ones_detector() -> None:
    assert {center_effects(row, 0, 0.0).detector for row in range(6)} == {TABLE[0].detector}


def test_at_half_difficulty_the_centers_are_those_of_the_table() -> None:
    for row, effects in enumerate(TABLE):
        shifted = center_effects(row, 0, 0.5)

        assert shifted.file_format == effects.file_format
        assert shifted.detector.gain == pytest.approx(effects.detector.gain)
        assert shifted.detector.gamma == pytest.approx(effects.detector.gamma)


def test_the_fifth_center_resembles_the_first_with_another_detector() -> None:
    first, fifth = center_effects(0, 0, 0.5), center_effects(4, 0, 0.5)

    assert fifth.file_format == first.file_format
    assert fifth.detector != first.detector
