"""How an attempt ends: published, paused at a rung, or failed, with what it cost."""

from __future__ import annotations

import logging
import resource
import shutil
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.environment import code_version
from infra.store import RunStore, replace, to_json
from search_spaces.errors import StudyError
from trainables.checkpoints import Checkpoints
from trainables.task import Job

_LOG = logging.getLogger(__name__)
TRAINS = ("tune", "fit")
"""Kinds of job whose result is a value after so many epochs."""


@dataclass(frozen=True)
class Ending:
    """What is written to the run store when an attempt at a job is over."""

    store: RunStore
    job: Job
    folder: Path
    device: str
    started: float
    """Seconds since 1970."""

    def publish(self, result: dict[str, Any], checkpoints: Checkpoints) -> dict[str, Any]:
        """Create the finished record unless another attempt was first, or pause; the message for the driver."""
        if self._until < self.job["epochs"] and not self.job["pruned"]:
            checkpoints.remove_earlier()
            return self._pause(result)
        if self.job["kind"] in TRAINS:
            result = {**result, "pruned": self.job["pruned"], "epochs_trained": self._epochs_trained()}
        if self.job["kind"] == "tune":
            self._forget_weights()  # of a trial its value and its hyperparameters are used, and there are many trials
        replace(self.folder / "result.json", to_json(result))
        _LOG.info("publishes %s", result)
        first = self.store.publish(self.job["key"], self.folder, {**self._facts(), "result": result})
        checkpoints.remove()  # only now: a kill before the publication would otherwise cost the whole training
        if not first:
            shutil.rmtree(self.folder, ignore_errors=True)
        return {"state": "finished"}

    def fail(self, error: Exception) -> dict[str, Any]:
        """Keep the traceback with the attempt; the message says whether the job would fail again."""
        text = traceback.format_exc()
        # A StudyError or a bug raises the same way again; a lost disk, connection or GPU memory may not.
        transient = isinstance(error, (OSError, MemoryError)) or type(error).__name__ == "OutOfMemoryError"
        line = str(error) if isinstance(error, StudyError) else f"{type(error).__name__}: {error}"
        facts = {"type": type(error).__name__, "error": line, "traceback": text, "deterministic": not transient}
        self.store.record_failure(self.job["key"], {**self._facts(), **facts, "attempt": self.folder.name})
        return {"state": "failed", "error": line, "deterministic": not transient}

    def _pause(self, result: dict[str, Any]) -> dict[str, Any]:
        """Record how a trial stands at its rung; its checkpoint stays."""
        record = {**self._facts(), "value": result["value"], "attempt": self.folder.name}
        self.store.record_rung(self.job["key"], self._until, record)
        self._forget_weights()
        _LOG.info("pauses at the rung after epoch %d with value %.5g", self._until, result["value"])
        return {"state": "paused", "epoch": self._until}

    def _forget_weights(self) -> None:
        for model in self.folder.glob("*.safetensors"):
            model.unlink()

    @property
    def _until(self) -> int:
        """Where this attempt ends: a rung of the trial, or the last epoch."""
        return int(self.job["until"])

    def _epochs_trained(self) -> int:
        return max((int(chunk.stem) for chunk in (self.folder / "journal").glob("[0-9]*.json")), default=0)

    def _facts(self) -> dict[str, Any]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "name": self.job["name"],
            "kind": self.job["kind"],
            "started": self.started,
            "ended": time.time(),
            "core_seconds": usage.ru_utime + usage.ru_stime + self._spent_before(),
            "peak_megabytes": usage.ru_maxrss / 1024,
            "device": self.device,
            "code": code_version(),
            "hyperparameters": self.job["hyperparameters"],
        }

    def _spent_before(self) -> float:
        """Core-seconds up to the newest rung, which paused attempts took."""
        rungs = self.store.rungs(self.job["key"])
        return float(rungs[max(rungs)]["core_seconds"]) if rungs else 0.0
