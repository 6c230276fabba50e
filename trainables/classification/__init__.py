"""Classification of whole radiographs or boxed regions with timm backbones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.data import JobData
    from trainables.task import Job, Run


class ClassificationTask:
    """Implements trainables.task.Task; torch and timm are imported when a job starts."""

    def features(self, job: Job, data: JobData, run: Run) -> None:
        """Refuse: no two classification jobs share features."""
        raise ValueError(f"Job {job['key']}: classification has no features jobs, networks read the pixels themselves.")

    def pretrain(self, job: Job, data: JobData, run: Run) -> None:
        """Train a backbone on a corpus; see pretraining.py."""
        from trainables.classification.pretraining import pretrain

        pretrain(job, data, run)

    def fit(self, job: Job, data: JobData, run: Run) -> None:
        """Train one replicate or tuning trial; see fitting.py."""
        from trainables.classification.fitting import fit

        fit(job, data, run)

    def predict(self, job: Job, data: JobData, run: Run) -> None:
        """Score one center; see prediction.py."""
        from trainables.classification.prediction import predict

        predict(job, data, run)

    def explain(self, job: Job, data: JobData, run: Run) -> None:
        """Map what each score rests on; see explaining.py."""
        from trainables.classification.explaining import explain

        explain(job, data, run)
