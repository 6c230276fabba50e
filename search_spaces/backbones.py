"""The catalogue of backbones: what may stand in a grid's `backbone`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Library = Literal["timm", "ultralytics", "scikit-learn"]


@dataclass(frozen=True)
class Backbone:
    """One architecture, its task, and what it needs."""

    name: str
    task: str
    library: Library
    input_size: int
    """Pixels on a side, where the study names none."""
    memory_gb: float
    """GPU memory of a training job at that size, batch 32 (16 for detectors): a planning figure, not a limit."""
    relative_cost: float
    """Training time per image and pixel against resnet10t, for the forecast; rough, by size for those not measured."""
    note: str = ""
    smallest: int = 16
    """Pixels on a side that it can read."""


def _timm(name: str, size: int, memory: float, cost: float, note: str = "", smallest: int = 16) -> Backbone:
    return Backbone(name, "classification", "timm", size, memory, cost, note, smallest)


def _yolo(name: str, memory: float, cost: float, note: str = "") -> Backbone:
    return Backbone(name, "detection", "ultralytics", 640, memory, cost, note)


_END_TO_END = "two heads; scored by the one whose boxes are suppressed, as all others here"
_V5U = "the anchor-free YOLOv5u of Ultralytics, not the original YOLOv5"

BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        _timm("test_resnet", 160, 0.5, 0.3, "0.4 million parameters, for trials of the whole way"),
        _timm("resnet10t", 176, 1.5, 1.0),
        _timm("mobilenetv3_small_050", 224, 1.0, 0.35),
        _timm("mobilenetv3_small_100", 224, 1.5, 0.5),
        _timm("resnet18", 224, 2.5, 2.0),
        _timm("resnet50", 224, 8, 5.0),
        _timm("inception_v3", 299, 9, 3.5, smallest=75),
        _timm("densenet121", 224, 9, 5.5),
        _timm("efficientnet_b0", 224, 5, 1.5),
        _timm("convnext_atto", 224, 3, 1.0),
        _yolo("yolov5n", 3, 1.1, _V5U),
        _yolo("yolov5s", 5, 3.0, _V5U),
        _yolo("yolov5m", 9, 7.0, _V5U),
        _yolo("yolov5l", 14, 15.0, _V5U),
        _yolo("yolov5x", 22, 27.0, _V5U),
        _yolo("yolov8n", 4, 2.5),
        _yolo("yolov8s", 6, 7.0),
        _yolo("yolov8m", 10, 16.0),
        _yolo("yolov8l", 15, 30.0),
        _yolo("yolov8x", 22, 45.0),
        _yolo("yolo11n", 4, 2.5),
        _yolo("yolo11s", 6, 7.0),
        _yolo("yolo11m", 11, 18.0),
        _yolo("yolo11l", 14, 23.0),
        _yolo("yolo11x", 22, 45.0),
        _yolo("yolo26n", 4, 2.5, _END_TO_END),
        _yolo("yolo26s", 6, 7.0, _END_TO_END),
        _yolo("yolo26m", 11, 18.0, _END_TO_END),
        _yolo("yolo26l", 14, 23.0, _END_TO_END),
        _yolo("yolo26x", 22, 45.0, _END_TO_END),
        Backbone("elasticnet", "radiomics", "scikit-learn", 0, 0, 0.0, "logistic regression on mirp features"),
    )
}


@dataclass(frozen=True)
class TimmModel:
    """What timm publishes of one architecture."""

    input_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


def _timm_models() -> Mapping[str, TimmModel]:
    with Path(__file__).with_name("timm_models.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["name"]: TimmModel(int(row["input_size"]), _numbers(row["mean"]), _numbers(row["std"]))
            for row in csv.DictReader(file)
        }


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in text.split())


TIMM_MODELS = _timm_models()
"""Every architecture of the pinned timm; written by `python -m trainables.catalogue`, read here without torch."""


def find(name: str) -> Backbone | None:
    """A backbone by name: of the catalogue, or any other of timm's; None for a name that nobody knows."""
    if name in BACKBONES:
        return BACKBONES[name]
    if name in TIMM_MODELS:
        return Backbone(name, "classification", "timm", TIMM_MODELS[name].input_size, 10, 5.0, "any other of timm's")
    return None


def input_size(name: str) -> int:
    """Pixels on a side of a known backbone, where the study names none."""
    found = find(name)
    assert found is not None, "a grid with an unknown backbone is refused"
    return found.input_size


def names_of(task: str) -> list[str]:
    """The catalogue's backbones of a task, sorted."""
    return sorted(name for name, backbone in BACKBONES.items() if backbone.task == task)
