"""MLflow: replays what the run store holds of a study, as often as wanted, without a duplicate."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from infra.address import artifact_folder, is_server, reach_database, without_password
from infra.levelling import NOTE, Known, Missing, identity_of, is_settled, missing, newer_note
from infra.records import CellRecord, JobRecord, Replayed, StudyRecord, TrackingError
from infra.runs import Run, experiment_note, runs_of
from infra.store import file_sha256
from infra.views import saved_views

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

_SILENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
_FORCED = {
    **_SILENT,
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # A repeated POST could create a run twice, so nothing is retried below the replay.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
}
_DEFAULTS = {
    "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "8",
}
_PRIMARY = "external/auc"
_POINTS_PER_BATCH = 800
_RUNS_PER_PAGE = 1000

Outcome = Literal["created", "updated", "unchanged"]


def prepare(uri: str) -> None:
    """Make a fresh database usable (its migrations take seconds), once and before anything is timed."""
    with failures(uri):
        connect(uri).search_experiments(max_results=1)


def ui_command(uri: str, host: str = "127.0.0.1", port: int = 5000) -> list[str]:
    """The command that serves a database in the browser, without telemetry and background jobs."""
    if is_server(uri):
        raise TrackingError(f"{without_password(uri, uri)} is an MLflow server already; open it in a browser.")
    command = ["env", *(f"{name}={value}" for name, value in _SILENT.items()), sys.executable, "-m", "mlflow", "server"]
    folder = artifact_folder(uri)
    artifacts = ["--artifacts-destination", folder.as_uri()] if folder else []
    return [*command, "--backend-store-uri", uri, *artifacts, "--host", host, "--port", str(port), "--workers", "1"]


@dataclass
class _Turn:
    """Who writes to an experiment within this process: one tracker at a time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    last: Tracker | None = None


_TURNS: dict[tuple[str, str], _Turn] = {}


class Tracker:
    """One study's experiment, brought level with the run store by each replay.

    What MLflow holds is read once, at the first replay, and again after a failure or when another tracker of this
    process has written. Between processes the caller holds the tracking lease.
    """

    def __init__(self, uri: str, study: str) -> None:
        self._uri = uri
        self._study = study
        self._turn = _TURNS.setdefault((uri, study), _Turn())
        self._experiment: _Experiment | None = None

    def replay(self, jobs: Iterable[JobRecord], cells: Iterable[CellRecord], study: StudyRecord) -> Replayed:
        """Write what is new; `jobs` and `cells` are all of the plan, runs of others become superseded.

        Raises TrackingError if MLflow cannot be reached or refuses; what was written stays, and a later replay
        goes on from there. Raises PrivacyError, before anything is written, if a record holds what may not be logged.
        """
        cells = list(cells)
        wanted = runs_of(jobs, cells, study)
        with self._turn.lock, failures(self._uri):
            if self._turn.last is not self:
                self._experiment = None
            self._turn.last = self
            experiment, self._experiment = self._experiment, None  # read anew unless all goes well
            experiment = experiment or _open(self._uri, self._study)
            experiment.describe(experiment_note(study), (name for cell in cells for name in cell.metrics))
            outcomes = [experiment.level(run) for run in wanted]
            superseded = experiment.supersede_all_but({run.identity for run in wanted})
            self._experiment = experiment
        created, updated = outcomes.count("created"), outcomes.count("updated")
        unchanged = outcomes.count("unchanged")
        return Replayed(created=created, updated=updated, unchanged=unchanged, superseded=superseded)

    def close(self) -> None:
        """Forget what MLflow holds; a later replay reads it again."""
        with self._turn.lock:
            self._experiment = None
            if self._turn.last is self:
                self._turn.last = None


class _Experiment:
    """An experiment and its runs, as far as this process knows."""

    def __init__(self, client: MlflowClient, experiment: Experiment) -> None:
        self._client = client
        self._id = str(experiment.experiment_id)
        self._tags = dict(experiment.tags)
        self._runs = self._read()

    def describe(self, note: str, metrics: Iterable[str]) -> None:
        """Note, primary metric and saved views of the experiment."""
        tags = {
            NOTE: newer_note(self._tags, note),
            "mlflow.experiment.primaryMetric.name": _PRIMARY,
            "mlflow.experiment.primaryMetric.greaterIsBetter": "true",
            **saved_views(metrics, _PRIMARY),
        }
        for name, value in tags.items():
            if self._tags.get(name, "") != value:
                self._client.set_experiment_tag(self._id, name, value)
                self._tags[name] = value

    def level(self, run: Run) -> Outcome:
        """Bring one run level; parents have to come first."""
        is_new = run.identity not in self._runs
        known = self._create(run) if is_new else self._runs[run.identity]
        wanting = missing(run, known, self._parent_id(run), int(time.time() * 1000))
        artifacts = self._changed_artifacts(run, known)
        settled = is_settled(run, known)
        if not (wanting or artifacts) and settled:
            return "created" if is_new else "unchanged"
        self._restore(known)
        self._log(known, wanting)
        self._log_artifacts(known, artifacts)
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

    def _create(self, run: Run) -> Known:
        """A run that carries its identity from the first moment, so that it is found again after a crash."""
        tags = {name: value for name, value in run.tags.items() if name in ("level", "key", "cell", "study") and value}
        created = self._client.create_run(self._id, start_time=run.started_ms, tags=tags, run_name=run.name)
        self._runs[run.identity] = known = Known.of(created)
        return known

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

    def _changed_artifacts(self, run: Run, known: Known) -> dict[str, Path]:
        """Files whose content MLflow does not hold yet, by `name=sha256`."""
        held = set(known.tags.get("artifacts", "").split(", "))
        named = {f"{path.name}={file_sha256(path)[:16]}": path for path in run.artifacts}
        return {name: path for name, path in named.items() if name not in held}

    def _log_artifacts(self, known: Known, artifacts: dict[str, Path]) -> None:
        held = dict(pair.split("=") for pair in known.tags.get("artifacts", "").split(", ") if pair)
        for name, path in artifacts.items():
            self._client.log_artifact(known.run_id, str(path))
            held |= dict([name.split("=")])
        if artifacts:
            tag = ", ".join(f"{name}={sha}" for name, sha in sorted(held.items()))
            self._log(known, Missing(points=[], params={}, tags={"artifacts": tag}))

    def _set_state(self, run: Run, known: Known) -> None:
        if run.status == "RUNNING":
            self._client.update_run(known.run_id, status="RUNNING", name=run.name)
        else:
            self._client.set_terminated(known.run_id, run.status, run.ended_ms)
        if known.name != run.name and run.status != "RUNNING":
            self._client.update_run(known.run_id, name=run.name)
        known.name, known.status, known.ended_ms = run.name, run.status, run.ended_ms


def _open(uri: str, study: str) -> _Experiment:
    """The study's experiment, created or brought back if need be."""
    client = connect(uri)
    found = client.get_experiment_by_name(study)
    if found is None:
        folder = artifact_folder(uri)
        client.create_experiment(study, artifact_location=(folder / study).as_uri() if folder else None)
        found = client.get_experiment_by_name(study)
    elif found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return _Experiment(client, found)


def connect(uri: str) -> MlflowClient:
    """A client of MLflow; to be used within `failures`, which also silences the library before it is imported."""
    reach_database(uri)
    if folder := artifact_folder(uri):
        folder.parent.mkdir(parents=True, exist_ok=True)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _silence() -> None:
    """MLflow reads some of its switches when it is imported, so this comes first."""
    os.environ.update(_FORCED)
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)


@contextmanager
def failures(uri: str) -> Iterator[None]:
    """Whatever keeps MLflow from being level becomes one error."""
    _silence()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = without_password(f"{type(error).__name__}: {error}".splitlines()[0], uri)[:200]
        raise TrackingError(
            f"MLflow at {without_password(uri, uri)} is not level with the run store ({reason}); "
            "nothing is lost, a later replay mends it."
        ) from error
