"""Real radiographs: what the importer makes of files from many devices."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from cohorts.checks import find_duplicates
from cohorts.decoding import read_image
from cohorts.manifest import ingest_center, ingest_corpus
from tests.cohorts.making import write_csv

FOLDER = os.environ.get("OSTEOGRID_RADIOGRAPHS")
pytestmark = [
    pytest.mark.radiographs,
    pytest.mark.skipif(not FOLDER, reason="OSTEOGRID_RADIOGRAPHS names no folder of real radiographs"),
]
REAL = Path(FOLDER or "nowhere")


def read(name):
    return read_image((REAL / "dicom" / name).read_bytes())


@pytest.mark.parametrize(
    ("name", "window", "inverted", "spacing"),
    [
        ("CR-ModalitySequenceLUT.dcm", "percentiles 0.5..99.5 (no VOI in the header)", True, 0.15),
        ("Fake_MONOHR1.dcm", "percentiles 0.5..99.5 (no VOI in the header)", True, 0.168),
        ("RG1_J2KI.dcm", "window 15000/30000 LINEAR", True, None),
        ("RG2_J2KI.dcm", "window 511/1024 LINEAR", False, 0.2),
        ("RG3_JPLL.dcm", "window 550/1024 LINEAR", True, None),
        ("dx_image.dcm", "window 128/256 LINEAR", True, 1.2006),
        ("gdcm-CR-MONO1-10-chest.dcm", "window 550/1024 LINEAR", True, None),
        ("vlut_04.dcm", "VOI LUT", False, None),
    ],
)
def test_each_device_s_file_is_read_as_its_header_says(name, window, inverted, spacing):
    radiograph = read(name)

    assert (radiograph.window, radiograph.inverted) == (window, inverted)
    assert radiograph.spacing_mm == (None if spacing is None else pytest.approx(spacing, abs=1e-4))
    assert np.ptp(radiograph.values) > 30000


def test_the_same_radiograph_in_two_transfer_syntaxes_has_the_same_values():
    np.testing.assert_array_equal(read("RG3_JPLL.dcm").values, read("RG3_RLE.dcm").values)


def test_the_spine_is_brighter_than_the_lungs_in_chest_radiographs():
    chest = read("gdcm-CR-MONO1-10-chest.dcm").values.astype(float) / 65535
    height, width = chest.shape
    middle = slice(height // 3, height // 2)

    spine = chest[middle, width * 9 // 20 : width * 11 // 20].mean()
    lungs = chest[middle, width // 5 : width * 3 // 10].mean()

    assert spine > lungs + 0.1


def test_a_folder_of_dicom_files_is_ingested(tmp_path):
    source = tmp_path / "dicom"
    shutil.copytree(REAL / "dicom", source, copy_function=shutil.copyfile)
    source.chmod(0o755)
    files = sorted(path.name for path in source.iterdir())
    write_csv(source / "labels.csv", [{"file": name, "patient_id": name, "label": "none"} for name in files])

    center = ingest_center("dicom", source, tmp_path / "out", size=512, salt=b"salt")

    assert center.counts["images"] == 9
    assert center.counts["quarantined"] == 0
    assert max(center.images["height"].max(), center.images["width"].max()) == 512


@pytest.mark.slow
def test_a_corpus_that_holds_images_of_a_center_s_source_is_found_out(tmp_path):
    options = {"size": 128, "salt": b"salt"}
    nih = ingest_center("nih", REAL / "nih", tmp_path / "nih", **options)
    corpus = ingest_corpus(
        "parts", REAL / "medical-mnist", tmp_path / "parts", layout="class_folders", limit=None, seed=0, **options
    )

    found = find_duplicates([corpus, nih])

    labels = dict(corpus.labels.rows())
    assert [finding.kind for finding in found] == ["near"] * 4
    assert {labels[finding.first_image] for finding in found} == {"CXR"}
