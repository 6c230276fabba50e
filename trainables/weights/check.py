"""Tries weights files on their backbones, in a process of its own, before a sweep is booked.

Reads a JSON list of {path, task, backbone, init, channels} from standard input and writes a list of sentences, empty
for a fit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from infra.environment import quiet_environment
from search_spaces.errors import StudyError
from search_spaces.initialization import trained_stages


def misfit(path: Path, task: str, backbone: str, init: str, channels: int) -> str:
    """Why a file cannot start this backbone, as a job would say it; empty if it can."""
    try:
        if task == "detection":
            _try_detector(path, backbone, init)
        else:
            _try_classifier(path, backbone, init, channels)
    except StudyError as error:
        return str(error)
    return ""


def _try_classifier(path: Path, backbone: str, init: str, channels: int) -> None:
    import timm

    from trainables.classification.model import backbone_names, first_conv
    from trainables.classification.stages import frozen_names
    from trainables.weights.loading import LEAST_SHARE, load_backbone

    model = timm.create_model(backbone, pretrained=False, num_classes=1, in_chans=channels)
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


def _try_detector(path: Path, backbone: str, init: str) -> None:
    from trainables.detection.quiet import import_ultralytics

    import_ultralytics()
    from trainables.detection.network import build, read_source, transfer

    transfer(build(backbone, 1, 0), read_source(path), path, init)


if __name__ == "__main__":
    quiet_environment()
    asked = [{**one, "path": Path(one["path"])} for one in json.load(sys.stdin)]
    json.dump([misfit(**one) for one in asked], sys.stdout)
