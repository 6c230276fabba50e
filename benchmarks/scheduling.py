"""What a job that does nothing costs: plain Ray Tune, with our durable records, and with the forked child.

Prints seconds per job of each and the ratios. Usage: python benchmarks/scheduling.py [jobs]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console

from infra.cluster import connect, disconnect
from infra.environment import QUIET, quiet_environment
from infra.store import RunStore
from orchestrator import launch
from orchestrator.progress.live import Progress
from orchestrator.resources import Capacity, Shape
from orchestrator.schedule import Schedule, State
from search_spaces.job import Job
from trainables.entry import run_job

TASKS = "tests.orchestrator.fake_tasks:TASKS"


@dataclass(frozen=True)
class ClockedStore(RunStore):
    """Notes when each job's end is looked up; without records every job counts as finished."""

    without_records: bool
    asked: list[float]

    def finished_record(self, key: str) -> dict[str, Any] | None:
        """The record of one published job."""
        self.asked.append(time.perf_counter())
        return {} if self.without_records else super().finished_record(key)


def plain(config: dict[str, Any]) -> None:
    """Report once, as the smallest Tune function does."""
    from ray import tune

    tune.report({"message": json.dumps({"state": "finished"})})


def recorded(config: dict[str, Any]) -> None:
    """The job in the worker itself: attempt, journal, publication, no child."""
    from ray import tune

    from trainables.attempt import try_job

    payload = {**json.loads(config["payload"]), "device": "cpu"}
    try_job(payload, lambda message: tune.report({"message": json.dumps(message)}))


def job(number: int) -> Job:
    """A job without needs."""
    return Job(
        key=f"k{number:05d}",
        kind="fit",
        name=f"noop-{number}",
        task="radiomics",
        arm="radiomics",
        cell="radiomics/elasticnet-none-scratch",
        backbone="elasticnet",
        pretraining="none",
        init="scratch",
        epochs=1,
    )


def measure(name: str, trainable: Any, count: int, cpus: float) -> float:
    """Seconds per job with warm workers: from the first third of the jobs to the last."""
    root = Path(tempfile.mkdtemp(prefix="scheduling-"))
    center = root / "center"
    center.mkdir()
    columns = {"image": ["i"], "patient": ["p"], "center": ["c"], "offset": [0], "height": [1], "width": [1]}
    pl.DataFrame(columns).write_parquet(center / "images.parquet")
    jobs = {entry.key: entry for entry in map(job, range(count))}
    schedule = Schedule(jobs, dict.fromkeys(jobs, Shape()), Capacity(cpus))
    store = ClockedStore(root, trainable is plain, [])

    def assign(entry: Job) -> dict[str, Any]:
        where = {"name": "c", "folder": str(center), "labels": None, "boxes": None, "role": "external"}
        details = {"arm": {}, "cell": {"id": entry.cell}, "hyperparameters": {}, "needs": {"fit": None}}
        return {
            "job": {
                **entry.to_dict(),
                **details,
                "until": 1,
                "pruned": False,
                "inputs": {"centers": [where], "folds": None},
            },
            "store": str(root),
            "directory": str(Path.cwd()),
            "threads": 1,
            "gpu": 0,
            "environment": dict(QUIET),
            "tasks": TASKS,
            "preload": ["trainables.preload"],
        }

    progress = Progress(schedule, Console(quiet=True), {}, cpus)
    launch.run(schedule, assign, store, progress, trainable=trainable)
    assert schedule.count(State.FINISHED) == count, schedule.reasons
    start = count // 3
    seconds = (store.asked[-1] - store.asked[start]) / (count - 1 - start)
    print(f"{name:<34} {seconds:.3f} s per job ({count} jobs, {cpus:g} CPUs)")
    return seconds


def main() -> None:
    """All three in one run."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 90
    quiet_environment()
    os.environ["PYTHONPATH"] = str(Path.cwd())
    cluster = connect("local", address=None, gpus=0)
    try:
        base = measure("plain Ray Tune, reused actors", plain, count, cluster.cpus)
        records = measure("with durable records", recorded, count, cluster.cpus)
        child = measure("with records and a forked child", run_job, count, cluster.cpus)
    finally:
        disconnect()
    print(f"ratio to plain Ray Tune: records {records / base:.1f}, forked child {child / base:.1f}")


if __name__ == "__main__":
    main()
