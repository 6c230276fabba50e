"""The detector itself: built by name, filled from a source, written and read without pickle."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from pickle import UnpicklingError

import torch
from ultralytics.nn.modules.head import Detect, v10Detect
from ultralytics.nn.tasks import DetectionModel, torch_safe_load, yaml_model_load

from search_spaces.errors import StudyError
from trainables.detection.card import DetectorCard
from trainables.detection.phases import frozen_layers
from trainables.detection.stages import backbone_layers, in_layers
from trainables.weights.loading import (
    COUNTERS,
    LEAST_SHARE,
    Loaded,
    Tensors,
    as_weights,
    fingerprint,
    read_weights,
    write_weights,
)

WEIGHTS = "model.safetensors"


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


def transfer(model: DetectionModel, source: Tensors, where: Path, init: str) -> Loaded:
    """Copy a source's tensors into a detector by name and shape; nothing is bent to fit.

    The head comes along only if all of it fits, so with another number of classes it is new. StudyError if less than
    LEAST_SHARE of the backbone's tensors fit, because such a cell would be called transfer and be scratch, or if a
    layer that `init` freezes lacks one, because it would stay random for good.
    """
    frozen = frozen_layers(init, model)
    own = model.state_dict()
    fits = [name for name, tensor in own.items() if name in source and source[name].shape == tensor.shape]
    head = {name for name in own if not in_layers(name, len(model.model) - 1)}
    taken = fits if head <= set(fits) else [name for name in fits if name not in head]
    share = _share(model, taken, backbone_layers(model))
    _check_share(model, share, LEAST_SHARE, "backbone", where)
    if frozen:
        _check_share(model, _share(model, taken, frozen), 1.0, "frozen part", where)
    handed = {name: as_weights(source[name], own[name], name, where) for name in taken}
    model.load_state_dict(handed, strict=False)
    return Loaded(
        loaded=tuple(taken),
        reshaped=(),
        missing=tuple(name for name in own if name not in handed),
        left_over=tuple(name for name in source if name not in handed),
        share=share,
        fingerprint_source=fingerprint(handed),
    )


def _share(model: DetectionModel, taken: Iterable[str], first: int) -> float:
    """Of the tensors of the first so many layers, batch norm's counters aside."""
    names = [name for name in model.state_dict() if in_layers(name, first) and not name.endswith(COUNTERS)]
    found = set(taken)
    return sum(name in found for name in names) / len(names)


def _check_share(model: DetectionModel, share: float, least: float, part: str, where: Path) -> None:
    if share < least:
        raise StudyError(
            f"{where}: {share:.0%} of the {part}'s tensors fit {model.yaml['yaml_file']} by name and shape, "
            f"{least:.0%} must; the file holds another architecture, so bring the matching one."
        )


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


def write_model(folder: Path, card: DetectorCard, tensors: Tensors) -> None:
    """Leave model.safetensors (fp32) and model.json, from which `read_model` builds the detector anew."""
    write_weights(folder / WEIGHTS, tensors)
    card.write(folder)


def read_model(folder: Path, device: str) -> tuple[DetectionModel, DetectorCard]:
    """A published detector in eval mode on a device, and what is to be known to use it."""
    card = DetectorCard.read(folder)
    model = DetectionModel(dict(card.architecture), ch=3, nc=len(card.names), verbose=False)
    model.load_state_dict(read_weights(folder / WEIGHTS), strict=True)
    model.end2end = False  # of detectors with two heads, validation judged the one whose boxes are suppressed after
    return model.to(device).eval(), card
