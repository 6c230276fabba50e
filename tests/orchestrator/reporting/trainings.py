"""Published trainings made up for tests: a job of a small study, and a certificate that proves everything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orchestrator.reporting.certificates import Training
from search_spaces.job import Job
from tests.search_spaces.builders import jobs, make_study

JOBS = jobs(make_study())
TRANSFER = "classification/resnet18-chest-transfer"
SCRATCH = "classification/resnet18-none-scratch"


def training(name: str, facts: dict[str, Any] | None = None, rate: float = 0.003, **job: Any) -> Training:
    """A training of the job with that name; every job has weights of its own unless `facts` say otherwise."""
    found: Job = replace(JOBS[name], **job)
    return Training(found, {"learning_rate": rate}, certificate(found, rate) | (facts or {}))


def certificate(job: Job, rate: float) -> dict[str, Any]:
    """The facts of a sound training."""
    scratch = job.init == "scratch"
    return {
        "init": job.init,
        "source": None if scratch else {"kind": "file", "file": "x.safetensors", "sha256": f"of {job.pretraining}"},
        "tensors_loaded": [] if scratch else ["conv1.weight", "bn1.weight"],
        "tensors_missing": [] if scratch else ["bn2.weight"],
        "share_loaded": 0.0 if scratch else 0.95,
        "parameters_trainable": 7,
        "parameters_frozen": 0,
        "optimizer": "AdamW",
        "learning_rate": rate,
        "weight_decay": 0.01,
        "autocast": "float32",
        "fingerprint_before": f"{job.pretraining} {job.key if scratch else ''}",
        "fingerprint_trained_before": "before",
        "fingerprint_trained_after": f"after {job.key}",
        "fingerprint_frozen_before": "",
        "fingerprint_frozen_after": "",
        "fingerprint_frozen_average": "",
    }
