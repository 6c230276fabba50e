"""The one function that Ray Tune calls."""

from __future__ import annotations

import json
from typing import Any


def run_job(config: dict[str, Any]) -> None:
    """Run the job in a forked child and relay its epochs; never raises for a job's failure, which the store records."""
    from ray import tune

    from trainables.child import run_in_child

    payload = json.loads(config["payload"])
    payload["device"] = _device(payload["gpu"])
    for message in run_in_child(payload):
        tune.report({"message": json.dumps(message)})


def _device(gpu: float) -> str:
    """The device of the job: Ray shows each worker only the GPU it may use, as number 0."""
    return "cuda:0" if gpu else "cpu"
