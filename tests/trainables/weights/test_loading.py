"""Weights files: what is loaded is certified, and what misfits is refused with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from search_spaces.errors import StudyError
from tests.trainables.weights.files import load, network, saved
from trainables.classification.model import first_conv
from trainables.weights.loading import fingerprint, read_weights


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pt"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "backbone.", "module.model.", "0.backbone."])
def test_formats_and_prefixes_all_lead_to_the_same_weights(tmp_path: Path, suffix: str, prefix: str) -> None:
    source = network(seed=1, num_classes=7).state_dict()
    path = saved(tmp_path / f"w{suffix}", {prefix + name: tensor for name, tensor in source.items()})
    model = network(seed=2, num_classes=1)
    head = model.state_dict()["fc.weight"].clone()

    loaded = load(model, path)

    live = model.state_dict()
    assert all(torch.equal(live[name], source[name]) for name in loaded.loaded)
    assert torch.equal(live["fc.weight"], head)
    assert loaded.share == 1.0
    assert loaded.left_over == ("fc.bias", "fc.weight") if suffix == ".safetensors" else ("fc.weight", "fc.bias")


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_a_wrapped_state_dict_is_unwrapped(tmp_path: Path, wrapper: str) -> None:
    source = network(seed=1).state_dict()
    torch.save({"epoch": 3, wrapper: source}, tmp_path / "w.pth")

    assert load(network(), tmp_path / "w.pth").share == 1.0


def test_a_checkpoint_that_contains_itself_does_not_hang(tmp_path: Path) -> None:
    content: dict[str, Any] = {"epoch": 3}
    content["model"] = content
    torch.save(content, tmp_path / "w.pth")

    with pytest.raises(StudyError, match="holds no tensors"):
        read_weights(tmp_path / "w.pth")


def test_a_quantized_file_is_refused(tmp_path: Path) -> None:
    source = network(seed=1).state_dict()
    source["layer1.0.conv1.weight"] = (source["layer1.0.conv1.weight"] * 100).to(torch.int8)

    with pytest.raises(StudyError, match=r"layer1\.0\.conv1\.weight holds whole numbers \(torch\.int8\)"):
        load(network(), saved(tmp_path / "w.safetensors", source))


def test_positions_are_interpolated_to_the_grid_of_another_input_size(tmp_path: Path) -> None:
    source, model = (timm.create_model("test_vit", num_classes=1, img_size=size) for size in (160, 192))
    given = source.state_dict()
    across = torch.linspace(-1, 1, 10).repeat(10, 1).reshape(1, 100, 1)  # rises from the left to the right of the grid
    prefix = given["pos_embed"].shape[1] - 100
    given["pos_embed"][:, prefix:] = across

    loaded = load(model, saved(tmp_path / "w.safetensors", given), "test_vit")

    live = model.state_dict()["pos_embed"]
    assert loaded.reshaped == ("pos_embed",)
    assert live.shape[1] == prefix + 144
    assert torch.equal(live[:, :prefix], given["pos_embed"][:, :prefix])
    assert torch.allclose(live[0, prefix:, 0].reshape(12, 12)[5], torch.linspace(-1, 1, 12), atol=0.1)


def test_other_tables_that_depend_on_the_input_size_are_named_as_such(tmp_path: Path) -> None:
    source = network(seed=1).state_dict()
    source["layer1.0.pos_embed"] = torch.zeros(1, 4, 8)
    model = network(seed=2)
    model.layer1[0].register_buffer("pos_embed", torch.zeros(1, 9, 8))

    with pytest.raises(StudyError, match=r"pos_embed has shape .*another input size\. Leave out image_size"):
        load(model, saved(tmp_path / "w.safetensors", source))


def test_an_architecture_without_a_named_first_layer_is_refused() -> None:
    model = torch.nn.Linear(1, 1)
    model.pretrained_cfg = {"architecture": "csatv2", "first_conv": [], "classifier": None}

    with pytest.raises(StudyError, match="'csatv2': timm does not say which of its layers is the first_conv"):
        first_conv(model)


def test_color_channels_are_summed_so_that_gray_gives_the_same_answer(tmp_path: Path) -> None:
    color, gray = network(seed=1, num_classes=0), network(seed=2, num_classes=0, in_chans=1)
    path = saved(tmp_path / "w.safetensors", color.state_dict())
    image = torch.rand(2, 1, 64, 64)

    loaded = load(gray, path)

    assert loaded.reshaped == ("conv1.0.weight",)
    with torch.inference_mode():
        torch.testing.assert_close(gray(image), color(image.repeat(1, 3, 1, 1)), rtol=1e-4, atol=1e-5)


def test_old_files_without_batch_norms_counters_count_as_complete(tmp_path: Path) -> None:
    source = {name: tensor for name, tensor in network().state_dict().items() if "num_batches" not in name}

    loaded = load(network(seed=1), saved(tmp_path / "w.pth", source), least=1.0)

    assert loaded.share == 1.0
    assert all(name.endswith("num_batches_tracked") for name in loaded.missing)


def test_a_file_with_a_tenth_missing_is_refused_with_counts_and_examples(tmp_path: Path) -> None:
    source = network().state_dict()
    path = saved(tmp_path / "w.pth", {name: tensor for name, tensor in source.items() if "layer3" not in name})

    with pytest.raises(
        StudyError, match=r"w\.pth: holds \d+ of the \d+ tensors of test_resnet.*layer3\.0\.conv1\.weight"
    ):
        load(network(seed=1), path)


def test_a_single_missing_tensor_is_named_and_refused_where_all_are_needed(tmp_path: Path) -> None:
    source = network().state_dict()
    del source["bn1.bias"]
    path = saved(tmp_path / "w.pth", source)

    assert load(network(seed=1), path).missing == ("bn1.bias",)
    with pytest.raises(StudyError, match=r"100% are needed; missing are 'bn1\.bias'"):
        load(network(seed=1), path, least=1.0)


def test_a_refused_file_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = network(seed=1)
    before = fingerprint(model.state_dict())
    source = {name: tensor for name, tensor in network().state_dict().items() if "layer3" not in name}

    with pytest.raises(StudyError):
        load(model, saved(tmp_path / "w.pth", source))

    assert fingerprint(model.state_dict()) == before


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ("resnet10t", "of another backbone"),
        ("test_efficientnet", "of another backbone"),
        ("test_vit", "holds 0 of the"),
    ],
)
def test_a_file_of_another_backbone_is_refused(tmp_path: Path, other: str, reason: str) -> None:
    path = saved(tmp_path / "w.safetensors", network(other).state_dict())

    with pytest.raises(StudyError, match=reason):
        load(network(), path)


def test_a_larger_backbone_that_contains_ours_is_refused(tmp_path: Path) -> None:
    source = network().state_dict()
    deeper = {f"layer3.{block}.conv1.weight": torch.zeros(1) for block in range(5, 25)}

    with pytest.raises(StudyError, match="of a larger backbone"):
        load(network(seed=1), saved(tmp_path / "w.pth", {**source, **deeper}))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.safetensors", network().state_dict())
    path.write_bytes(path.read_bytes()[:-1000])

    with pytest.raises(StudyError, match=r"w\.safetensors: cannot be read as weights"):
        load(network(), path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pt"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", bytes(4096)])
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)

    with pytest.raises(StudyError, match="cannot be read as weights"):
        read_weights(path)


def test_a_pickled_model_is_refused_without_running_it(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "w.pt")

    with pytest.raises(StudyError, match=r"w\.pt: cannot be read as weights .*state_dict of plain tensors"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, {"state_dict": {}}])
def test_a_file_without_tensors_is_refused(tmp_path: Path, content: dict[str, Any]) -> None:
    torch.save(content, tmp_path / "w.pth")

    with pytest.raises(StudyError, match="holds no tensors"):
        read_weights(tmp_path / "w.pth")


def test_a_missing_file_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"absent\.pth: there is no such weights file"):
        read_weights(tmp_path / "absent.pth")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    source = network().state_dict()
    source["bn1.weight"][0] = torch.nan

    with pytest.raises(StudyError, match=r"bn1\.weight holds values that are not finite"):
        load(network(seed=1), saved(tmp_path / "w.pth", source))


def test_two_models_in_one_file_are_refused(tmp_path: Path) -> None:
    source = network().state_dict()
    path = saved(tmp_path / "w.pth", {**source, **{f"module.{name}": tensor for name, tensor in source.items()}})

    with pytest.raises(StudyError, match=r"'conv1.0.weight' and 'module.conv1.0.weight' both mean 'conv1.0.weight'"):
        load(network(seed=1), path)


def test_a_fingerprint_sees_names_and_bits_but_not_order_or_memory_format() -> None:
    tensors = {"a": torch.rand(2, 3, 4, 4), "b": torch.tensor(1)}
    other = {"b": tensors["b"].clone(), "a": tensors["a"].clone(memory_format=torch.channels_last)}

    assert fingerprint(other) == fingerprint(tensors)
    assert fingerprint({"a": tensors["a"], "c": tensors["b"]}) != fingerprint(tensors)
    assert fingerprint({"a": tensors["a"] + 1e-6, "b": tensors["b"]}) != fingerprint(tensors)


def test_numbered_names_of_a_backbone_without_a_known_layout_are_refused(tmp_path: Path) -> None:
    numbered = torch.nn.Sequential(*network().children()).state_dict()

    with pytest.raises(StudyError, match="holds 0 of the"):
        load(network(seed=1), saved(tmp_path / "w.pt", numbered))
