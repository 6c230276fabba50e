"""Leakage between centers, and classes too small to learn from."""

from __future__ import annotations

import cv2
import numpy as np
import polars as pl
import pytest

from cohorts.checks import check_classes, check_shared_patients, count_classes, find_duplicates
from cohorts.duplicates import Duplicate, _close_hashes
from cohorts.manifest import ingest_center
from search_spaces.errors import StudyError
from tests.cohorts.making import radiograph, write_center, write_png

WHERE = "Study 'x', arm 'classification'"


def ingest(folder, name, size=64, **options):
    return ingest_center(name, folder, folder.parent / f"{name}-out", size=size, salt=b"salt", **options)


def make_center(tmp_path, name, labels=("benign", "malignant"), *, first_seed, patients=None, **options):
    return ingest(write_center(tmp_path / name, labels, first_seed=first_seed, patients=patients), name, **options)


def tables(*labels):
    """One patient with one image per label."""
    ids = [str(number) for number in range(len(labels))]
    return pl.DataFrame({"image": ids, "patient": ids}), pl.DataFrame({"image": ids, "label": labels})


def test_centers_of_different_images_share_nothing(tmp_path):
    centers = [make_center(tmp_path, name, first_seed=seed) for name, seed in (("a", 0), ("b", 10), ("c", 20))]

    assert find_duplicates(centers) == []


def test_an_image_in_two_centers_is_an_exact_duplicate(tmp_path):
    first = make_center(tmp_path, "a", first_seed=0)
    second = make_center(tmp_path, "b", first_seed=1)  # b's 0.png is a's 1.png

    (found,) = find_duplicates([first, second])

    assert (found.kind, found.first_center, found.second_center) == ("exact", "a", "b")
    assert found.first_image.split("-")[1] == found.second_image.split("-")[1]


def test_a_smaller_recompressed_darker_copy_is_a_near_duplicate(tmp_path):
    large = radiograph(5, 300, 240)
    write_png(tmp_path / "a" / "0.png", large)
    (tmp_path / "a" / "labels.csv").write_text("file,patient_id,label\n0.png,p,benign\n")
    (tmp_path / "b").mkdir()
    copy = cv2.resize((large * 0.8 + 20).astype(np.uint8), (64, 80), interpolation=cv2.INTER_AREA)
    (tmp_path / "b" / "0.jpg").write_bytes(cv2.imencode(".jpg", copy, [cv2.IMWRITE_JPEG_QUALITY, 70])[1].tobytes())
    (tmp_path / "b" / "labels.csv").write_text("file,patient_id,label\n0.jpg,q,benign\n")

    first, second = ingest(tmp_path / "a", "a", size=200), ingest(tmp_path / "b", "b")

    assert find_duplicates([first, second]) == [
        Duplicate("near", "a", first.images["image"][0], "b", second.images["image"][0])
    ]


def test_close_hashes_of_different_images_are_no_duplicates(tmp_path):
    stripes = np.tile(np.arange(90, dtype=np.uint8), (80, 1))
    blocks = np.tile(np.repeat(np.arange(9, dtype=np.uint8) ** 2 * 3, 10), (80, 1))
    for name, values in (("a", stripes), ("b", np.where(np.arange(80)[:, None] < 40, blocks // 4, blocks))):
        write_png(tmp_path / name / "0.png", values)
        (tmp_path / name / "labels.csv").write_text("file,patient_id,label\n0.png,p,benign\n")
    first, second = ingest(tmp_path / "a", "a"), ingest(tmp_path / "b", "b")
    assert first.images["dhash"][0] == second.images["dhash"][0]

    assert find_duplicates([first, second]) == []


def test_two_constant_images_are_duplicates_only_if_equal(tmp_path):
    for name, value in (("a", 10), ("b", 200)):
        write_png(tmp_path / name / "0.png", np.full((40, 40), value, np.uint8))
        (tmp_path / name / "labels.csv").write_text("file,patient_id,label\n0.png,p,benign\n")

    assert find_duplicates([ingest(tmp_path / "a", "a"), ingest(tmp_path / "b", "b")]) == []


def test_all_pairs_within_four_bits_are_found_across_blocks():
    generator = np.random.default_rng(0)
    first = generator.integers(0, 2**63, 1200).astype(np.uint64)
    second = generator.permutation(first)[:700] ^ np.uint64(0b1111)
    second[0] ^= np.uint64(1 << 40)

    rows, columns = _close_hashes(first, second)

    assert len(rows) == 699
    assert (np.bitwise_count(first[rows] ^ second[columns]) == 4).all()


def test_a_patient_of_each_class_per_fold_is_enough_and_one_fold_more_is_not():
    five_of_each = tables(*["benign", "malignant"] * 5)

    check_classes(*five_of_each, ["malignant"], ["benign"], 5, WHERE)
    with pytest.raises(StudyError, match="lower `folds`"):
        check_classes(*five_of_each, ["malignant"], ["benign"], 6, WHERE)


def test_one_class_only_is_refused():
    with pytest.raises(StudyError) as caught:
        check_classes(*tables("benign", "benign", "normal"), ["malignant"], ["benign"], 2, WHERE)
    assert str(caught.value) == (
        f"{WHERE}: no patient has a positive label (malignant), so there is one class only; the labels found are "
        "benign, normal; correct `labels.positive` or add such patients."
    )


def test_fewer_patients_of_a_class_than_folds_are_refused():
    with pytest.raises(StudyError) as caught:
        check_classes(*tables(*["malignant"] * 8, "benign", "benign"), ["malignant"], ["benign"], 5, WHERE)
    assert str(caught.value) == (
        f"{WHERE}: 2 patients have a negative label (benign), at least 5 are needed, one for each fold; "
        "lower `folds` or `reserve`, or add patients."
    )


def test_patients_count_not_images():
    images = pl.DataFrame({"image": ["1", "2", "3"], "patient": ["p", "p", "q"]})
    labels = pl.DataFrame({"image": ["1", "2", "3"], "label": ["malignant", "malignant", "benign"]})

    with pytest.raises(StudyError, match="1 patients have a positive label"):
        check_classes(images, labels, ["malignant"], ["benign"], 2, WHERE)


def test_the_reserve_is_taken_off_before_folds_are_filled():
    images, labels = tables(*["benign", "malignant"] * 5)

    with pytest.raises(StudyError, match="at least 5 are needed beside 1 in the reserve"):
        check_classes(images, labels, ["malignant"], ["benign"], 5, WHERE, reserve=0.2)


def test_shared_patients_in_training_and_test_are_refused_without_naming_them(tmp_path):
    first = make_center(tmp_path, "a", first_seed=0, patients=["4711", "1"], patient_ids="shared")
    second = make_center(tmp_path, "b", first_seed=10, patients=["4711", "2"], patient_ids="shared")

    with pytest.raises(StudyError) as caught:
        check_shared_patients([first], [second])
    assert str(caught.value).startswith("1 patients of the development center 'a' are in the external center 'b' too; ")
    assert "4711" not in str(caught.value)


def test_patients_of_two_external_centers_may_be_shared(tmp_path):
    first = make_center(tmp_path, "a", first_seed=0, patient_ids="shared", patients=["1", "2"])
    second = make_center(tmp_path, "b", first_seed=10, patient_ids="shared", patients=["3", "4"])
    third = make_center(tmp_path, "c", first_seed=20, patient_ids="shared", patients=["3", "5"])

    assert set(second.images["patient"]) & set(third.images["patient"])
    check_shared_patients([first], [second, third])
    with pytest.raises(StudyError, match="development center 'b' are in the external center 'c'"):
        check_shared_patients([second], [third])


def test_other_labels_are_counted_as_left_out(tmp_path):
    center = make_center(tmp_path, "a", ["malignant", "benign", "normal", "benign"], first_seed=0)

    assert count_classes(center, ["malignant"], ["benign"]) == {"positive": 1, "negative": 2, "other": 1}
