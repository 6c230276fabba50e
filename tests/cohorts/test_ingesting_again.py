"""A second ingestion decodes nothing that it has decoded before."""

from __future__ import annotations

import os

import numpy as np
import pytest

from cohorts import decoding
from cohorts.manifest import Center, ingest_center
from tests.cohorts.making import radiograph, write_center, write_png


@pytest.fixture
def source(tmp_path):
    return write_center(tmp_path / "source", ["benign", "malignant", "benign"])


@pytest.fixture
def decoded(monkeypatch):
    """Counts the images that are decoded and the files that are opened for it."""
    counts = {"decoded": 0}
    read = decoding.read_image

    def counting(data):
        counts["decoded"] += 1
        return read(data)

    monkeypatch.setattr(decoding, "read_image", counting)
    return counts


def ingest(source, out, **options):
    return ingest_center("a", source, out, **{"size": 20, "salt": b"salt", **options})


def as_written(out):
    return {path.name: path.stat().st_mtime_ns for path in out.iterdir()}


def test_unchanged_files_are_only_looked_at(source, tmp_path, decoded):
    ingest(source, tmp_path / "out")
    before = as_written(tmp_path / "out")

    again = ingest(source, tmp_path / "out")

    assert decoded["decoded"] == 3
    assert as_written(tmp_path / "out") == before
    assert again.counts["images"] == 3


def test_touched_files_of_equal_content_are_not_decoded_again(source, tmp_path, decoded):
    first = ingest(source, tmp_path / "out").fingerprints
    os.utime(source / "1.png", ns=(1, 1))

    again = ingest(source, tmp_path / "out")

    assert decoded["decoded"] == 3
    assert again.fingerprints == first
    assert ingest(source, tmp_path / "out").fingerprints == first


def test_only_new_files_are_decoded(source, tmp_path, decoded):
    before = ingest(source, tmp_path / "out")
    kept = {image: before.pixels.read(image).copy() for image in before.images["image"]}
    write_png(source / "3.png", radiograph(3))
    with (source / "labels.csv").open("a") as file:
        file.write("3.png,p3,malignant\n")

    after = ingest(source, tmp_path / "out")

    assert decoded["decoded"] == 4
    assert after.counts["images"] == 4
    for image, values in kept.items():
        np.testing.assert_array_equal(after.pixels.read(image), values)


def test_a_corrected_label_changes_labels_without_decoding(source, tmp_path, decoded):
    first = ingest(source, tmp_path / "out")
    fingerprint, images = first.fingerprints["images"], first.images
    text = (source / "labels.csv").read_text()
    (source / "labels.csv").write_text(text.replace("malignant", "benign"))

    again = ingest(source, tmp_path / "out")

    assert decoded["decoded"] == 3
    assert set(again.labels["label"]) == {"benign"}
    assert again.fingerprints["images"] == fingerprint
    assert again.images.equals(images)


def test_a_changed_image_is_decoded_even_at_the_same_size(source, tmp_path, decoded):
    first = ingest(source, tmp_path / "out").fingerprints["images"]
    write_png(source / "1.png", radiograph(9))

    again = ingest(source, tmp_path / "out")

    assert decoded["decoded"] == 4
    assert again.fingerprints["images"] != first


def test_another_size_decodes_everything_anew(source, tmp_path, decoded):
    ingest(source, tmp_path / "out")

    assert ingest(source, tmp_path / "out", size=10).images["height"].max() == 10
    assert decoded["decoded"] == 6


def test_a_new_salt_hashes_patients_anew_without_decoding(source, tmp_path, decoded):
    first = ingest(source, tmp_path / "out")
    fingerprints, patients = first.fingerprints, set(first.images["patient"])

    again = ingest(source, tmp_path / "out", salt=b"new")

    assert decoded["decoded"] == 3
    assert patients.isdisjoint(again.images["patient"])
    assert again.fingerprints == fingerprints


def test_a_quarantined_file_is_looked_at_again_when_mended(source, tmp_path):
    good = (source / "1.png").read_bytes()
    (source / "1.png").write_bytes(good[:300])
    assert ingest(source, tmp_path / "out").counts["quarantined"] == 1
    assert ingest(source, tmp_path / "out").counts["quarantined"] == 1

    (source / "1.png").write_bytes(good)

    assert ingest(source, tmp_path / "out").counts["quarantined"] == 0


def test_leftovers_of_a_killed_ingestion_are_swept_away(source, tmp_path):
    (tmp_path / ".out.building").mkdir()
    (tmp_path / ".out.building" / "pixels.npy").write_bytes(b"half")

    ingest(source, tmp_path / "out")

    assert not (tmp_path / ".out.building").exists()
    assert len(Center(tmp_path / "out").pixels) == 3


def test_open_pixels_survive_the_replacement_of_their_folder(source, tmp_path):
    before = ingest(source, tmp_path / "out")
    image = before.images["image"][0]
    values = before.pixels.read(image)
    kept = values.copy()

    ingest(source, tmp_path / "out", size=10)

    np.testing.assert_array_equal(values, kept)
