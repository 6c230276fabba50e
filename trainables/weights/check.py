"""Tries weights files on their backbones, and networks on their inputs, in a process of its own, before a sweep.

Reads a JSON list of {path, task, backbone, init, channels, image_size} from standard input and writes a list of
sentences, empty for a fit. Without a path the network itself is tried.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from infra.environment import quiet_environment
from search_spaces.errors import StudyError
from search_spaces.initialization import trained_stages


def misfit(path: Path | None, task: str, backbone: str, init: str, channels: int, image_size: int = 0) -> str:
    """Why a file, or without one an init and an input, cannot go with this backbone; empty if they can."""
    try:
        if task == "detection":
            _try_detector(path, backbone, init)
        elif path is None:
            _try_network(backbone, init, channels, image_size)
        else:
            _try_classifier(path, backbone, init, channels, image_size)
    except StudyError as error:
        return str(error)
    return ""


def _try_network(backbone: str, init: str, channels: int, image_size: int) -> None:
    import torch

    from trainables.classification.model import ModelCard, build
    from trainables.classification.stages import frozen_names
    from trainables.sampling import Normalization

    model = build(ModelCard(backbone, image_size, 1, Normalization(), "image", 0.0, channels)).eval()
    frozen_names(model, init)
    try:
        with torch.inference_mode():
            model(torch.zeros(1, channels, image_size, image_size))
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        raise StudyError(
            f"Backbone {backbone!r} cannot read {image_size} x {image_size} pixels "
            f"({' '.join(str(error).split())[:120]}); give the arm another image_size, or leave the backbone out."
        ) from None


def _try_classifier(path: Path, backbone: str, init: str, channels: int, image_size: int) -> None:
    from trainables.classification.model import ModelCard, backbone_names, build, first_conv
    from trainables.classification.stages import frozen_names
    from trainables.sampling import Normalization
    from trainables.weights.loading import LEAST_SHARE, load_backbone

    model = build(ModelCard(backbone, image_size, 1, Normalization(), "image", 0.0, channels))
    frozen_names(model, init)  # refuses more stages than there are
    load_backbone(
        model,
        path,
        backbone=backbone,
        names=backbone_names(model),
        first_conv=first_conv(model),
        # What a frozen part lacks would stay random for good.
        least=LEAST_SHARE if trained_stages(init) is None else 1.0,
    )


def _try_detector(path: Path | None, backbone: str, init: str) -> None:
    from trainables.detection.quiet import import_ultralytics

    import_ultralytics()
    from trainables.detection.network import build, read_source, transfer
    from trainables.detection.phases import frozen_layers

    model = build(backbone, 1, 0)
    frozen_layers(init, model)  # refuses more stages than there are
    if path is not None:
        transfer(model, read_source(path), path, init)


if __name__ == "__main__":
    quiet_environment()
    asked = [{**one, "path": one["path"] and Path(one["path"])} for one in json.load(sys.stdin)]
    json.dump([misfit(**one) for one in asked], sys.stdout)
