"""MLflow: replays what the run store holds of a study, as often as wanted, without a duplicate."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.address import artifact_folder, is_server, reach_database, without_password
from infra.experiment import Experiment, Outcome
from infra.notes import view_page
from infra.records import CellRecord, JobRecord, Replayed, StudyRecord, TrackingError
from infra.runs import experiment_note, runs_of
from infra.views import FIRST, TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient

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


def pages(uri: str, address: str) -> dict[str, str]:
    """Experiment -> the page to begin with, its saved view of cells, on a server at `address`."""
    with failures(uri):
        found = connect(uri).search_experiments()
    return {
        each.name: f"{address}/{view_page(each.experiment_id, FIRST)}"
        for each in reversed(found)
        if any(name.startswith(TAG) for name in each.tags)
    }


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
        self._experiment: Experiment | None = None

    def replay(self, jobs: Iterable[JobRecord], cells: Iterable[CellRecord], study: StudyRecord) -> Replayed:
        """Write what is new; `jobs` and `cells` are all of the plan, runs of others become superseded.

        Raises TrackingError if MLflow cannot be reached or refuses; what was written stays, and a later replay
        goes on from there. Raises PrivacyError, before anything is written, if a record holds what may not be logged.
        """
        wanted = runs_of(jobs, cells, study)
        with self._turn.lock, failures(self._uri):
            if self._turn.last is not self:
                self._experiment = None
            self._turn.last = self
            experiment, self._experiment = self._experiment, None  # read anew unless all goes well
            experiment = experiment or _open(self._uri, self._study)
            new = experiment.create(wanted)  # all of them first, as notes point to other runs
            outcomes: list[Outcome] = [experiment.level(run, is_new=run.identity in new) for run in wanted]
            superseded = experiment.supersede_all_but({run.identity for run in wanted})
            experiment.describe(experiment_note(study))
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


def _open(uri: str, study: str) -> Experiment:
    """The study's experiment, created or brought back if need be."""
    client = connect(uri)
    found = client.get_experiment_by_name(study)
    if found is None:
        folder = artifact_folder(uri)
        client.create_experiment(study, artifact_location=(folder / study).as_uri() if folder else None)
        found = client.get_experiment_by_name(study)
    elif found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return Experiment(client, found)


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
