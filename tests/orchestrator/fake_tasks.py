"""A task family that trains nothing, for tests and benchmarks of the scheduling."""

from __future__ import annotations

import os
import signal
import time

import polars as pl

from trainables.data import JobData
from trainables.task import Job, Run


class FakeTask:
    """Does what the job's recipe says: sleep, fail, die, or write one prediction per image."""

    def features(self, job: Job, data: JobData, run: Run) -> None:
        self._behave(job, run)

    def pretrain(self, job: Job, data: JobData, run: Run) -> None:
        self._behave(job, run)

    def fit(self, job: Job, data: JobData, run: Run) -> None:
        self._behave(job, run)
        run.set_result({"value": 0.5 + 0.01 * (job["trial"] or 0), "epoch": 1})

    def predict(self, job: Job, data: JobData, run: Run) -> None:
        self._behave(job, run)
        rows = data.images.select("center", "patient", "image", "role")
        score = pl.Series([(hash_of(image) + job["fold"]) % 100 / 100 for image in rows["image"]], dtype=pl.Float64)
        table = rows.with_columns(
            region=pl.lit(-1, dtype=pl.Int64),
            variant=pl.lit("original"),
            score=score,
            logit=pl.lit(None, dtype=pl.Float64),
        )
        run.write_table("predictions", table)

    def _behave(self, job: Job, run: Run) -> None:
        behavior = os.environ.get("FAKE_BEHAVIOR", "")
        for rule in filter(None, behavior.split(";")):
            word, _, part = rule.partition("@")
            if part in f"{job['kind']} {job['name']}":
                act(word)
        run.report(1, {"validation/auc": 0.5})


def hash_of(text: str) -> int:
    return sum(ord(letter) * (place + 1) for place, letter in enumerate(text))


def act(word: str) -> None:
    if word == "fail":
        raise ValueError("asked to fail")
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if word.startswith("sleep"):
        time.sleep(float(word.removeprefix("sleep")))


TASKS = dict.fromkeys(("classification", "detection", "radiomics"), FakeTask)
