"""Finds the backbone that a file's tensors are of, and brings them into its names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch

from search_spaces.backbones import input_size
from search_spaces.errors import StudyError
from trainables.weights.layouts import detector_layout_of, layout_of, strip, timm_names, ultralytics_names
from trainables.weights.loading import COUNTERS, Loaded, Tensors, load_tensors
from trainables.weights.refusals import ENOUGH, Shapes, share_that_fits, some, why_foreign

Candidate = tuple[str, str]
"""Task and backbone."""


def fitting(content: Tensors, path: Path, candidates: list[Candidate]) -> Candidate:
    """The candidate that the tensors fit best; raises StudyError if none or several do.

    A single candidate is taken as it is: `convert` says what misfits. Otherwise it counts how much of the backbone is
    in the file and how much of the file the backbone uses; equals are told apart by the file's name.
    """
    if len(candidates) == 1:
        return candidates[0]
    shapes = {name: tuple(tensor.shape) for name, tensor in content.items()}
    possible = _possible(shapes, candidates)
    found: dict[Candidate, float] = {}
    for candidate in sorted(possible, key=lambda each: not _is_named(each, path)):
        found[candidate] = _fit(shapes, candidate)
        if found[candidate] == 1.0 and _is_named(candidate, path):
            return candidate
    return _best(found) or _refused(content, path, found, candidates)


def _is_named(candidate: Candidate, path: Path) -> bool:
    """Whether the file is called after the backbone, as ResNet50.pt or yolov5nu.pt are."""
    backbone, stem = (re.sub("[^a-z0-9]", "", name.lower()) for name in (candidate[1], path.stem))
    return backbone in stem


def _best(found: dict[Candidate, float]) -> Candidate | None:
    """The one that fits best and well enough, None if there is none or if others fit as well."""
    best = max(found.values(), default=0.0)
    equals = [candidate for candidate, fit in found.items() if fit == best]
    return equals[0] if best >= ENOUGH * ENOUGH and len(equals) == 1 else None


def _refused(content: Tensors, path: Path, found: dict[Candidate, float], candidates: list[Candidate]) -> Candidate:
    best = max(found.values(), default=0.0)
    if best < ENOUGH * ENOUGH:
        raise StudyError(_why_none(content, path, list(found), candidates))
    names = [backbone for (_, backbone), fit in found.items() if fit == best]
    raise StudyError(f"{path}: fits {some(names)} alike; say which with --backbone {names[0]}.")


def convert(content: Tensors, path: Path, task: str, backbone: str) -> tuple[Tensors, str, Loaded]:
    """The backbone's tensors under its own names, the layout they came in, and what became of them.

    They are loaded into the real network, which then has to answer an image with finite numbers; StudyError if not.
    """
    return _detector(content, path, backbone) if task == "detection" else _classifier(content, path, backbone)


def _possible(shapes: Shapes, candidates: Iterable[Candidate]) -> list[Candidate]:
    """Detectors number their layers under `model.`; nothing else needs Ultralytics to be imported."""
    numbered = any(name.startswith("model.") for name in ultralytics_names(shapes).values())
    return [(task, backbone) for task, backbone in candidates if task != "detection" or numbered]


def _fit(shapes: Shapes, candidate: Candidate) -> float:
    """Share of the backbone that is in the file times share of the file that the backbone uses, heads aside."""
    task, backbone = candidate
    live, names = _detector_fit(shapes, backbone) if task == "detection" else _classifier_fit(shapes, backbone)
    held = share_that_fits(shapes, names, live)
    counted = [name for name in shapes if not name.endswith(COUNTERS) and not _is_head(names[name])]
    used = sum(names[name] in live for name in counted) / max(1, len(counted))
    return round(held * used, 3)


def _is_head(name: str) -> bool:
    return name.startswith(("fc.", "classifier.", "head.", "AuxLogits."))


def _classifier_fit(shapes: Shapes, backbone: str) -> tuple[Shapes, dict[str, str]]:
    import timm

    with torch.device("meta"):  # names and shapes only: building random weights takes longer than all the rest
        model = timm.create_model(backbone, pretrained=False, num_classes=0)
    return _counted(model.state_dict()), timm_names(shapes, backbone)


def _detector_fit(shapes: Shapes, backbone: str) -> tuple[Shapes, dict[str, str]]:
    layers = _detector_layers(backbone)
    last = f"model.{len(layers) - 1}."
    live = {f"model.{name}": tensor for name, tensor in layers.state_dict().items()}
    body = {name: tensor for name, tensor in live.items() if not name.startswith(last)}
    return _counted(body), {
        old: "head." + new if new.startswith(last) else new for old, new in ultralytics_names(shapes).items()
    }


def _detector_layers(backbone: str) -> torch.nn.Sequential:
    """A detector's layers without their values."""
    from trainables.detection.quiet import import_ultralytics

    import_ultralytics()
    from ultralytics.nn.tasks import parse_model, yaml_model_load

    plan = yaml_model_load(f"{backbone}.yaml")
    with torch.device("meta"):
        layers, _ = parse_model(plan, ch=3, verbose=False)
    assert isinstance(layers, torch.nn.Sequential)
    return layers


def _counted(state: Tensors) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in state.items() if not name.endswith(COUNTERS)}


def _why_none(content: Tensors, path: Path, possible: list[Candidate], candidates: list[Candidate]) -> str:
    """The sentence of the likeliest backbone that knows what is wrong, or that none fits."""
    shapes = {name: tuple(tensor.shape) for name, tensor in content.items()}
    for task, backbone in possible:
        if task != "detection":
            live, _ = _classifier_fit(shapes, backbone)
            foreign = why_foreign(content, live, path, backbone)
            if foreign:
                return foreign
    names = ", ".join(backbone for _, backbone in candidates)
    return (
        f"{path}: its tensors ({some([strip(name) for name in content])}) fit none of {names}; if it is another "
        "backbone's file, name it with --backbone, else bring the file of one of these."
    )


def _classifier(content: Tensors, path: Path, backbone: str) -> tuple[Tensors, str, Loaded]:
    import timm

    from trainables.classification.model import backbone_names, first_conv

    model = timm.create_model(backbone, pretrained=False, num_classes=1, in_chans=3)
    loaded = load_tensors(
        model, content, path, backbone=backbone, names=backbone_names(model), first_conv=first_conv(model)
    )
    _try(model, 3, input_size(backbone), path, backbone)
    named = {new: content[old] for old, new in timm_names(content, backbone).items()}
    return {name: named[name] for name in loaded.loaded}, layout_of(content, backbone), loaded


def _detector(content: Tensors, path: Path, backbone: str) -> tuple[Tensors, str, Loaded]:
    from trainables.detection.quiet import import_ultralytics

    import_ultralytics()
    from trainables.detection.network import build, transfer

    model = build(backbone, 1, 0)
    named = {new: content[old] for old, new in ultralytics_names(content).items()}
    loaded = transfer(model, named, path, "transfer")
    _try(model, 3, 64, path, backbone)
    head = f"model.{len(model.model) - 1}."
    kept = {name: named[name] for name in loaded.loaded if not name.startswith(head)}
    layout = detector_layout_of(content)
    return kept, layout, replace(loaded, left_over=tuple(name for name in named if name not in kept))


def _try(model: torch.nn.Module, channels: int, size: int, path: Path, backbone: str) -> None:
    """One image through the network: weights can be finite and still answer with infinities."""
    model.eval()
    image = torch.linspace(-1, 1, size).repeat(1, channels, size, 1)
    with torch.inference_mode():
        answer = model(image)
    while isinstance(answer, tuple | list):
        answer = answer[0]
    if not bool(torch.isfinite(answer).all()):
        raise StudyError(
            f"{path}: with these weights {backbone} answers an image with infinities; fetch the file anew."
        )
