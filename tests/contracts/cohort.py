"""One small phantom cohort, and a study of one task over it, for what every task family must satisfy."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from orchestrator.workspace import Workspace
from search_spaces.study import StudySpec

LABELS = {"positive": ["malignant"], "negative": ["benign"]}
LADDER = {"shift": [0.1], "scale": [1.2], "draws": 1, "images": 6}
GRID = {"pretraining": ["none"], "init": ["scratch"]}
ARMS: dict[str, dict[str, Any]] = {
    "classification": {
        "labels": LABELS,
        "region": "box",
        "image_size": 32,
        "grid": {**GRID, "backbone": ["test_resnet"]},
        "robustness": LADDER,
    },
    "detection": {"labels": LABELS, "image_size": 64, "grid": {**GRID, "backbone": ["yolov5n"]}},
    "radiomics": {"labels": LABELS, "parts": 2, "robustness": LADDER},
}


def workspace_of(
    folder: Path, task: str, *, epochs: int = 1, runs: str = "runs", more: Iterable[str] = (), **changes: Any
) -> Workspace:
    """The study of a task, and `more` of them, with one replicate and without tuning; all read the same centers."""
    arms = [{"task": each, **ARMS[each], **changes} for each in (task, *more)]
    for arm in arms:
        if arm["task"] != "radiomics":
            arm |= {"tune": {"trials": 0}, "fit": {"epochs": epochs, "seeds": [0]}}
    study = {
        "name": task,
        "cohort": {
            "data": str(folder / "centers"),
            "development": ["a"],
            "external": ["b"],
            "phantom": {"patients": 40, "height": 96, "difficulty": 0.2, "prevalence": 0.5},
        },
        "preprocessing": {"size": 96},
        "split": {"kind": "holdout", "validation": 0.3, "reserve": 0.3},
        "arms": arms,
    }
    return Workspace(folder / runs, StudySpec.model_validate(study))
