"""Tries weights files on their backbones, in a process of its own, before a sweep is booked.

Reads a JSON list of {path, task, backbone, init} from standard input and writes a list of sentences, "" for a fit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from infra.environment import quiet_environment
from search_spaces.errors import StudyError


def misfit(path: Path, task: str, backbone: str, init: str) -> str:
    """Why a file cannot start this backbone, as a job would say it; empty if it can."""
    try:
        if task == "detection":
            _try_detector(path, backbone, init)
        else:
            _try_classifier(path, backbone, init)
    except StudyError as error:
        return str(error)
    return ""


def _try_classifier(path: Path, backbone: str, init: str) -> None:
    from trainables.classification.model import ModelCard, backbone_names, build, first_conv
    from trainables.sampling import Normalization
    from trainables.weights import LEAST_SHARE, load_backbone

    model = build(ModelCard(backbone, 0, 1, Normalization(), "image", 0.0))
    least = 1.0 if init == "frozen" else LEAST_SHARE
    load_backbone(
        model, path, backbone=backbone, names=backbone_names(model), first_conv=first_conv(model), least=least
    )


def _try_detector(path: Path, backbone: str, init: str) -> None:
    from trainables.detection.quiet import import_ultralytics

    import_ultralytics()
    from trainables.detection.network import build, read_source, transfer
    from trainables.weights import LEAST_SHARE

    transfer(build(backbone, 1, 0), read_source(path), path, 1.0 if init == "frozen" else LEAST_SHARE)


if __name__ == "__main__":
    quiet_environment()
    asked = json.load(sys.stdin)
    json.dump([misfit(Path(one["path"]), one["task"], one["backbone"], one["init"]) for one in asked], sys.stdout)
