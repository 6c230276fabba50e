"""Studies for the tests of the paper kit."""

from __future__ import annotations

from typing import Any

from orchestrator.paper.methods import Subject
from search_spaces.study import StudySpec
from tests.evaluation.report_example import example

ARM: dict[str, Any] = {
    "task": "classification",
    "labels": {"positive": ["malignant"], "negative": ["benign"]},
    "region": "box",
    "grid": {
        "backbone": ["resnet50"],
        "pretraining": ["none", "imagenet", "chest"],
        "init": ["scratch", "transfer", "frozen"],
    },
    "tune": {"trials": 8, "epochs": 20, "parallel": 4},
    "fit": {"epochs": 50, "seeds": [0, 1, 2]},
}
STUDY: dict[str, Any] = {
    "name": "bone-tumors",
    "cohort": {"data": "data", "development": ["center_a"], "external": ["center_b", "center_c"]},
    "corpora": {"chest": {"data": "chest", "modality": "radiograph", "anatomy": "chest"}},
    "arms": [ARM],
    "analysis": {"primary": {"comparisons": [["imagenet", "chest"]]}},
}


def subject(*, arm: dict[str, Any] | None = None, facts: dict[str, Any] | None = None, **study: Any) -> Subject:
    """The example's results under a study with these changes."""
    spec = StudySpec.model_validate({**STUDY, "arms": [{**ARM, **(arm or {})}], **study})
    return Subject(spec, example(**(facts or {})), "2026-03-01 09:00", "c0ffee", "2026-03-03 21:14")
