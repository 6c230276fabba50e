"""Published layouts: what is loaded into timm's network computes exactly what the publisher's network computes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.weights.files import load, network, numbered, saved, theirs
from trainables.weights.layouts import detector_layout_of, layout_of, timm_names, ultralytics_names
from trainables.weights.loading import Loaded, Tensors

INCEPTION = {"init_weights": False, "transform_input": False}
MODELS: list[tuple[str, int, int, dict[str, Any]]] = [
    ("resnet50", 64, 318, {}),
    ("densenet121", 64, 725, {}),
    ("inception_v3", 96, 564, {"aux_logits": False, **INCEPTION}),
    ("inception_v3", 96, 564, {"aux_logits": True, **INCEPTION}),
]
IDS = ["resnet50", "densenet121", "inception_v3", "inception_v3 with AuxLogits"]


def head_of(model: torch.nn.Module) -> torch.nn.Linear:
    head = model.get_submodule("classifier" if hasattr(model, "classifier") else "fc")
    assert isinstance(head, torch.nn.Linear)
    return head


def largest_difference(publisher: torch.nn.Module, path: Path, name: str, size: int) -> tuple[float, Loaded]:
    """Of both networks' logits on random images, the file loaded into timm's and the head copied."""
    ours = network(name, num_classes=head_of(publisher).out_features)
    loaded = load(ours, path, name, least=1.0)
    ours.get_classifier().load_state_dict(head_of(publisher).state_dict())  # type: ignore[operator]
    images = torch.rand(2, 3, size, size)
    with torch.inference_mode():
        return float((ours(images) - publisher(images)).abs().max()), loaded


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size", "tensors", "options"), MODELS, ids=IDS)
def test_radimagenets_layout_computes_what_torchvision_computes(
    tmp_path: Path, name: str, size: int, tensors: int, options: dict[str, Any]
) -> None:
    publisher = theirs(name, **options)
    path = tmp_path / f"{name}.pt"
    torch.save({"state_dict": numbered(publisher, name, "module.backbone.")}, path)

    difference, loaded = largest_difference(publisher, path, name, size)

    assert difference == 0.0
    assert len(loaded.loaded) == tensors
    assert all(left.startswith("AuxLogits.") for left in loaded.left_over)
    assert len(loaded.left_over) == (14 if options.get("aux_logits") else 0)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size", "tensors", "options"), [MODELS[0], MODELS[3]], ids=[IDS[0], IDS[3]])
def test_torchvisions_own_names_compute_what_torchvision_computes(
    tmp_path: Path, name: str, size: int, tensors: int, options: dict[str, Any]
) -> None:
    publisher = theirs(name, **options)

    difference, loaded = largest_difference(publisher, saved(tmp_path / "w.pth", publisher.state_dict()), name, size)

    assert difference == 0.0
    assert len(loaded.loaded) == tensors


@pytest.mark.slow
def test_torchxrayvisions_gray_resnet_computes_in_three_channels_what_it_computes_in_one(tmp_path: Path) -> None:
    publisher = theirs("resnet50", num_classes=18)
    publisher.conv1 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    path = saved(tmp_path / "w.pt", publisher.state_dict())
    color, gray = network("resnet50", num_classes=18), network("resnet50", num_classes=18, in_chans=1)

    reshaped = load(color, path, "resnet50").reshaped
    assert load(gray, path, "resnet50").reshaped == ()

    image = torch.rand(2, 1, 64, 64)
    for ours in (color, gray):
        ours.get_classifier().load_state_dict(head_of(publisher).state_dict())  # type: ignore[operator]
    with torch.inference_mode():
        assert torch.equal(gray(image), publisher(image))
        torch.testing.assert_close(color(image.repeat(1, 3, 1, 1)), publisher(image), rtol=1e-3, atol=1e-3)
    assert reshaped == ("conv1.weight",)


def test_a_gray_file_answers_in_three_channels_as_in_one(tmp_path: Path) -> None:
    gray, color = network(seed=1, num_classes=0, in_chans=1), network(seed=2, num_classes=0)
    image = torch.rand(2, 1, 64, 64)

    loaded = load(color, saved(tmp_path / "w.safetensors", gray.state_dict()))

    assert loaded.reshaped == ("conv1.0.weight",)
    with torch.inference_mode():
        torch.testing.assert_close(color(image.repeat(1, 3, 1, 1)), gray(image), rtol=1e-4, atol=1e-5)


def test_a_densenet_of_torchvisions_first_years_is_named_as_today() -> None:
    names = timm_names(
        ["features.denseblock1.denselayer2.norm.1.weight", "features.denseblock4.denselayer16.conv.2.weight"],
        "densenet121",
    )

    assert list(names.values()) == [
        "features.denseblock1.denselayer2.norm1.weight",
        "features.denseblock4.denselayer16.conv2.weight",
    ]


@pytest.mark.parametrize(
    ("child", "rest", "aux", "expected"),
    [
        (14, "branch1x1.conv.weight", False, "Mixed_6e.branch1x1.conv.weight"),
        (15, "branch3x3_1.conv.weight", False, "Mixed_7a.branch3x3_1.conv.weight"),
        (15, "fc.weight", True, "AuxLogits.fc.weight"),
        (16, "branch3x3_1.conv.weight", True, "Mixed_7a.branch3x3_1.conv.weight"),
    ],
)
def test_inceptions_auxiliary_classifier_shifts_what_follows_it(
    child: int, rest: str, aux: bool, expected: str
) -> None:
    names = [f"{child}.{rest}", *(["15.conv0.conv.weight"] if aux else [])]

    assert timm_names(names, "inception_v3")[names[0]] == expected


@pytest.mark.parametrize(
    ("names", "backbone", "layout"),
    [
        (["backbone.0.weight"], "resnet50", "radimagenet"),
        (["conv1.weight"], "resnet50", "timm"),
        (["AuxLogits.fc.weight"], "inception_v3", "torchvision"),
        (["features.denseblock1.denselayer1.norm.1.weight"], "densenet121", "torchvision"),
        (["features.conv0.weight"], "densenet121", "timm"),
    ],
)
def test_a_layout_is_recognized_by_its_names(names: list[str], backbone: str, layout: str) -> None:
    assert layout_of(names, backbone) == layout


def test_a_detectors_names_lose_what_wrappers_put_before_the_layers() -> None:
    names = ultralytics_names(["model.0.conv.weight", "module.model.1.bn.bias", "model.model.2.m.0.cv1.bn.weight", "x"])

    assert list(names.values()) == ["model.0.conv.weight", "model.1.bn.bias", "model.2.m.0.cv1.bn.weight", "x"]
    assert detector_layout_of(["model.24.anchors"]) == "yolov5"
    assert detector_layout_of(["model.24.cv2.0.0.conv.weight"]) == "ultralytics"


@pytest.mark.slow
def test_dotted_names_still_cover_every_tensor_of_a_densenet(tmp_path: Path) -> None:
    state = network("densenet121", num_classes=0).state_dict()
    older: Tensors = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): state[name] for name in state}

    loaded = load(network("densenet121", seed=2, num_classes=0), saved(tmp_path / "w.pth", older), "densenet121")

    assert set(older) != set(state)
    assert loaded.share == 1.0
