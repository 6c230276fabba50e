"""Ray Tune's Searcher over a schedule: offers jobs as their needs are met and learns how they ended."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from typing import Any

from ray.tune.search import Searcher

from infra.environment import code_version
from infra.store import RunStore
from orchestrator.progress.live import Progress
from orchestrator.schedule import Schedule, State
from search_spaces.job import Job

Payload = dict[str, Any]


class StudySearcher(Searcher):
    """One per sweep. Tune asks `suggest` whenever it could start a trial.

    FINISHED is returned iff nothing is ready and nothing is live: then nothing can ever become ready, whatever has
    failed. None means that a live job may release another one; with None and nothing live, Tune would wait for ever.
    """

    def __init__(
        self,
        schedule: Schedule,
        assign: Callable[[Job], Payload],
        store: RunStore,
        progress: Progress,
        *,
        limit: int | None = None,
    ) -> None:
        super().__init__(metric="unused", mode="max")
        self._schedule = schedule
        self._assign = assign
        self._store = store
        self._progress = progress
        self._left = limit
        self._keys: dict[str, str] = {}
        self._last: dict[str, dict[str, Any]] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next job as a trial's config."""
        while (job := self._next()) is not None:
            try:
                payload = self._assign(job)
            except Exception as error:  # a job that cannot even be put together fails alone
                self._schedule.fail(job.key, f"{type(error).__name__}: {error}", for_good=False)
                self._record(job.key, type(error).__name__, traceback.format_exc())
                continue
            self._keys[trial_id] = job.key
            self._progress.started(job.key)
            shape = self._schedule.shapes[job.key]
            return {"payload": json.dumps(payload), "cpus": shape.cpus, "gpu": shape.gpu}
        return None if self._schedule.running else Searcher.FINISHED

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """A job's epoch, or how it ended."""
        message = json.loads(result["message"]) if "message" in result else {}
        key = self._keys[trial_id]
        self._last[key] = message
        if message.get("state") == "running":
            self._progress.advanced(key, int(message["epoch"]), message["metrics"])

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A trial ended; the run store, not Tune, says whether the job is done."""
        key = self._keys.pop(trial_id, None)
        if key is None or self._schedule.states[key] is not State.RUNNING:
            return
        if result is not None and "message" in result:
            self._last[key] = json.loads(result["message"])
        message = self._last.pop(key, {})
        if self._store.finished_record(key) is not None:
            self._schedule.finish(key)
        elif message.get("state") == "failed":
            self._schedule.fail(key, str(message["error"]), for_good=bool(message["deterministic"]))
        elif self._schedule.pause(key):
            self._progress.paused(key)
            return
        else:
            self._schedule.lose(key, str(message.get("error") or "the worker or its node was lost"))
            if self._schedule.states[key] is State.FAILED:
                self._record(key, "LostError", "")
        self._progress.ended(key)

    def _record(self, key: str, kind: str, text: str) -> None:
        """Keep a failure that no attempt could record itself."""
        job = self._schedule.jobs[key]
        facts = {"name": job.name, "kind": job.kind, "type": kind, "error": self._schedule.reasons[key]}
        record = {**facts, "traceback": text, "deterministic": False, "code": code_version(), "ended": time.time()}
        self._store.record_failure(key, record)

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its configuration for a restore that is never made; a live schedule cannot be in it."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the run store holds the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: a new sweep starts from the run store."""

    def _next(self) -> Job | None:
        if self._left is not None and self._left <= 0:
            return None
        job = self._schedule.next()
        if job is not None and self._left is not None:
            self._left -= 1
        return job
