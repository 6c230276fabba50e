"""Names of tensors in published weights files, brought to the backbone's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

PREFIXES = ("0.backbone.", "module.", "model.", "backbone.")
"""Wrappers that training code leaves in front of names, stripped as often as they occur."""

_INCEPTION_STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
_INCEPTION_MIXED = (*(f"Mixed_5{letter}" for letter in "bcd"), *(f"Mixed_6{letter}" for letter in "abcde"))
_INCEPTION = (*_INCEPTION_STEM, "maxpool2", *_INCEPTION_MIXED)
_INCEPTION_END = ("Mixed_7a", "Mixed_7b", "Mixed_7c")

SEQUENTIAL: dict[str, tuple[str, ...]] = {
    "resnet50": ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"),
    "inception_v3": (*_INCEPTION, *_INCEPTION_END),
    "densenet121": ("features",),
}
"""RadImageNet's layout: the children of torchvision's model in an nn.Sequential, so numbers stand for names."""

AUXILIARY = re.compile(rf"{len(_INCEPTION)}\.(conv0|conv1|fc)\.")
"""InceptionV3's auxiliary classifier, where a file has it, sits before Mixed_7a and shifts what follows by one."""

_DOTTED = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..+)")
"""DenseNets of torchvision's first years write norm.1.weight where everybody now writes norm1.weight."""

_DETECTOR = re.compile(r"(?:.*\.)?(model\.\d+\..+)")


def timm_names(names: Iterable[str], backbone: str) -> dict[str, str]:
    """Name in the file -> name in timm's model; names of no known layout are kept as they are."""
    bare = {name: strip(name) for name in names}
    children = _children(backbone, bare)
    return {name: _named(short, children) for name, short in bare.items()}


def ultralytics_names(names: Iterable[str]) -> dict[str, str]:
    """Name in the file -> name in Ultralytics' DetectionModel, such as model.0.conv.weight."""
    return {name: found.group(1) if (found := _DETECTOR.fullmatch(name)) else name for name in names}


def layout_of(names: Iterable[str], backbone: str) -> str:
    """Whose names a classifier's file uses: radimagenet, torchvision, or timm (where both are equal, timm)."""
    bare = [strip(name) for name in names]
    if any(name.partition(".")[0].isdigit() for name in bare) and backbone in SEQUENTIAL:
        return "radimagenet"
    older = any(_DOTTED.fullmatch(name) or name.startswith("AuxLogits.") for name in bare)
    return "torchvision" if older else "timm"


def detector_layout_of(names: Iterable[str]) -> str:
    """Whose names a detector's file uses: yolov5 (its head has anchors) or ultralytics."""
    return "yolov5" if any(name.endswith((".anchors", ".anchor_grid")) for name in names) else "ultralytics"


def strip(name: str) -> str:
    """A name without wrappers' prefixes."""
    while found := next((prefix for prefix in PREFIXES if name.startswith(prefix)), None):
        name = name.removeprefix(found)
    return name


def renumbered(names: Iterable[str], by: int) -> dict[str, str]:
    """Names of an nn.Sequential as if its children were counted from `by`; names without a number stay."""
    return {name: _moved(strip(name), by) for name in names}


def _children(backbone: str, bare: Mapping[str, str]) -> tuple[str, ...]:
    if backbone == "inception_v3" and any(AUXILIARY.match(name) for name in bare.values()):
        return (*_INCEPTION, "AuxLogits", *_INCEPTION_END)
    return SEQUENTIAL.get(backbone, ())


def _named(name: str, children: tuple[str, ...]) -> str:
    number, dot, rest = name.partition(".")
    known = number.isdigit() and int(number) < len(children)
    whole = f"{children[int(number)]}{dot}{rest}" if known else name
    dotted = _DOTTED.fullmatch(whole)
    return f"{dotted.group(1)}{dotted.group(2)}" if dotted else whole


def _moved(name: str, by: int) -> str:
    number, dot, rest = name.partition(".")
    return f"{int(number) - by}{dot}{rest}" if number.isdigit() and int(number) >= by else name
