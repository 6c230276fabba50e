"""The detector itself: built by name, filled from a source, written and read without pickle."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from pickle import UnpicklingError

import torch
from ultralytics.nn.modules.head import Detect, v10Detect
from ultralytics.nn.tasks import DetectionModel, torch_safe_load, yaml_model_load

from search_spaces.errors import StudyError
from trainables.weights import COUNTERS, LEAST_SHARE, Loaded, Tensors, fingerprint, read_weights, write_weights

WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"


def build(backbone: str, classes: int, seed: int) -> DetectionModel:
    """A detector with random weights; `backbone` is the name of a model file that Ultralytics ships.

    yolov5n, s, m, l and x give the anchor-free YOLOv5u of Ultralytics, not the original YOLOv5 with anchors.
    """
    torch.manual_seed(seed)
    try:
        plan = yaml_model_load(f"{backbone}.yaml")
    except FileNotFoundError:
        raise StudyError(
            f"Backbone {backbone!r}: Ultralytics ships no {backbone}.yaml; name one of its YOLO models."
        ) from None
    model = DetectionModel(plan, ch=3, nc=classes, verbose=False)
    if type(model.model[-1]) not in (Detect, v10Detect):
        raise StudyError(
            f"Backbone {backbone!r} does not end in a YOLO detection head; name a YOLO detector such as yolov5n."
        )
    return model


def backbone_layers(model: DetectionModel) -> int:
    """How many of the first layers are the backbone; the rest are neck and head."""
    return len(model.yaml["backbone"])


def in_layers(name: str, first: int) -> bool:
    """Whether a tensor lies in one of the first so many layers; names look like model.7.conv.weight."""
    return int(name.split(".")[1]) < first


def transfer(model: DetectionModel, source: Tensors, where: Path, least: float = LEAST_SHARE) -> Loaded:
    """Copy a source's tensors into a detector by name and shape; nothing is bent to fit.

    The head comes along only if all of it fits, so with another number of classes it is new. StudyError if less than
    `least` of the backbone's tensors fit: such a cell would be called transfer and be scratch.
    """
    own = model.state_dict()
    fits = [name for name, tensor in own.items() if name in source and source[name].shape == tensor.shape]
    head = {name for name in own if not in_layers(name, len(model.model) - 1)}
    taken = fits if head <= set(fits) else [name for name in fits if name not in head]
    share = _share(model, taken)
    if share < least:
        raise StudyError(
            f"{where}: {share:.0%} of the backbone's tensors fit {model.yaml['yaml_file']} by name and shape, "
            f"{least:.0%} must; the file holds another architecture, so bring the matching one."
        )
    handed = {name: source[name].to(own[name].dtype) for name in taken}
    broken = [name for name, tensor in handed.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise StudyError(f"{where}: {broken[0]} holds values that are not finite; fetch the file anew.")
    model.load_state_dict(handed, strict=False)
    return Loaded(
        loaded=tuple(taken),
        reshaped=(),
        missing=tuple(name for name in own if name not in handed),
        left_over=tuple(name for name in source if name not in handed),
        share=share,
        fingerprint_source=fingerprint(handed),
    )


def _share(model: DetectionModel, taken: Iterable[str]) -> float:
    """Of the backbone's tensors, batch norm's counters aside."""
    layers, found = backbone_layers(model), set(taken)
    names = [name for name in model.state_dict() if in_layers(name, layers) and not name.endswith(COUNTERS)]
    return sum(name in found for name in names) / len(names)


def read_source(path: Path) -> Tensors:
    """The tensors of a weights file; never runs code from it.

    A .pt may also hold a whole model of Ultralytics, which is rebuilt from a list of allowed classes only.
    """
    if path.suffix != ".pt" or not path.is_file():
        return read_weights(path)
    try:
        content = torch_safe_load(str(path), safe_only=True)[0]
    except (RuntimeError, EOFError, TypeError, AttributeError, ImportError, UnpicklingError) as error:
        raise StudyError(
            f"{path}: cannot be read without running code from it ({' '.join(str(error).split())[:160]}); convert its "
            f"state_dict to {path.stem}.safetensors on a machine where you trust the file."
        ) from None
    for wrapper in ("ema", "model"):  # averaged weights before the last ones
        if isinstance(content.get(wrapper), torch.nn.Module):
            return dict(content[wrapper].float().state_dict())
    return read_weights(path)


def write_model(folder: Path, model: DetectionModel, tensors: Tensors, image_size: int, names: Iterable[str]) -> None:
    """Leave model.safetensors (fp32) and model.json, from which `read_model` builds the detector anew."""
    write_weights(folder / WEIGHTS, tensors)
    description = {"architecture": model.yaml, "names": list(names), "image_size": image_size}
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1), encoding="utf-8")


def read_model(folder: Path, device: str) -> tuple[DetectionModel, int]:
    """A published detector in eval mode on a device, and the side of its square input in pixels."""
    description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    model = DetectionModel(description["architecture"], ch=3, nc=len(description["names"]), verbose=False)
    model.load_state_dict(read_weights(folder / WEIGHTS), strict=True)
    model.end2end = False  # of detectors with two heads, validation judged the one whose boxes are suppressed after
    return model.to(device).eval(), int(description["image_size"])
