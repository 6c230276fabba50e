"""The catalogue of backbones: what may stand in a grid's `backbone`."""

from __future__ import annotations

from dataclasses import dataclass
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


def _timm(name: str, size: int, memory: float, cost: float, note: str = "") -> Backbone:
    return Backbone(name, "classification", "timm", size, memory, cost, note)


def _yolo(name: str, memory: float, cost: float, note: str = "") -> Backbone:
    return Backbone(name, "detection", "ultralytics", 640, memory, cost, note)


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
        _timm("inception_v3", 299, 9, 3.5, "at least 75 pixels"),
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
        _yolo("yolo11n", 4, 2.5),
        _yolo("yolo11s", 6, 7.0),
        Backbone("elasticnet", "radiomics", "scikit-learn", 0, 0, 0.0, "logistic regression on mirp features"),
    )
}
