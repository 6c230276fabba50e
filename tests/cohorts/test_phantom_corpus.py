from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from cohorts.sources.phantom import write_corpus
from search_spaces.errors import StudyError
from search_spaces.starting_points import PhantomCorpus

CHEST = PhantomCorpus(kind="chest", images=12, height=64)
NATURAL = PhantomCorpus(kind="natural", images=12, height=64)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_chest_corpus_has_three_classes_and_boxes_around_its_opacities(tmp_path: Path) -> None:
    write_corpus(CHEST, tmp_path / "chest", workers=1)

    labels = rows(tmp_path / "chest" / "labels.csv")
    assert Counter(row["label"] for row in labels) == {"clear": 4, "nodule": 4, "infiltrate": 4}
    assert list(labels[0]) == ["file", "patient_id", "label", "view", "age", "sex"]
    opacities = [row["file"] for row in labels if row["label"] != "clear"]
    assert [row["file"] for row in rows(tmp_path / "chest" / "boxes.csv")] == opacities


def test_a_natural_corpus_has_four_shapes_each_with_a_box(tmp_path: Path) -> None:
    write_corpus(NATURAL, tmp_path / "natural", workers=1)

    labels = rows(tmp_path / "natural" / "labels.csv")
    assert Counter(row["label"] for row in labels) == {"disc": 3, "triangle": 3, "square": 3, "ellipse": 3}
    assert list(labels[0]) == ["file", "patient_id", "label"]
    assert len(rows(tmp_path / "natural" / "boxes.csv")) == 12


@pytest.mark.parametrize("spec", [CHEST, NATURAL])
def test_pictures_are_gray_and_boxes_lie_inside_them(spec: PhantomCorpus, tmp_path: Path) -> None:
    write_corpus(spec, tmp_path / "corpus", workers=1)

    for row in rows(tmp_path / "corpus" / "boxes.csv"):
        picture = cv2.imread(str(tmp_path / "corpus" / row["file"]), cv2.IMREAD_UNCHANGED)
        x, y, width, height = (int(row[name]) for name in ("x", "y", "width", "height"))

        assert picture is not None
        assert picture.shape == (64, 64)
        assert picture.dtype == np.uint8
        assert picture.std() > 10
        assert min(x, y) >= 0
        assert min(width, height) > 4
        assert max(x + width, y + height) <= 64


def test_a_larger_corpus_begins_with_the_smaller_one(tmp_path: Path) -> None:
    write_corpus(CHEST, tmp_path / "small", workers=1)
    write_corpus(CHEST.model_copy(update={"images": 15}), tmp_path / "large", workers=1)

    small, large = contents(tmp_path / "small" / "images"), contents(tmp_path / "large" / "images")
    assert len(large) == 15
    assert {name: large[name] for name in small} == small


def test_a_corpus_of_another_spec_is_refused(tmp_path: Path) -> None:
    write_corpus(CHEST, tmp_path / "corpus", workers=1)

    with pytest.raises(StudyError, match="kind 'chest', the study says 'natural'"):
        write_corpus(NATURAL, tmp_path / "corpus", workers=1)


def test_a_finished_corpus_is_left_alone(tmp_path: Path) -> None:
    write_corpus(CHEST, tmp_path / "corpus", workers=1)
    (tmp_path / "corpus" / "images" / "00000.png").unlink()

    write_corpus(CHEST, tmp_path / "corpus", workers=1)

    assert not (tmp_path / "corpus" / "images" / "00000.png").exists()
