"""Small studies for tests."""

from __future__ import annotations

from typing import Any

from search_spaces.grid import expand
from search_spaces.job import Job
from search_spaces.jobs import jobs_of
from search_spaces.study import StudySpec

PRINTS = {
    name: {"images": f"{name}-i", "labels": f"{name}-l", "boxes": f"{name}-b"}
    for name in ("a", "b", "c", "chest", "natural")
}


def make_study(**changes: Any) -> StudySpec:
    """Two backbones x {none, chest, natural} x three inits on center a; b and c are external."""
    arm = {
        "task": "classification",
        "labels": {"positive": ["malignant"], "negative": ["benign"]},
        "grid": {
            "backbone": ["resnet18", "resnet10t"],
            "pretraining": ["none", "chest", "natural"],
            "init": ["scratch", "transfer", "frozen"],
        },
        "tune": {"trials": 2, "epochs": 1, "parallel": 2},
        "fit": {"epochs": 3, "seeds": [0]},
    }
    base = {
        "name": "tiny",
        "cohort": {"data": "data", "development": ["a"], "external": ["b", "c"]},
        "split": {"kind": "kfold", "folds": 2, "reserve": 0.2},
        "corpora": {"chest": {"data": "d/chest"}, "natural": {"data": "d/natural"}},
        "arms": [{**arm, **changes.pop("arm", {})}, *changes.pop("more_arms", [])],
    }
    return StudySpec.model_validate({**base, **changes})


def jobs(study: StudySpec, prints: Any = None) -> dict[str, Job]:
    return {job.name: job for job in jobs_of(study, expand(study), PRINTS if prints is None else prints)}
