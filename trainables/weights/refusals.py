"""Recognizes the wrong weights file by its first bytes or its tensors' names, each with a sentence of its own."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from trainables.weights.layouts import SEQUENTIAL, renumbered, strip, timm_names

Shapes = Mapping[str, tuple[int, ...]]

ENOUGH = 0.9
"""Of a backbone's tensors that must fit before a guess at what is wrong with a file is worth a sentence."""

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\3\4"
_KERAS = re.compile(r"(.+[/.])?(kernel|moving_mean|moving_variance)(:\d+)?|.+/(gamma|beta|bias)(:\d+)?|.+:\d+")
_WARVITO = "the radimagenet_resnet50 of Warvito/radimagenet-models, which MONAI loads, is one"
_HELP = "Allowed are .safetensors, and .pth or .pt files of PyTorch"


def why_no_weights_file(path: Path) -> str:
    """Reason why a file's format is refused before anything is read from it, empty if it is not."""
    if not path.is_file():
        return f"{path}: there is no such weights file; put it there or leave the source out of the grid."
    with path.open("rb") as file:
        start = file.read(8)
    if start == _HDF5 or path.suffix in {".h5", ".hdf5", ".keras"}:
        return (
            f"{path}: is a file of Keras (HDF5), whose networks differ from PyTorch's in padding, strides and batch "
            f"norm. {_HELP}; fetch the source's PyTorch file."
        )
    if path.suffix != ".safetensors" and _is_torchscript(path):
        return f"{path}: is a TorchScript program, which only runs as code. {_HELP}; save its state_dict instead."
    if path.suffix != ".safetensors" and start[:4] != _ZIP and _is_tar(path):
        return f"{path}: is a tar archive, as PyTorch wrote before 2017. {_HELP}; save its state_dict anew."
    return ""


def why_foreign(found: Mapping[str, torch.Tensor], live: Shapes, path: Path, backbone: str) -> str:
    """Reason why a file's tensors, under the file's own names, are of another network; empty if nothing stands out.

    `live` are the shapes of the backbone's tensors. Recognized are names of Keras, convolutions converted from Keras,
    an nn.Sequential whose children are counted from elsewhere, and a prefix that no known wrapper leaves.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in found.items()}
    return (
        _keras_names(shapes, path, backbone)
        or _keras_convolutions(shapes, live, path, backbone)
        or _moved_children(shapes, live, path, backbone)
        or _unknown_prefix(shapes, live, path, backbone)
    )


def share_that_fits(shapes: Shapes, names: Mapping[str, str], live: Shapes) -> float:
    """Share of the backbone's tensors that a file holds in their shape under `names`, color channels aside."""
    fitting = {names[name] for name, shape in shapes.items() if _same(live.get(names[name]), shape)}
    return len(fitting) / max(1, len(live))


def _is_torchscript(path: Path) -> bool:
    try:
        records = torch._C.PyTorchFileReader(str(path)).get_all_records()
    except RuntimeError:
        return False
    return "constants.pkl" in records


def _is_tar(path: Path) -> bool:
    """Whether there is at least one member; a file of zeros is an archive without any."""
    if not tarfile.is_tarfile(path):
        return False
    with tarfile.open(path) as archive:
        return archive.next() is not None


def _keras_names(shapes: Shapes, path: Path, backbone: str) -> str:
    foreign = [name for name in shapes if _KERAS.fullmatch(name)]
    if len(foreign) <= len(shapes) / 2:
        return ""
    return (
        f"{path}: names its tensors as Keras does ({some(foreign)}); Keras' {backbone} is another network and stores "
        f"its kernels transposed. Use the source's PyTorch file."
    )


def _keras_convolutions(shapes: Shapes, live: Shapes, path: Path, backbone: str) -> str:
    named = timm_names(shapes, backbone)
    biases = [old for old, new in named.items() if new.endswith(".bias") and _without_bias(new, live)]
    if not biases:
        return ""
    strides = (
        " Its bottlenecks also stride in conv1 (ResNet v1), those of timm and torchvision in conv2 (v1.5)."
        if backbone.startswith(("resnet", "resnext", "wide_resnet"))
        else ""
    )
    kind = f" ({_WARVITO})" if backbone == "resnet50" else ""
    return (
        f"{path}: has {some(biases)}: convolutions with a bias beside batch norm, as files converted from Keras have"
        f"{kind}.{strides} Loaded into {backbone} it would compute something else; use the source's own PyTorch file, "
        f"whose convolutions have none."
    )


def _without_bias(bias: str, live: Shapes) -> bool:
    """Whether the backbone has this convolution, and has it without a bias."""
    return bias not in live and len(live.get(bias.removesuffix("bias") + "weight", ())) == 4


def _moved_children(shapes: Shapes, live: Shapes, path: Path, backbone: str) -> str:
    if backbone not in SEQUENTIAL or share_that_fits(shapes, timm_names(shapes, backbone), live) >= ENOUGH:
        return ""
    for by in (1, 2, 3):
        moved = renumbered(shapes, by)
        again = timm_names(moved.values(), backbone)
        if share_that_fits(shapes, {old: again[new] for old, new in moved.items()}, live) >= ENOUGH:
            first = min((name for name in shapes if strip(name) != moved[name]), key=_child)
            return (
                f"{path}: its children are counted from {by} where RadImageNet's files count from 0: {first!r} would "
                f"have to be {moved[first]!r}. Something was put before the {backbone}, which changes what it sees; "
                f"save the backbone's own state_dict."
            )
    return ""


def _child(name: str) -> int:
    return int(strip(name).partition(".")[0])


def _unknown_prefix(shapes: Shapes, live: Shapes, path: Path, backbone: str) -> str:
    if share_that_fits(shapes, timm_names(shapes, backbone), live) >= ENOUGH:
        return ""
    fitting = [prefix for prefix in _prefixes(shapes) if _fits_under(prefix, shapes, live, backbone)]
    if not fitting:
        return ""
    return (
        f"{path}: holds a {backbone} under a prefix that no known wrapper leaves: {some(fitting)}. If that part is the "
        f"one that read the images, add the file with `osteogrid weights add {path.name} … --prefix {fitting[0]}`, "
        f"which takes that part and nothing else."
    )


def _fits_under(prefix: str, shapes: Shapes, live: Shapes, backbone: str) -> bool:
    held = {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}
    return share_that_fits(held, timm_names(held, backbone), live) >= ENOUGH


def _prefixes(shapes: Shapes) -> list[str]:
    """What names have in front, up to three steps deep, the most frequent first."""
    counts: dict[str, int] = {}
    for name in shapes:
        steps = name.split(".")
        for depth in range(1, min(4, len(steps))):
            prefix = ".".join(steps[:depth]) + "."
            counts[prefix] = counts.get(prefix, 0) + 1
    return [prefix for prefix, count in sorted(counts.items(), key=lambda pair: -pair[1]) if count > 1]


def _same(live: tuple[int, ...] | None, shape: tuple[int, ...]) -> bool:
    """Equal shapes, or kernels that read one channel in one network and three in the other."""
    if live is None or live == shape:
        return live is not None
    return (
        len(live) == len(shape) == 4 and {live[1], shape[1]} == {1, 3} and live[0] == shape[0] and live[2:] == shape[2:]
    )


def some(names: Sequence[str], most: int = 3) -> str:
    """The first few names, quoted, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + more if names else "nothing"
