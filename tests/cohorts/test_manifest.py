"""A center's folder becomes tables and pixels."""

from __future__ import annotations

import hashlib
import hmac
import json

import numpy as np
import polars as pl
import pytest

from cohorts.manifest import Center, ingest_center, ingest_corpus
from cohorts.tables import BOXES, IMAGES, LABELS
from search_spaces.errors import StudyError
from tests.cohorts.making import dicom, radiograph, ramp, write_center, write_csv, write_png

SALT = b"salt of the study"


def ingest(source, out, **options):
    return ingest_center("a", source, out, **{"size": 20, "salt": SALT, **options})


def write_boxes(folder, *boxes):
    names = ("file", "x", "y", "width", "height")
    write_csv(folder / "boxes.csv", [dict(zip(names, box, strict=True)) for box in boxes])


@pytest.fixture
def source(tmp_path):
    """Three images of 40 x 30, two of them of one patient."""
    return write_center(tmp_path / "source", ["benign", "malignant", "benign"], patients=["p0", "p0", "p1"])


def test_the_tables_have_the_columns_that_jobs_read(source, tmp_path):
    center = ingest(source, tmp_path / "out")

    assert dict(center.images.schema) == IMAGES
    assert dict(center.labels.schema) == LABELS
    assert dict(center.boxes.schema) == BOXES
    assert center.name == "a"


def test_image_ids_begin_with_the_hash_of_the_file(source, tmp_path):
    center = ingest(source, tmp_path / "out")
    sha = hashlib.sha256((source / "0.png").read_bytes()).hexdigest()

    label = dict(center.labels.rows())[f"a-{sha[:12]}"]

    assert label == "benign"


def test_patients_are_keyed_hashes_of_center_and_id(source, tmp_path):
    expected = hmac.new(SALT, b"a/p1", hashlib.sha256).hexdigest()[:16]

    center = ingest(source, tmp_path / "out")

    assert expected in center.images["patient"].to_list()
    assert center.images["patient"].n_unique() == 2


def test_shared_patients_have_one_hash_in_all_centers(source, tmp_path):
    first = ingest_center("a", source, tmp_path / "x", size=20, salt=SALT, patient_ids="shared")
    second = ingest_center("b", source, tmp_path / "y", size=20, salt=SALT, patient_ids="shared")
    apart = ingest_center("b", source, tmp_path / "z", size=20, salt=SALT)

    assert set(first.images["patient"]) == set(second.images["patient"])
    assert not set(first.images["patient"]) & set(apart.images["patient"])


def test_pixels_are_stored_at_the_size_asked_for(source, tmp_path):
    center = ingest(source, tmp_path / "out")
    row = center.images.row(0, named=True)

    assert (row["source_height"], row["source_width"], row["height"], row["width"]) == (40, 30, 20, 15)
    assert row["scale"] == 0.5
    assert center.pixels.read(row["image"]).shape == (20, 15)


def test_spacing_is_that_of_the_stored_image(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "0.dcm").write_bytes(dicom(ramp(height=32, width=64), PixelSpacing=[0.1, 0.1]))
    write_csv(tmp_path / "source" / "labels.csv", [{"file": "0.dcm", "patient_id": "p", "label": "benign"}])

    row = ingest(tmp_path / "source", tmp_path / "out", size=16).images.row(0, named=True)

    assert (row["spacing_mm"], row["spacing_source"]) == (pytest.approx(0.4), "PixelSpacing")


def test_labels_csv_goes_before_the_header(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "0.dcm").write_bytes(dicom(ramp(), ViewPosition="AP", PatientSex="F", PatientAge="052Y"))
    write_csv(folder / "labels.csv", [{"file": "0.dcm", "patient_id": "p", "label": "b", "view": "PA", "age": ""}])

    row = ingest(folder, tmp_path / "out").images.row(0, named=True)

    assert (row["view"], row["age"], row["sex"]) == ("PA", 52, "F")


def test_boxes_are_scaled_with_the_image_and_numbered_from_the_left(source, tmp_path):
    write_boxes(source, ("0.png", 10, 20, 10, 10), ("0.png", 2, 4, 6, 8))

    boxes = ingest(source, tmp_path / "out").boxes

    assert boxes.select("box", "x0", "y0", "x1", "y1").rows() == [(0, 1.0, 2.0, 4.0, 6.0), (1, 5.0, 10.0, 10.0, 15.0)]


def test_a_box_rounded_over_the_edge_is_clipped(source, tmp_path):
    write_boxes(source, ("0.png", -0.4, 0, 30.9, 40.3))

    boxes = ingest(source, tmp_path / "out").boxes

    assert boxes.select("x0", "y0", "x1", "y1").rows() == [(0.0, 0.0, 15.0, 20.0)]


@pytest.mark.parametrize("box", [(0, 0, 31, 5), (-1, 0, 5, 5), (0, 36, 5, 5), (30.5, 0, 0.2, 5)])
def test_a_box_that_leaves_its_image_is_refused_and_nothing_is_written(source, tmp_path, box):
    write_boxes(source, ("0.png", *box))

    with pytest.raises(
        StudyError, match=r"boxes.csv, line 2: the box .* leaves its image '0.png', allowed is x 0..30, "
    ):
        ingest(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / ".out.building").exists()


def test_a_refused_ingestion_leaves_the_earlier_one_in_place(source, tmp_path):
    before = ingest(source, tmp_path / "out").fingerprints
    write_boxes(source, ("0.png", 0, 0, 99, 5))

    with pytest.raises(StudyError):
        ingest(source, tmp_path / "out")

    assert Center(tmp_path / "out").fingerprints == before


def test_unreadable_images_are_quarantined_with_labels_and_boxes(source, tmp_path):
    (source / "1.png").write_bytes((source / "1.png").read_bytes()[:300])
    write_boxes(source, ("0.png", 1, 1, 2, 2), ("1.png", 1, 1, 2, 2))

    center = ingest(source, tmp_path / "out")

    assert center.quarantine.rows() == [("1.png", "truncated: the PNG ends before its end marker")]
    assert center.counts == {
        "files": 3,
        "images": 2,
        "patients": 2,
        "labels": {"benign": 2},
        "boxes": 1,
        "quarantined": 1,
        "quarantined_by_reason": {"truncated": 1},
        "labels_without_image": 1,
        "boxes_without_image": 1,
    }


def test_a_center_without_a_readable_image_is_refused(source, tmp_path):
    for number in range(3):
        (source / f"{number}.png").write_bytes(b"nothing")

    with pytest.raises(StudyError, match=r"none of its 3 images can be read, the first is '0.png' \(not an image: "):
        ingest(source, tmp_path / "out")


def test_no_patient_id_and_no_salt_is_written_anywhere(source, tmp_path):
    write_csv(
        source / "labels.csv", [{"file": f"{n}.png", "patient_id": "SECRET-4711", "label": "b"} for n in range(3)]
    )

    ingest(source, tmp_path / "out")

    for path in (tmp_path / "out").iterdir():
        assert b"SECRET-4711" not in path.read_bytes()
        assert SALT not in path.read_bytes()


def test_identical_files_get_numbered_ids(source, tmp_path):
    write_png(source / "1.png", radiograph(0))

    center = ingest(source, tmp_path / "out")

    ids = sorted(image for image in center.images["image"] if image.startswith(f"a-{sha_of(source / '0.png')}"))
    assert ids[1] == f"{ids[0]}-2"
    np.testing.assert_array_equal(center.pixels.read(ids[0]), center.pixels.read(ids[1]))


def sha_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def test_fingerprints_depend_on_content_only(source, tmp_path):
    moved = tmp_path / "elsewhere"
    rows = [
        {"label": "benign", "patient_id": "x", "file": "deep/c.png"},
        {"label": "malignant", "patient_id": "y", "file": "deep/b.png"},
        {"label": "benign", "patient_id": "y", "file": "z.png"},
    ]
    for number, row in zip((2, 1, 0), rows, strict=True):
        write_png(moved / row["file"], radiograph(number))
    write_csv(moved / "labels.csv", rows)

    first = ingest(source, tmp_path / "x")
    second = ingest(moved, tmp_path / "y", salt=b"another salt")

    assert second.fingerprints == first.fingerprints
    assert set(second.images["patient"]).isdisjoint(first.images["patient"])


def test_fingerprints_tell_pixels_patients_labels_and_boxes_apart(source, tmp_path):
    before = ingest(source, tmp_path / "x").fingerprints

    def changed(**options):
        now = ingest(source, tmp_path / "y", **options).fingerprints
        return {name for name in now if now[name] != before[name]}

    labels = (source / "labels.csv").read_text()
    assert changed() == set()
    assert changed(size=10) == {"images"}
    (source / "labels.csv").write_text(labels.replace("malignant", "benign"))
    assert changed() == {"labels"}
    (source / "labels.csv").write_text(labels.replace("p1", "p0"))
    assert changed() == {"images"}
    (source / "labels.csv").write_text(labels)
    write_boxes(source, ("0.png", 1, 1, 2, 2))
    assert changed() == {"boxes"}


def test_center_json_is_plain_and_readable(source, tmp_path):
    ingest(source, tmp_path / "out")

    facts = json.loads((tmp_path / "out" / "center.json").read_text())

    assert set(facts) == {"name", "fingerprints", "settings", "counts"}
    assert facts["settings"]["size"] == 20


def test_a_corpus_of_class_folders_is_ingested_like_a_center(tmp_path):
    for number in range(6):
        write_png(tmp_path / "corpus" / ("Hand" if number % 2 else "Chest") / f"{number}.png", radiograph(number))

    corpus = ingest_corpus(
        "parts", tmp_path / "corpus", tmp_path / "out", size=16, layout="class_folders", limit=4, seed=0, salt=SALT
    )

    assert corpus.counts["labels"] == {"Chest": 2, "Hand": 2}
    assert corpus.counts["patients"] == 4
    assert corpus.images["height"].max() == 16


def test_labels_and_boxes_lie_in_files_of_their_own(source, tmp_path):
    ingest(source, tmp_path / "out")
    (tmp_path / "out" / "labels.parquet").unlink()
    (tmp_path / "out" / "boxes.parquet").unlink()

    center = Center(tmp_path / "out")

    assert center.pixels.read(center.images["image"][0]).any()
    assert "label" not in center.images.columns


def test_rows_are_in_the_order_of_image_ids(source, tmp_path):
    center = ingest(source, tmp_path / "out")

    assert center.images["image"].is_sorted()
    assert center.labels["image"].to_list() == center.images["image"].to_list()
    assert isinstance(center.images, pl.DataFrame)
