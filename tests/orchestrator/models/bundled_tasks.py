"""Fake tasks whose replicates leave a model file, so that they can be bundled."""

from __future__ import annotations

from tests.orchestrator.fake_tasks import FakeTask
from trainables.data import JobData
from trainables.task import Job, Run


class LeavesModel(FakeTask):
    """Pretends, and leaves a model.json of its own name."""

    def fit(self, job: Job, data: JobData, run: Run) -> None:
        super().fit(job, data, run)
        (run.folder / "model.json").write_text(f'{{"name": "{job["name"]}"}}')


TASKS = dict.fromkeys(("classification", "detection", "radiomics"), LeavesModel)
