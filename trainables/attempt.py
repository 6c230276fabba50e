"""One try at a job, in its own process: the task's way to the run store."""

from __future__ import annotations

import importlib
import logging
import os
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.environment import code_version, versions
from infra.lease import claim, newest_number
from infra.store import RunStore, replace, to_json
from trainables.certificate import CertificateError, verify
from trainables.checkpoints import Checkpoints
from trainables.ending import TRAINS, Ending
from trainables.log import log_to
from trainables.task import Job, Stop

if TYPE_CHECKING:
    import polars as pl

_LOG = logging.getLogger(__name__)


def work(payload: dict[str, Any], sender: Connection) -> None:
    """Entry of the child process."""
    _die_with_parent()
    os.environ.update(payload["environment"])
    os.chdir(payload["directory"])
    try_job(payload, sender.send)


def try_job(payload: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> None:
    """Try the job, publish it, and say how it ended: finished, paused, stopped, or failed with one line."""
    try:
        attempt = Attempt(payload, RunStore(Path(payload["store"])), send)
    except OSError as error:  # the store itself: nothing can be recorded in it
        send({"state": "lost", "error": f"{type(error).__name__}: {error}"})
        return
    with log_to(attempt.folder / "log.txt"):
        send(_outcome(attempt, payload["tasks"]))


def _outcome(attempt: Attempt, tasks: str) -> dict[str, Any]:
    job = attempt.job
    _LOG.info("%s on %s with %d threads, up to epoch %d", job["name"], attempt.device, attempt.threads, job["until"])
    try:
        _run(job, attempt, tasks)
        return attempt.publish()
    except Stop:
        _LOG.info("stopped: a later attempt at the same job has taken over")
        return {"state": "stopped"}
    except Exception as error:  # the one place that catches everything: a job's failure is data
        _LOG.exception("failed")
        return attempt.record_failure(error)


def _run(job: Job, attempt: Attempt, tasks: str) -> None:
    from trainables.loading import load_data

    module, name = tasks.split(":")
    task = getattr(importlib.import_module(module), name)[job["task"]]()
    getattr(task, _method(job))(job, load_data(job), attempt)


def _method(job: Job) -> str:
    """Which method of a task computes a job."""
    if job["kind"] == "predict" and job["purpose"] == "saliency":
        return "explain"
    return "fit" if job["kind"] == "tune" else str(job["kind"])


class Attempt:
    """The `Run` that a task gets: journal, checkpoints, tables and the result of one attempt."""

    def __init__(self, payload: dict[str, Any], store: RunStore, send: Callable[[dict[str, Any]], None]) -> None:
        self.job: Job = payload["job"]
        self.device: str = payload["device"]
        self.threads: int = payload["threads"]
        self._store = store
        self._send = send
        earlier = store.attempts_so_far(self.job["key"])
        self.folder = store.start_attempt(self.job, {"code": code_version(), "versions": versions()})
        self._checkpoints = Checkpoints(self.job, self.folder, earlier)
        self._claims = self.folder.parent.parent / "claims"
        self._claim = claim(self._claims, self.folder.name)
        self._ending = Ending(store, self.job, self.folder, self.device, time.time())
        self._certificate: dict[str, Any] = {}
        self._result: dict[str, Any] = {}

    def report(self, epoch: int, metrics: dict[str, float]) -> None:
        """Write one finished epoch to the journal and tell the driver; raises Stop if the attempt was superseded."""
        self._check_claim()
        row = {"epoch": epoch, "time_ms": int(time.time() * 1000), "metrics": metrics}
        replace(self.folder / "journal" / f"{epoch:06d}.json", to_json(row))
        _LOG.info("epoch %d: %s", epoch, ", ".join(f"{name} {value:.5g}" for name, value in metrics.items()))
        self._send({"state": "running", "epoch": epoch, "metrics": metrics})

    def save_checkpoint(self, epoch: int, write: Callable[[Path], None]) -> None:
        """Let `write` fill a folder, publish it by renaming, keep the newest two."""
        self._checkpoints.save(epoch, write)

    def newest_checkpoint(self) -> Path | None:
        """The furthest that this attempt or an earlier one came, with the journal up to there taken over."""
        newest = self._checkpoints.newest()
        if newest is not None:
            _LOG.info("goes on from epoch %d of attempt %s", int(newest.name), newest.parent.parent.name)
        return newest

    def certify(self, facts: dict[str, Any]) -> None:
        """Add facts to certificate.json."""
        self._certificate.update(facts)
        replace(self.folder / "certificate.json", to_json(self._certificate))

    def write_table(self, name: str, table: pl.DataFrame) -> None:
        """Write <name>.parquet; rows of predictions, detections and saliency get the job's identity."""
        from evaluation.tables import DETECTIONS, PREDICTIONS, SALIENCY, check

        schema = {"predictions": PREDICTIONS, "detections": DETECTIONS, "saliency": SALIENCY}.get(name)
        if schema is not None:
            table = check(self._identified(table), schema, name)
        table.write_parquet(self.folder / f"{name}.parquet")

    def set_result(self, values: dict[str, Any]) -> None:
        """Small values of the result."""
        self._result.update(values)

    def need(self, key: str) -> Path:
        """The folder of a published job."""
        return self._store.published(key)

    def shared(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What jobs compute once for each other: the first writer's record, and the same for all who ask."""
        return self._store.once(f"shared/{name}", make)

    def publish(self) -> dict[str, Any]:
        """Publish what was done, or pause at a rung; the message for the driver.

        Raises Stop if the attempt was superseded, and CertificateError if a network is not what its cell says.
        """
        self._check_claim()
        if self.job["kind"] in TRAINS and self.job["task"] != "radiomics":
            verify(self.job, self._certificate)
        return self._ending.publish(self._result, self._checkpoints)

    def record_failure(self, error: Exception) -> dict[str, Any]:
        """Keep the traceback; the message for the driver says in one line what it was.

        A training that is not what its cell says is not gone on from: the mended code would publish its weights.
        """
        if isinstance(error, CertificateError):
            self._checkpoints.remove()
        return self._ending.fail(error)

    def _identified(self, table: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        job = self.job
        return table.with_columns(
            key=pl.lit(job["key"]),
            fit_key=pl.lit(job["needs"]["fit"]),
            cell=pl.lit(job["cell"]["id"]),
            fold=pl.lit(job["fold"], dtype=pl.Int64),
            seed=pl.lit(job["seed"], dtype=pl.Int64),
        )

    def _check_claim(self) -> None:
        """A later attempt at the same job has taken over: this one stops."""
        if newest_number(self._claims) != self._claim:
            raise Stop


def _die_with_parent() -> None:
    """End this process when the worker that started it is gone, so that nothing trains for nobody."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
