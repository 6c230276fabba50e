from __future__ import annotations

import pytest

from search_spaces.backbones import input_size
from search_spaces.errors import StudyError
from search_spaces.grid import expand
from tests.search_spaces.builders import make_study


def test_impossible_combinations_are_left_out_with_a_reason():
    expansion = expand(make_study())

    assert [cell.id for cell in expansion.cells] == [
        f"classification/{backbone}-{rest}"
        for backbone in ("resnet18", "resnet10t")
        for rest in ("none-scratch", "chest-transfer", "chest-frozen", "natural-transfer", "natural-frozen")
    ]
    reasons = {entry.combination: entry.reason for entry in expansion.left_out}
    assert len(reasons) == 8
    assert reasons["classification/resnet18-none-frozen"] == "frozen needs pretrained weights"
    assert "scratch starts from nothing" in reasons["classification/resnet18-chest-scratch"]


def test_radimagenet_is_left_out_for_a_backbone_it_has_no_weights_for():
    grid = {"backbone": ["resnet18"], "pretraining": ["radimagenet"], "init": ["transfer"]}

    expansion = expand(make_study(arm={"grid": grid}))

    assert expansion.cells == ()
    assert "has no weights for resnet18, only for resnet50" in expansion.left_out[0].reason


def test_a_missing_weights_file_is_named_with_where_to_put_it(tmp_path):
    grid = {"backbone": ["resnet50"], "pretraining": ["radimagenet"], "init": ["transfer"]}

    expansion = expand(make_study(arm={"grid": grid}, weights=str(tmp_path)))

    assert str(tmp_path / "radimagenet" / "resnet50.safetensors") in expansion.missing[0].sentence
    assert "ResNet50.pt" in expansion.missing[0].sentence


@pytest.mark.parametrize(
    ("axis", "word", "meant"), [("backbone", "resnet81", "resnet18"), ("pretraining", "chets", "chest")]
)
def test_an_unknown_word_is_refused_with_the_nearest_known_one(axis, word, meant):
    grid = {"backbone": ["resnet18"], "pretraining": ["none"], "init": ["scratch"], axis: [word]}

    with pytest.raises(StudyError, match=f"'{word}'.*Did you mean '{meant}'"):
        expand(make_study(arm={"grid": grid}))


def test_any_model_of_timm_is_a_backbone_with_the_input_size_it_was_published_for():
    grid = {"backbone": ["vit_tiny_patch16_384"], "pretraining": ["none"], "init": ["scratch"]}

    expansion = expand(make_study(arm={"grid": grid}))

    assert [cell.backbone for cell in expansion.cells] == ["vit_tiny_patch16_384"]
    assert input_size("vit_tiny_patch16_384") == 384


def test_an_input_that_a_backbone_cannot_read_is_refused():
    grid = {"backbone": ["inception_v3"], "pretraining": ["none"], "init": ["scratch"]}

    with pytest.raises(StudyError, match="inception_v3 reads at least 75 pixels on a side, not 64"):
        expand(make_study(arm={"grid": grid, "image_size": 64}))


def test_each_number_of_trained_stages_is_a_cell_of_its_own():
    grid = {"backbone": ["resnet18"], "pretraining": ["chest"], "init": ["partial_1", "partial_2"]}

    cells = expand(make_study(arm={"grid": grid})).cells

    assert [cell.id.rsplit("-")[-1] for cell in cells] == ["partial_1", "partial_2"]


def test_classifiers_weights_are_left_out_of_an_arm_that_detects():
    arm = {
        "task": "detection",
        "labels": {"positive": ["malignant"], "negative": ["normal"]},
        "grid": {"backbone": ["yolov5n"], "pretraining": ["imagenet"], "init": ["transfer"]},
    }

    expansion = expand(make_study(more_arms=[arm]))

    assert "imagenet weights are classifiers, this arm detects" in expansion.left_out[-1].reason


def test_files_of_a_source_nobody_knows_are_refused_by_name():
    with pytest.raises(StudyError, match=r"sources\.mine\.files: 'radimagnet'.*Did you mean 'radimagenet'"):
        expand(make_study(sources={"mine": {"files": "radimagnet"}}))


@pytest.mark.parametrize("block", ["corpora", "sources"])
def test_a_name_of_the_catalogue_cannot_be_given_away(block):
    entry = {"data": "d"} if block == "corpora" else {}

    with pytest.raises(StudyError, match=f"{block}: 'imagenet' is the name of a known source"):
        expand(make_study(**{block: {"imagenet": entry}}))


def test_a_detector_is_refused_in_a_classification_arm():
    grid = {"backbone": ["yolov5n"], "pretraining": ["none"], "init": ["scratch"]}

    with pytest.raises(StudyError, match="not a classification backbone"):
        expand(make_study(arm={"grid": grid}))
