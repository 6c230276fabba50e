"""One try at a job, in its own process: the task's way to the run store."""

from __future__ import annotations

import importlib
import json
import os
import resource
import shutil
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.environment import code_version, versions
from infra.lease import claim, newest_number
from infra.store import RunStore, replace, to_json
from search_spaces.errors import StudyError
from trainables.task import Job, Stop

if TYPE_CHECKING:
    import polars as pl

KEPT_CHECKPOINTS = 2


def work(payload: dict[str, Any], sender: Connection) -> None:
    """Entry of the child process."""
    _die_with_parent()
    os.environ.update(payload["environment"])
    os.chdir(payload["directory"])
    try_job(payload, sender.send)


def try_job(payload: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> None:
    """Try the job, publish it, and say how it ended: finished, stopped, or failed with one line."""
    try:
        attempt = Attempt(payload, RunStore(Path(payload["store"])), send)
    except OSError as error:  # the store itself: nothing can be recorded in it
        send({"state": "lost", "error": f"{type(error).__name__}: {error}"})
        return
    try:
        _run(payload["job"], attempt, payload["tasks"])
        attempt.publish()
        send({"state": "finished"})
    except Stop:
        send({"state": "stopped"})
    except Exception as error:  # the one place that catches everything: a job's failure is data
        send({"state": "failed", **attempt.record_failure(error)})


def _run(job: Job, attempt: Attempt, tasks: str) -> None:
    from trainables.loading import load_data

    module, name = tasks.split(":")
    task = getattr(importlib.import_module(module), name)[job["task"]]()
    getattr(task, job["kind"] if job["kind"] != "tune" else "fit")(job, load_data(job), attempt)


class Attempt:
    """The `Run` that a task gets: journal, checkpoints, tables and the result of one attempt."""

    def __init__(self, payload: dict[str, Any], store: RunStore, send: Callable[[dict[str, Any]], None]) -> None:
        self.job: Job = payload["job"]
        self.device: str = payload["device"]
        self.threads: int = payload["threads"]
        self._store = store
        self._send = send
        self._earlier = store.attempts_so_far(self.job["key"])
        self.folder = store.start_attempt(self.job, {"code": code_version(), "versions": versions()})
        self._claims = self.folder.parent.parent / "claims"
        self._claim = claim(self._claims, self.folder.name)
        self._started = time.time()
        self._certificate: dict[str, Any] = {}
        self._result: dict[str, Any] = {}

    def report(self, epoch: int, metrics: dict[str, float]) -> None:
        """Write one finished epoch to the journal and tell the driver; raises Stop if the attempt was superseded."""
        self._check_claim()
        row = {"epoch": epoch, "time_ms": int(time.time() * 1000), "metrics": metrics}
        replace(self.folder / "journal" / f"{epoch:06d}.json", to_json(row))
        self._send({"state": "running", "epoch": epoch, "metrics": metrics})

    def save_checkpoint(self, epoch: int, write: Callable[[Path], None]) -> None:
        """Let `write` fill a folder, publish it by renaming, keep the newest two."""
        final = self.folder / "checkpoint" / f"{epoch:06d}"
        draft = final.with_name(f".{final.name}")
        draft.mkdir(parents=True)
        write(draft)
        draft.rename(final)
        for old in sorted(final.parent.glob("[0-9]*"))[:-KEPT_CHECKPOINTS]:
            shutil.rmtree(old)

    def newest_checkpoint(self) -> Path | None:
        """The furthest that an earlier attempt with the same settings came; the journal up to there is taken over."""
        alike = [attempt for attempt in self._earlier if self._is_alike(attempt)]
        found = [path for attempt in alike for path in (attempt / "checkpoint").glob("[0-9]*")]
        if not found:
            return None
        newest = max(found, key=lambda path: path.name)
        for chunk in sorted((newest.parent.parent / "journal").glob("[0-9]*.json")):
            if chunk.stem <= newest.name:
                replace(self.folder / "journal" / chunk.name, chunk.read_bytes())
        return newest

    def _is_alike(self, attempt: Path) -> bool:
        """Whether an attempt trained with these hyperparameters; one that was cut off at its start has no record."""
        path = attempt / "job.json"
        return path.exists() and json.loads(path.read_text())["job"]["hyperparameters"] == self.job["hyperparameters"]

    def certify(self, facts: dict[str, Any]) -> None:
        """Add facts to certificate.json."""
        self._certificate.update(facts)
        replace(self.folder / "certificate.json", to_json(self._certificate))

    def write_table(self, name: str, table: pl.DataFrame) -> None:
        """Write <name>.parquet; rows of predictions and detections get the job's identity."""
        from evaluation.tables import DETECTIONS, PREDICTIONS, check

        schema = {"predictions": PREDICTIONS, "detections": DETECTIONS}.get(name)
        if schema is not None:
            table = check(self._identified(table), schema, name)
        table.write_parquet(self.folder / f"{name}.parquet")

    def set_result(self, values: dict[str, Any]) -> None:
        """Small values of the result."""
        self._result.update(values)

    def need(self, key: str) -> Path:
        """The folder of a published job."""
        return self._store.published(key)

    def publish(self) -> None:
        """Create the finished record, unless the attempt was superseded or another one was first."""
        self._check_claim()
        replace(self.folder / "result.json", to_json(self._result))
        first = self._store.publish(self.job["key"], self.folder, {**self._record(), "result": self._result})
        # Only now: a kill before the publication would otherwise cost the whole training.
        for attempt in (*self._earlier, self.folder):
            shutil.rmtree(attempt / "checkpoint", ignore_errors=True)
        if not first:
            shutil.rmtree(self.folder, ignore_errors=True)

    def record_failure(self, error: Exception) -> dict[str, Any]:
        """Keep the traceback with the attempt; returns the line that people see, and whether it would fail again."""
        text = traceback.format_exc()
        # A StudyError or a bug raises the same way again; a lost disk, connection or GPU memory may not.
        transient = isinstance(error, (OSError, MemoryError)) or type(error).__name__ == "OutOfMemoryError"
        line = str(error) if isinstance(error, StudyError) else f"{type(error).__name__}: {error}"
        facts = {"type": type(error).__name__, "error": line, "traceback": text, "deterministic": not transient}
        record = {**self._record(), **facts}
        self._store.record_failure(self.job["key"], {**record, "attempt": self.folder.name})
        return {"error": line, "deterministic": not transient}

    def _record(self) -> dict[str, Any]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "name": self.job["name"],
            "kind": self.job["kind"],
            "started": self._started,
            "ended": time.time(),
            "core_seconds": usage.ru_utime + usage.ru_stime,
            "peak_megabytes": usage.ru_maxrss / 1024,
            "device": self.device,
            "code": code_version(),
            "hyperparameters": self.job["hyperparameters"],
        }

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
