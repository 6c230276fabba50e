from __future__ import annotations

import pytest

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


def test_a_detector_is_refused_in_a_classification_arm():
    grid = {"backbone": ["yolov5n"], "pretraining": ["none"], "init": ["scratch"]}

    with pytest.raises(StudyError, match="not a classification backbone"):
        expand(make_study(arm={"grid": grid}))
