"""A task family that trains nothing, for tests and benchmarks of the scheduling."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import polars as pl

from search_spaces.hyperparameters import settings
from trainables.data import JobData
from trainables.task import Job, Run


class FakeTask:
    """Does what FAKE_BEHAVIOR says: sleep, fail, die, hoard memory; else it pretends to train or to predict."""

    def features(self, job: Job, data: JobData, run: Run) -> None:
        self._behave(job, run)

    def pretrain(self, job: Job, data: JobData, run: Run) -> None:
        self._behave(job, run)

    def fit(self, job: Job, data: JobData, run: Run) -> None:
        self._behave(job, run, epochs=0)
        checkpoint = run.newest_checkpoint()
        done = 0 if checkpoint is None else int((checkpoint / "epoch").read_text())
        for epoch in range(done + 1, job["until"] + 1):
            time.sleep(float(os.environ.get("FAKE_EPOCH_SECONDS", "0")))
            run.report(epoch, {"validation/auc": curve(job["trial"], epoch)})
            run.save_checkpoint(epoch, lambda folder, epoch=epoch: _write_epoch(folder, epoch))
        if job["task"] != "radiomics":
            run.certify(facts_of(job))
        values = [curve(job["trial"], epoch) for epoch in range(1, job["until"] + 1)]
        run.set_result({"value": max(values), "epoch": values.index(max(values)) + 1})

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

    def _behave(self, job: Job, run: Run, epochs: int = 1) -> None:
        behavior = os.environ.get("FAKE_BEHAVIOR", "")
        for rule in filter(None, behavior.split(";")):
            word, _, part = rule.partition("@")
            if part in f"{job['kind']} {job['name']}":
                act(word)
        if epochs:
            run.report(1, {"validation/auc": 0.5})


def curve(trial: int | None, epoch: int) -> float:
    """Validation value of a trial after an epoch: the later trials start lower and rise faster, all cross at 2.5."""
    number = trial or 0
    return 0.80 + 0.02 * number * (epoch - 2.5)


def facts_of(job: Job) -> dict[str, Any]:
    """The certificate of a network that started, learned and ended as its cell says."""
    init = job["cell"]["init"]
    scratch = init == "scratch"
    return {
        "init": init,
        "source": None if scratch else {"kind": "file", "file": "x.safetensors", "sha256": job["cell"]["pretraining"]},
        "tensors_loaded": [] if scratch else ["stem"],
        "share_loaded": 0.0 if scratch else 1.0,
        "fingerprint_before": f"{job['cell']['pretraining']}-{init}",
        "fingerprint_after": "a",
        "fingerprint_frozen_before": "",
        "fingerprint_frozen_after": "",
        "fingerprint_frozen_average": "",
        "fingerprint_trained_before": "b",
        "fingerprint_trained_after": job["key"],
        "optimizer": "AdamW",
        "learning_rate": settings(job["task"], job["hyperparameters"])["learning_rate"],
        "weight_decay": settings(job["task"], job["hyperparameters"])["weight_decay"],
    }


def _write_epoch(folder: Path, epoch: int) -> None:
    (folder / "epoch").write_text(str(epoch))


def hash_of(text: str) -> int:
    return sum(ord(letter) * (place + 1) for place, letter in enumerate(text))


def act(word: str) -> None:
    if word == "fail":
        raise ValueError("asked to fail")
    if word == "break":
        raise OSError("the disk is full")
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if word.startswith("hoard"):
        hoard = bytearray(os.urandom(1024) * 1000 * int(word.removeprefix("hoard")))
        time.sleep(30)
        del hoard
    if word.startswith("linger"):  # after its last word, as a library that is slow to let go
        Finalize(None, time.sleep, args=(float(word.removeprefix("linger")),), exitpriority=0)
    if word.startswith("sleep"):
        time.sleep(float(word.removeprefix("sleep")))


TASKS = dict.fromkeys(("classification", "detection", "radiomics"), FakeTask)
