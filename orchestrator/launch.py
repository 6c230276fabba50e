"""One Ray Tune run over the jobs that are left; failures are recorded and the rest goes on."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from infra.store import RunStore
from orchestrator.progress.live import Progress
from orchestrator.schedule import Schedule
from orchestrator.search import Payload, StudySearcher
from search_spaces.job import Job
from trainables.entry import run_job


def run(
    schedule: Schedule,
    assign: Callable[[Job], Payload],
    store: RunStore,
    progress: Progress,
    *,
    limit: int | None = None,
    trainable: Callable[[dict[str, Any]], None] = run_job,
) -> None:
    """Run the schedule to its end on the connected Ray cluster; what became of each job is in the schedule.

    Tune keeps its own state in the run store's folder while it runs, because every node must see it.
    """
    # A Searcher otherwise keeps a single pending trial, and Tune reads this before it is built.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(int(schedule.capacity.cpus) + 2)
    # Tune would take the first Ctrl-C for a normal end.
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"
    from ray import tune

    searcher = StudySearcher(schedule, assign, store, progress, limit=limit)
    scratch = store.root.resolve() / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)  # what a killed sweep left; the lease says that none runs now
    scratch.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="tune-", dir=scratch) as folder, _quiet_tune():
        tuner = tune.Tuner(
            tune.with_resources(trainable, _resources),
            tune_config=tune.TuneConfig(search_alg=searcher, num_samples=-1, reuse_actors=True, metric=None),
            run_config=tune.RunConfig(
                storage_path=folder,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(num_to_keep=2),
            ),
        )
        with progress:
            tuner.fit()


def _resources(config: dict[str, Any]) -> Any:
    from ray import tune

    bundle = {"CPU": config["cpus"]} | ({"GPU": config["gpu"]} if config["gpu"] else {})
    return tune.PlacementGroupFactory([bundle])


@contextmanager
def _quiet_tune() -> Iterator[None]:
    """Tune logs one line per trial about files that our own records replace."""
    import logging

    loggers = [logging.getLogger(name) for name in ("ray.tune", "ray.train", "ray.air")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
