"""The wrong file is recognized for what it is, and refused with a sentence of its own."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
import torch

from search_spaces.errors import StudyError
from tests.trainables.weights.files import BACKBONE, hollow, load, network, numbered, saved, shapes, theirs
from trainables.weights.layouts import SEQUENTIAL
from trainables.weights.loading import fingerprint, read_weights
from trainables.weights.refusals import why_foreign
from trainables.weights.variants import stride_variant

FILE = Path("weights/file.pt")
BESIDE_BATCH_NORM = {
    "resnet50": ("conv1.bias", "layer4.2.conv3.bias"),
    "inception_v3": ("Conv2d_1a_3x3.conv.bias", "Mixed_7c.branch1x1.conv.bias"),
    "densenet121": ("features.conv0.bias", "features.denseblock1.denselayer1.conv2.bias"),
}


@pytest.mark.parametrize("backbone", list(BESIDE_BATCH_NORM))
def test_convolutions_with_biases_are_told_to_come_from_keras(backbone: str) -> None:
    live = shapes(backbone)
    file = hollow({**live, **dict.fromkeys(BESIDE_BATCH_NORM[backbone], (64,))})

    assert why_foreign(hollow(live), live, FILE, backbone) == ""
    reason = why_foreign(file, live, FILE, backbone)

    assert reason.startswith(f"{FILE}: has '{BESIDE_BATCH_NORM[backbone][0]}', ")
    assert "as files converted from Keras have" in reason
    assert ("stride in conv1 (ResNet v1), those of timm and torchvision in conv2 (v1.5)" in reason) == (
        backbone == "resnet50"
    )


def test_even_a_single_bias_beside_batch_norm_is_not_loaded_silently(tmp_path: Path) -> None:
    source = {**network().state_dict(), "layer1.0.conv1.bias": torch.zeros(32)}
    model = network(seed=1)
    before = fingerprint(model.state_dict())

    with pytest.raises(StudyError, match=r"has 'layer1\.0\.conv1\.bias': convolutions with a bias beside batch norm"):
        load(model, saved(tmp_path / "w.pth", source))

    assert fingerprint(model.state_dict()) == before


@pytest.mark.parametrize(
    "names",
    [
        ("conv1_conv/kernel:0", "conv2_block1_1_bn/gamma:0", "conv1_conv/bias:0"),
        ("conv1_conv.kernel", "conv1_bn.moving_mean", "conv1_bn.moving_variance"),
    ],
)
def test_names_of_keras_are_recognized(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = saved(tmp_path / "w.safetensors", {name: torch.zeros(3, 3) for name in names})

    with pytest.raises(StudyError, match=r"names its tensors as Keras does .*stores its kernels transposed"):
        load(network(), path)


@pytest.mark.parametrize("suffix", [".h5", ".pt", ".safetensors"])
def test_a_file_of_hdf5_is_recognized_whatever_it_is_called(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"RadImageNet-ResNet50_notop{suffix}"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))

    with pytest.raises(StudyError, match=r"is a file of Keras \(HDF5\).*fetch the source's PyTorch file"):
        read_weights(path)


def test_a_torchscript_program_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "w.pt")

    with pytest.raises(StudyError, match="is a TorchScript program, which only runs as code"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize("first", ["storages", "PK", ""])
def test_a_tar_archive_is_refused_before_it_is_unpacked(tmp_path: Path, first: str) -> None:
    with tarfile.open(tmp_path / "w.pt", "w") as archive:
        archive.addfile(tarfile.TarInfo(first), io.BytesIO())

    with pytest.raises(StudyError, match="is a tar archive"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize("prefix", ["encoder.", "student.net.", "module.encoder."])
def test_an_unknown_prefix_is_named_with_the_way_on(tmp_path: Path, prefix: str) -> None:
    source = {f"{prefix}{name}": tensor for name, tensor in network().state_dict().items()}

    with pytest.raises(
        StudyError, match=rf"a {BACKBONE} under a prefix that no known wrapper leaves: '{prefix}'.*--prefix {prefix}`"
    ):
        load(network(), saved(tmp_path / "w.safetensors", source))


def test_both_networks_of_a_teacher_and_its_student_are_named() -> None:
    live = shapes(BACKBONE)
    file = hollow({f"{side}.{name}": shape for side in ("teacher", "student") for name, shape in live.items()})

    assert "leaves: 'teacher.', 'student.'. If" in why_foreign(file, live, FILE, BACKBONE)


@pytest.mark.parametrize(("backbone", "by"), [("resnet50", 1), ("densenet121", 1), ("inception_v3", 2)])
def test_a_sequential_whose_children_are_counted_from_elsewhere_is_recognized(backbone: str, by: int) -> None:
    live = shapes(backbone)
    places = {child: number + by for number, child in enumerate(SEQUENTIAL[backbone])}
    parts = {name: name.partition(".") for name in live}
    moved = {f"backbone.{places[child]}.{rest}": live[name] for name, (child, _, rest) in parts.items()}

    reason = why_foreign(hollow(moved), live, FILE, backbone)

    assert f"its children are counted from {by} where RadImageNet's files count from 0: 'backbone.{by}." in reason


@pytest.mark.slow
def test_no_shift_of_a_sequential_loads_silently(tmp_path: Path) -> None:
    whole = theirs("resnet50")
    children = list(whole.children())[:8]
    without_maxpool = torch.nn.Sequential(*children[:3], *children[4:]).state_dict()
    behind_another = torch.nn.Sequential(torch.nn.Identity(), *children).state_dict()

    for number, state in enumerate((without_maxpool, behind_another)):
        with pytest.raises(StudyError):
            load(network("resnet50"), saved(tmp_path / f"{number}.pt", state), "resnet50")
    assert load(network("resnet50"), saved(tmp_path / "right.pt", numbered(whole, "resnet50")), "resnet50").share == 1.0


@pytest.mark.parametrize(
    ("backbone", "variant"),
    [("resnet50", "v1.5"), ("resnet18", ""), ("densenet121", ""), ("test_resnet", "v1.5")],
)
def test_the_stride_variant_is_read_from_the_live_network(backbone: str, variant: str) -> None:
    with torch.device("meta"):
        assert stride_variant(network(backbone)) == variant


def test_a_network_rebuilt_as_keras_builds_it_is_called_v1() -> None:
    with torch.device("meta"):
        model = network("resnet50")
    for stage in ("layer2", "layer3", "layer4"):
        first = model.get_submodule(f"{stage}.0")
        first.conv1.stride, first.conv2.stride = (2, 2), (1, 1)  # type: ignore[union-attr]

    assert stride_variant(model) == "v1"

    model.get_submodule("layer2.0").conv1.stride = (1, 1)  # type: ignore[union-attr]
    model.get_submodule("layer2.0").conv2.stride = (2, 2)  # type: ignore[union-attr]
    with pytest.raises(RuntimeError, match="different places"):
        stride_variant(model)
