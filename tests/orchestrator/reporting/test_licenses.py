"""Licenses travel from a source to every cell that learned from it, and the strictest word wins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.reporting.licenses import terms, terms_of_cell, union
from tests.search_spaces.builders import make_study

CORPUS = {"data": "d/chest", "modality": "radiographs", "anatomy": "chest", "license": "CC0", "commercial_use": "yes"}


def put_weights(folder: Path, source: str, backbone: str, **record: Any) -> None:
    """An added weights file with its record; its content is not looked at."""
    (folder / source).mkdir(parents=True, exist_ok=True)
    (folder / source / f"{backbone}.safetensors").write_bytes(b"")
    known = {"source": source, "backbone": backbone, "task": "classification", "sha256": "a", "origin": "x.pt"}
    known |= {"origin_sha256": "b", "layout": "timm", "tensors": 1, "added": "2026-01-01"}
    (folder / source / f"{backbone}.json").write_text(json.dumps(known | record))


def of(use: str, name: str = "") -> dict[str, str]:
    return {"trained_on": "", "license": name, "commercial_use": use}


@pytest.mark.parametrize(
    ("uses", "strictest"),
    [(("yes", "unknown", "no"), "no"), (("yes", "unknown"), "unknown"), (("yes", ""), "yes"), (("",), ""), ((), "")],
)
def test_the_strictest_commercial_use_wins(uses: tuple[str, ...], strictest: str) -> None:
    assert union(*map(of, uses))["commercial_use"] == strictest


def test_all_licenses_are_kept_each_once() -> None:
    assert union(of("yes", "MIT"), of("", ""), of("no", "CC BY-NC"), of("yes", "MIT"))["license"] == "MIT; CC BY-NC"


def test_terms_come_from_the_catalogue_a_corpus_or_the_study() -> None:
    study = make_study(
        corpora={"chest": CORPUS, "natural": {"data": "d"}},
        sources={
            "hands": {"license": "internal", "commercial_use": "no", "modality": "radiographs", "anatomy": "hand"}
        },
    )

    assert terms(study, "radimagenet")["trained_on"].startswith("CT, MR and ultrasound")
    assert terms(study, "coco")["commercial_use"] == "no"
    assert terms(study, "chest") == {"trained_on": "radiographs, chest", "license": "CC0", "commercial_use": "yes"}
    assert terms(study, "hands") == {"trained_on": "radiographs, hand", "license": "internal", "commercial_use": "no"}
    assert terms(study, "none") == of("")


def test_an_added_file_carries_the_terms_of_its_record(tmp_path: Path) -> None:
    put_weights(tmp_path, "hands", "resnet18", license="MIT", commercial_use="no", anatomy="hand", modality="MR")

    found = terms_of_cell(make_study(weights=str(tmp_path)), "hands", "resnet18")

    assert found == {"trained_on": "MR, hand", "license": "MIT", "commercial_use": "no"}


def test_a_record_makes_the_terms_of_a_catalogued_source_stricter(tmp_path: Path) -> None:
    put_weights(tmp_path, "imagenet", "resnet18", license="research only", commercial_use="no")
    study = make_study(weights=str(tmp_path))

    assert terms_of_cell(study, "imagenet", "resnet18")["commercial_use"] == "no"
    assert terms_of_cell(study, "imagenet", "resnet18")["license"].endswith("; research only")
    assert terms_of_cell(study, "imagenet", "resnet50")["commercial_use"] == "unknown"


def test_a_record_that_knows_nothing_adds_nothing(tmp_path: Path) -> None:
    put_weights(tmp_path, "coco", "yolov5n")

    assert terms_of_cell(make_study(weights=str(tmp_path)), "coco", "yolov5n") == terms(make_study(), "coco")


def test_the_study_has_the_last_word_on_a_source_that_it_declares(tmp_path: Path) -> None:
    put_weights(tmp_path, "hands", "resnet18", license="MIT", commercial_use="no")
    study = make_study(weights=str(tmp_path), sources={"hands": {"license": "bought", "commercial_use": "yes"}})

    found = terms_of_cell(study, "hands", "resnet18")

    assert (found["license"], found["commercial_use"]) == ("bought", "yes")
