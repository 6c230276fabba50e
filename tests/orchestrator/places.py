"""A study with tiny real centers on disk, for tests of planning and of the whole scheduling with fake tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from orchestrator.workspace import Workspace
from search_spaces.study import load_study

STUDY: dict[str, Any] = {
    "name": "tiny",
    "cohort": {"data": "", "development": ["a"], "external": ["b"]},
    "preprocessing": {"size": 32},
    "split": {"kind": "kfold", "folds": 2, "reserve": 0.25},
    "arms": [
        {
            "task": "classification",
            "labels": {"positive": ["malignant"], "negative": ["benign"]},
            "grid": {"backbone": ["test_resnet"], "pretraining": ["none", "chest"], "init": ["scratch", "transfer"]},
            "tune": {"trials": 1, "epochs": 1, "parallel": 1},
            "fit": {"epochs": 1, "seeds": [0]},
        }
    ],
}


def write_center(folder: Path, *, patients: int = 8, seed: int = 0) -> None:
    """PNG radiographs of noise: patients alternate between malignant and benign."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng([seed, len(folder.name), ord(folder.name[0])])
    rows = ["file,patient_id,label"]
    for patient in range(patients):
        name = f"{patient}.png"
        cv2.imwrite(str(folder / name), draw.integers(0, 255, (32, 24), dtype=np.uint8))
        rows.append(f"{name},p{patient},{('malignant', 'benign')[patient % 2]}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")


def make_workspace(folder: Path, **changes: Any) -> Workspace:
    """Two centers and a corpus of noise, and the study that names them."""
    for name in ("a", "b", "chest"):
        if not (folder / "data" / name).exists():
            write_center(folder / "data" / name)
    body = {**STUDY, **changes}
    body["cohort"] = {**body["cohort"], "data": str(folder / "data")}
    body["corpora"] = {"chest": {"data": str(folder / "data" / "chest"), "pretrain": {"epochs": 1, "image_size": 32}}}
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(body))
    return Workspace(folder / "runs", load_study(path))
