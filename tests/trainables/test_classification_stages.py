"""Stages of any timm architecture: what an initialization freezes, and what learns how fast."""

from __future__ import annotations

from collections.abc import Collection

import pytest
import timm
import torch

from search_spaces.errors import StudyError
from trainables.classification.optimizer import highest, optimizer_for, set_rate
from trainables.classification.stages import freeze, frozen_names, groups, start_training


def model_of(name: str) -> torch.nn.Module:
    with torch.device("meta"):
        model: torch.nn.Module = timm.create_model(name, num_classes=1, in_chans=1)
    return model


def beginnings(names: Collection[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(
    ("backbone", "stages", "last", "tail"),
    [
        ("test_resnet", 4, "layer4.", ["fc."]),
        ("densenet121", 4, "features.denseblock4.", ["features.norm5.", "classifier."]),
        ("mobilenetv3_small_050", 6, "blocks.5.", ["conv_head.", "classifier."]),
        ("test_vit", 6, "blocks.5.", ["head."]),
        ("convnext_atto", 4, "stages.3.", ["head."]),
        ("caformer_s18", 4, "stages.3.", ["head."]),
    ],
)
def test_stages_lie_between_the_stem_and_what_comes_after_them(
    backbone: str, stages: int, last: str, tail: list[str]
) -> None:
    stem, *between, end = groups(model_of(backbone))

    assert len(between) == stages
    assert any(name.startswith(last) for name in between[-1])
    assert not any(name.startswith(last) for name in (*stem, *between[-2], *end))
    assert all(name.startswith(tuple(tail)) for name in end)


@pytest.mark.parametrize(
    ("init", "frozen"),
    [
        ("scratch", set()),
        ("transfer", set()),
        ("probe_then_transfer", set()),
        ("partial_1", {"conv1", "bn1", "layer1", "layer2", "layer3"}),
        ("partial_4", {"conv1", "bn1"}),
        ("frozen", {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4"}),
    ],
)
def test_an_init_freezes_whole_stages_with_their_statistics(init: str, frozen: set[str]) -> None:
    names = frozen_names(model_of("test_resnet"), init)

    assert beginnings(names) == frozen
    assert ("bn1.running_mean" in names) == bool(frozen)


def test_more_stages_than_there_are_is_refused_with_their_number() -> None:
    with pytest.raises(
        StudyError, match=r"init partial_5: test_resnet has 4 stages .* allowed are partial_1 to partial_4"
    ):
        frozen_names(model_of("test_resnet"), "partial_5")


def test_what_is_frozen_gets_no_gradient_and_its_modules_stay_in_evaluation_mode() -> None:
    model = model_of("test_resnet")
    names = frozen_names(model, "partial_1")

    freeze(model, names)
    start_training(model, names)

    assert {name for name, each in model.named_parameters() if not each.requires_grad} == {
        name for name in names if name in dict(model.named_parameters())
    }
    norms = {name: each for name, each in model.named_modules() if isinstance(each, torch.nn.BatchNorm2d)}
    assert {name.partition(".")[0] for name, each in norms.items() if each.training} == {"layer4"}
    start_training(model, frozenset())
    assert all(each.training for each in norms.values())


def test_rates_fall_from_the_head_by_stages_and_keep_their_ratios() -> None:
    model = model_of("test_resnet")
    optimizer = optimizer_for(model, 0.1, 0.01, layer_decay=0.5)
    rates = {id(each): group["lr"] for group in optimizer.param_groups for each in group["params"]}
    named = {name: rates[id(each)] for name, each in model.named_parameters()}

    assert named["fc.weight"] == named["fc.bias"] == highest(optimizer, "lr") == 0.1
    assert named["layer4.0.conv1.weight"] == pytest.approx(0.05)
    assert named["layer1.0.conv1.weight"] == pytest.approx(0.1 / 16)
    assert named["conv1.0.weight"] == named["bn1.weight"] == pytest.approx(0.1 / 32)
    set_rate(optimizer, 0.01)
    assert sorted({group["lr"] for group in optimizer.param_groups}) == pytest.approx(
        [0.01 / 2**k for k in (5, 4, 3, 2, 1, 0)]
    )
    assert highest(optimizer, "initial_lr") == 0.1


def test_weights_decay_and_biases_norms_and_positions_do_not() -> None:
    model = model_of("test_vit")
    optimizer = optimizer_for(model, 0.1, 0.01)
    decays = {id(each): group["weight_decay"] for group in optimizer.param_groups for each in group["params"]}
    named = {name: decays[id(each)] for name, each in model.named_parameters()}

    assert named["blocks.0.attn.qkv.weight"] == 0.01
    assert {named[name] for name in ("pos_embed", "cls_token", "norm.weight", "head.bias")} == {0.0}


def test_only_what_is_trained_is_handed_to_the_optimizer() -> None:
    model = model_of("test_resnet")
    freeze(model, frozen_names(model, "frozen"))

    optimizer = optimizer_for(model, 0.1, 0.01)

    assert (
        sum(each.numel() for group in optimizer.param_groups for each in group["params"]) == model.fc.weight.numel() + 1
    )  # type: ignore[union-attr, operator]
