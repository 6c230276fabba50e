"""Classification that writes down when its first step begins; every child imports it, so it imports little."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from trainables.classification import ClassificationTask

if TYPE_CHECKING:
    from trainables.data import JobData
    from trainables.task import Job, Run


class TimedTask(ClassificationTask):
    """Leaves first_step.json in the attempt's folder: the time, and the worker's fork server."""

    def fit(self, job: Job, data: JobData, run: Run) -> None:
        """Train as always."""
        from torch.optim.optimizer import register_optimizer_step_pre_hook

        def note(*_: object) -> None:
            handle.remove()
            facts = {"first_step": time.time(), "worker": os.getppid()}
            (run.folder / "first_step.json").write_text(json.dumps(facts), encoding="utf-8")

        handle = register_optimizer_step_pre_hook(note)
        super().fit(job, data, run)


TASKS = {"classification": TimedTask}
