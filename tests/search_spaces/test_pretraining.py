from __future__ import annotations

import json

import pytest

from search_spaces.errors import StudyError
from search_spaces.pretraining import describe, normalization
from tests.search_spaces.builders import make_study

RECORD = {
    "source": "hands",
    "backbone": "resnet18",
    "task": "classification",
    "sha256": "0" * 64,
    "origin": "epoch_90.pt",
    "origin_sha256": "1" * 64,
    "layout": "timm",
    "tensors": 120,
    "modality": "radiograph",
    "anatomy": "hand",
    "license": "internal",
    "commercial_use": "no",
    "normalization": {"mean": [0.4], "std": [0.2]},
    "added": "2026-11-22T04:00:00Z",
}


def put(folder, record=None):
    folder.mkdir(parents=True)
    (folder / "resnet18.safetensors").write_bytes(b"weights")
    if record is not None:
        (folder / "resnet18.json").write_text(record if isinstance(record, str) else json.dumps(record))


def test_each_timm_backbone_keeps_the_normalization_its_imagenet_weights_were_trained_with():
    study = make_study()

    assert normalization(study, "imagenet", "resnet50") == {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    assert normalization(study, "imagenet", "inception_v3") == {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}


def test_chest_weights_of_torchxrayvision_see_what_they_were_made_for():
    found = normalization(make_study(), "torchxrayvision", "densenet121")

    assert [(gray - found["mean"][0]) / found["std"][0] for gray in (0.0, 1.0)] == [-1024, 1024]


def test_an_added_file_is_described_and_normalized_by_its_record(tmp_path):
    put(tmp_path / "hands", RECORD)
    study = make_study(weights=str(tmp_path))

    assert (describe(study, "hands").anatomy, describe(study, "hands").commercial_use) == ("hand", "no")
    assert normalization(study, "hands", "resnet18") == {"mean": (0.4,), "std": (0.2,)}


def test_what_the_study_says_of_a_source_goes_before_its_record(tmp_path):
    put(tmp_path / "hands", RECORD)
    study = make_study(
        weights=str(tmp_path),
        sources={"hands": {"license": "MIT"}, "again": {"files": "hands", "normalization": "per_image"}},
    )

    assert (describe(study, "hands").license, describe(study, "hands").anatomy) == ("MIT", "hand")
    assert normalization(study, "again", "resnet18") is None
    assert describe(study, "again").license == "internal"


def test_a_file_that_somebody_put_there_by_hand_is_unknown_in_every_respect(tmp_path):
    put(tmp_path / "hands")

    entry = describe(make_study(weights=str(tmp_path)), "hands")

    assert (entry.modality, entry.license, entry.commercial_use) == ("unknown", "unknown", "unknown")


def test_a_broken_record_is_named_with_what_to_do(tmp_path):
    put(tmp_path / "hands", "{")

    with pytest.raises(StudyError, match=r"resnet18\.json: is no record of a weights file.*osteogrid weights add"):
        describe(make_study(weights=str(tmp_path)), "hands")
