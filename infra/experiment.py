"""An experiment of MLflow and its runs, one batch of changes per run; with tracking.py, all that writes runs."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from infra.levelling import IDENTIFYING, NOTE, Known, Missing, identity_of, is_settled, missing, newer_note
from infra.notes import linked
from infra.records import DatasetRecord
from infra.runs import Run
from infra.store import file_sha256
from infra.views import saved_views

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment as Entity

_PRIMARY = "external/auc"
_POINTS_PER_BATCH = 800
_RUNS_PER_PAGE = 1000
_SOURCE = "osteogrid"
"""Type of every dataset's source; where it lies is nobody's business."""

Outcome = Literal["created", "updated", "unchanged"]


class Experiment:
    """An experiment and its runs, as far as this process knows."""

    def __init__(self, client: MlflowClient, experiment: Entity) -> None:
        self._client = client
        self._id = str(experiment.experiment_id)
        self._tags = dict(experiment.tags)
        self._runs = self._read()

    def describe(self, note: str) -> None:
        """Note, primary metric and saved views; the runs have to be there, as the note points to them."""
        tags = {
            NOTE: newer_note(self._tags, self._linked(note)),
            "mlflow.experiment.primaryMetric.name": _PRIMARY,
            "mlflow.experiment.primaryMetric.greaterIsBetter": "true",
            **saved_views(self._runs.values(), _PRIMARY),
        }
        for name, value in tags.items():
            if self._tags.get(name, "") != value:
                self._client.set_experiment_tag(self._id, name, value)
                self._tags[name] = value

    def create(self, runs: list[Run]) -> set[str]:
        """Make the runs that are not there; returns their identities."""
        new = [run for run in runs if run.identity not in self._runs and (run.results or not run.waits)]
        for run in new:
            self._create(run)
        return {run.identity for run in new}

    def level(self, run: Run, *, is_new: bool) -> Outcome:
        """Bring one run level, and its parent has to be there; one that still waits for results is let wait."""
        if run.identity not in self._runs:
            return "unchanged"
        known = self._runs[run.identity]
        run = replace(run, note=self._linked(run.note))
        wanting = missing(run, known, self._parent_id(run), int(time.time() * 1000))
        artifacts, gone = self._changed_artifacts(run, known)
        datasets = [each for each in run.datasets if (each.name, each.digest) not in known.datasets]
        settled = is_settled(run, known)
        if not (wanting or artifacts or gone or datasets) and settled:
            return "created" if is_new else "unchanged"
        self._restore(known)
        self._log(known, wanting)
        self._log_datasets(known, datasets)
        self._log_artifacts(known, artifacts, gone)
        if not settled:  # last, so that a finished run has all that belongs to it
            self._set_state(run, known)
        return "created" if is_new else "updated"

    def supersede_all_but(self, identities: set[str]) -> int:
        """Mark runs of jobs and cells that the plan no longer holds; returns how many are newly marked."""
        stale = [known for identity, known in self._runs.items() if identity not in identities and not known.deleted]
        newly = [known for known in stale if known.tags.get("superseded") != "true"]
        for known in newly:
            self._log(known, Missing(points=[], params={}, tags={"superseded": "true"}))
            if known.status == "RUNNING":
                self._client.set_terminated(known.run_id, "KILLED")
                known.status, known.ended_ms = "KILLED", None
        return len(newly)

    def _read(self) -> dict[str, Known]:
        """All runs that carry an identity; a second one of the same identity is kept apart, to be superseded."""
        from mlflow.entities import ViewType

        found, token = [], None
        while True:
            page = self._client.search_runs(
                [self._id], run_view_type=ViewType.ALL, max_results=_RUNS_PER_PAGE, page_token=token
            )
            found += [Known.of(run) for run in page]
            token = page.token
            if not token:
                break
        runs: dict[str, Known] = {}
        for known in sorted(found, key=lambda known: (known.deleted, known.started_ms, known.run_id)):
            if identity := identity_of(known.tags):
                runs[f"{identity} again {known.run_id}" if identity in runs else identity] = known
        return runs

    def _create(self, run: Run) -> None:
        """A run that carries its identity from the first moment, so that it is found again after a crash."""
        names = ("level", *IDENTIFYING.get(run.tags["level"], ()))
        tags = {name: run.tags[name] for name in names}
        created = self._client.create_run(self._id, start_time=run.started_ms, tags=tags, run_name=run.name)
        self._runs[run.identity] = Known.of(created)

    def _parent_id(self, run: Run) -> str:
        return self._runs[run.parent].run_id if run.parent else ""

    def _restore(self, known: Known) -> None:
        """Bring back a run that was deleted in the UI: MLflow mirrors the run store."""
        if known.deleted:
            self._client.restore_run(known.run_id)
            known.deleted = False

    def _log(self, known: Known, wanting: Missing) -> None:
        """One batch as a rule; the tags, which hold the watermarks, go with the last."""
        from mlflow.entities import Metric, Param, RunTag

        if not wanting:
            return
        points = [Metric(point.key, point.value, point.time_ms, point.step) for point in wanting.points]
        chunks = [points[start : start + _POINTS_PER_BATCH] for start in range(0, len(points), _POINTS_PER_BATCH)]
        params = [Param(name, value) for name, value in wanting.params.items()]
        tags = [RunTag(name, value) for name, value in wanting.tags.items()]
        for chunk in chunks[:-1]:
            self._client.log_batch(known.run_id, metrics=chunk, synchronous=True)
        last = chunks[-1] if chunks else []
        self._client.log_batch(known.run_id, metrics=last, params=params, tags=tags, synchronous=True)
        known.params |= wanting.params
        known.tags |= wanting.tags
        known.metrics |= {point.key: point.value for point in wanting.points}

    def _linked(self, note: str) -> str:
        return linked(note, self._id, {identity: known.run_id for identity, known in self._runs.items()})

    def _log_datasets(self, known: Known, datasets: list[DatasetRecord]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        if not datasets:
            return
        inputs = [
            DatasetInput(
                Dataset(each.name, each.digest, _SOURCE, "{}", profile=json.dumps({"images": each.images})),
                [InputTag("mlflow.data.context", each.context)],
            )
            for each in datasets
        ]
        self._client.log_inputs(known.run_id, inputs)
        known.datasets |= {(each.name, each.digest) for each in datasets}

    def _changed_artifacts(self, run: Run, known: Known) -> tuple[dict[str, Path], list[str]]:
        """Files whose content MLflow does not hold yet, by `name=sha256`, and names of those that are no more."""
        held = _held(known)
        named = {f"{name}={file_sha256(path)[:16]}": path for name, path in run.artifacts.items()}
        gone = [name for name in held if name not in run.artifacts] if run.artifacts else []
        return {name: path for name, path in named.items() if name not in map("=".join, held.items())}, gone

    def _log_artifacts(self, known: Known, artifacts: dict[str, Path], gone: list[str]) -> None:
        if not (artifacts or gone):
            return
        held = {name: sha for name, sha in _held(known).items() if name not in gone}
        self._delete(known, gone)
        for named, path in artifacts.items():
            name, _, sha = named.partition("=")
            self._client.log_artifact(known.run_id, str(path), name.rpartition("/")[0] or None)
            held[name] = sha
        tag = ", ".join(f"{name}={sha}" for name, sha in sorted(held.items()))
        self._log(known, Missing(points=[], params={}, tags={"artifacts": tag}))

    def _delete(self, known: Known, names: list[str]) -> None:
        """An old table beside a new report would be taken for one of it."""
        from mlflow.artifacts import get_artifact_repository

        if not names:
            return
        uri = self._client.get_run(known.run_id).info.artifact_uri
        kept = get_artifact_repository(uri, tracking_uri=self._client.tracking_uri)
        for name in names:
            kept.delete_artifacts(name)

    def _set_state(self, run: Run, known: Known) -> None:
        if run.status == "RUNNING":
            self._client.update_run(known.run_id, status="RUNNING", name=run.name)
        else:
            self._client.set_terminated(known.run_id, run.status, run.ended_ms)
        if known.name != run.name and run.status != "RUNNING":
            self._client.update_run(known.run_id, name=run.name)
        known.name, known.status, known.ended_ms = run.name, run.status, run.ended_ms


def _held(known: Known) -> dict[str, str]:
    """Artifacts that MLflow has, with the beginning of their sha256."""
    pairs = known.tags.get("artifacts", "").split(", ")
    return dict(pair.rsplit("=", 1) for pair in pairs if pair)
