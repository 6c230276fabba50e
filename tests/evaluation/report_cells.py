"""The cells and places of the small study for the tests of the report."""

from __future__ import annotations

from typing import Any

PLACES = (
    ("external", "center_b", 25, 40, 0.01),
    ("external", "center_c", 35, 50, -0.02),
    ("external", "all", 60, 90, 0.0),
    ("external", "stratified", 60, 90, 0.004),
    ("reserve", "center_a", 12, 20, 0.03),
    ("reserve", "all", 12, 20, 0.03),
)
GRID = (
    ("classification", "resnet50", "radimagenet", "transfer", 0.738),
    ("classification", "resnet50", "imagenet", "transfer", 0.669),
    ("classification", "inception_v3", "imagenet", "transfer", 0.677),
    ("classification", "resnet50", "none", "scratch", 0.602),
    ("radiomics", "elasticnet", "none", "scratch", 0.518),
    ("detection", "yolov5n", "chest", "transfer", 0.954),
    ("detection", "yolov5n", "none", "scratch", 0.961),
)

Row = dict[str, Any]


def cell_id(arm: str, backbone: str, pretraining: str, init: str) -> str:
    return f"{arm}/{backbone}-{pretraining}-{init}"


BEST, SECOND, INCEPTION, SCRATCH, RADIOMICS, CHEST, DETECTOR = (cell_id(*point[:4]) for point in GRID)
AUCS = {cell_id(*point[:4]): point[4] for point in GRID}
ARMS = {cell_id(*point[:4]): point[0] for point in GRID}
