"""Task families that train nothing, for tests of the report: one leaks its state, one has coefficients."""

from __future__ import annotations

import polars as pl

from tests.orchestrator.fake_tasks import FakeTask
from trainables.data import JobData
from trainables.task import Job, Run


class LeakingTask(FakeTask):
    """Every training of it ends with the same weights, whatever it was given."""

    def fit(self, job: Job, data: JobData, run: Run) -> None:
        super().fit(job, data, run)
        run.certify({"fingerprint_trained_after": "left by the job before"})


class ElasticNetTask(FakeTask):
    """Publishes what a radiomics fit publishes: fold 0 selects both features, the other folds one of them."""

    def fit(self, job: Job, data: JobData, run: Run) -> None:
        super().fit(job, data, run)
        second = 0.25 if job["fold"] == 0 else 0.0
        run.write_table("coefficients", pl.DataFrame({"feature": ["rough", "flat"], "coefficient": [0.5, second]}))
        run.set_result({"C": 1.0, "C_at_bound": True, "l1_ratio": 0.5, "l1_ratio_at_bound": False, "inner_auc": 0.7})
        run.certify({"nonzero_coefficients": 1 + (second != 0), "converged": True})


LEAKING = {"classification": LeakingTask}
RADIOMICS = {"radiomics": ElasticNetTask}
