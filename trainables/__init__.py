"""How one job is computed: one family of tasks per folder."""

from __future__ import annotations

from trainables.classification import ClassificationTask
from trainables.detection import DetectionTask
from trainables.radiomics import RadiomicsTask
from trainables.task import Task

TASKS: dict[str, type[Task]] = {
    "classification": ClassificationTask,
    "detection": DetectionTask,
    "radiomics": RadiomicsTask,
}
"""What an arm's `task` may be."""
