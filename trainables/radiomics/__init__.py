"""The radiomics baseline: mirp features of each box, an ElasticNet logistic regression on top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search_spaces.errors import StudyError

if TYPE_CHECKING:
    from trainables.data import JobData
    from trainables.task import Job, Run


class RadiomicsTask:
    """Implements trainables.task.Task without a network: features once per center, a small model per replicate."""

    def features(self, job: Job, data: JobData, run: Run) -> None:
        """Measure every box of one center; see features.py."""
        from trainables.radiomics.features import extract

        extract(job, data, run)

    def pretrain(self, job: Job, data: JobData, run: Run) -> None:
        """Refuse: an ElasticNet has no weights to pretrain."""
        raise StudyError("Radiomics cannot be pretrained; its only cell is elasticnet, pretraining none, init scratch.")

    def fit(self, job: Job, data: JobData, run: Run) -> None:
        """Fit one replicate; see fit.py."""
        from trainables.radiomics.fit import fit

        fit(job, data, run)

    def predict(self, job: Job, data: JobData, run: Run) -> None:
        """Score one center; see predict.py."""
        from trainables.radiomics.predict import predict

        predict(job, data, run)

    def explain(self, job: Job, data: JobData, run: Run) -> None:
        """Refuse: an ElasticNet has coefficients, and no map of an image."""
        raise StudyError(f"Job {job['key']}: radiomics has no saliency; its coefficients are in the report.")
