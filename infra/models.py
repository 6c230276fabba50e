"""MLflow's model registry: a bundle becomes a version of the study's model, once per content."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from infra.notes import MODEL_TRAINING
from infra.privacy import check_tags, check_text
from infra.records import TrackingError
from infra.tracking import connect, failures

if TYPE_CHECKING:
    from mlflow import MlflowClient

BEST = "best"
"""Alias of the version to use: models:/<study>@best."""
_FIXED = {"MLFLOW_UV_AUTO_DETECT": "false"}
"""MLflow would copy pyproject.toml and uv.lock of the folder that a command was called in."""

_EXAMPLE = {"path": "radiograph.dcm", "x0": 10.0, "y0": 20.0, "x1": 60.0, "y1": 80.0}


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """A bundle as it shall stand in the registry."""

    study: str
    """Name of the registered model and of the experiment."""
    digest: str
    """Of the bundle's content: an equal one is not registered again."""
    tags: dict[str, str]
    description: str
    """Markdown: what it is, what it may be used for, how it decides; how to load it is added here."""
    rules: Sequence[str]
    """Columns of decisions that the model returns."""
    code: Path
    """The file that MLflow runs when it loads the model; no pickle."""
    write: Callable[[Path], object]
    """Writes the bundle into a new folder."""


def register(record: ModelRecord, uri: str) -> str:
    """Make the bundle a version of the study's model, unless it is one, and give it the alias `best`.

    Returns the version's number. Raises TrackingError if MLflow cannot be reached or has no run of the study yet, and
    PrivacyError, before anything is written, if a tag holds what may not be logged.
    """
    tags = {**record.tags, "bundle": record.digest}
    check_tags(tags)
    check_text("registered model", " ".join(tags.values()))
    check_text("description of a registered model", record.description)
    with failures(uri):
        client = connect(uri)
        found = _known(client, record) or _add(client, record, tags)
        _describe(client, record, found)
        _point(client, record.study, found)
    return found


def _known(client: MlflowClient, record: ModelRecord) -> str | None:
    """The version that holds the same bundle."""
    versions = client.search_model_versions(f"name = '{record.study}'")
    return next((str(each.version) for each in versions if each.tags.get("bundle") == record.digest), None)


def _point(client: MlflowClient, name: str, found: str) -> None:
    if client.get_registered_model(name).aliases.get(BEST) != found:
        client.set_registered_model_alias(name, BEST, found)


def _describe(client: MlflowClient, record: ModelRecord, found: str) -> None:
    """Of the model the way to load it, of the version what it is."""
    of_model = f"The cell of study {record.study} that is best on the reserve; alias `{BEST}`.\n\n{_use(record)}"
    if (client.get_registered_model(record.study).description or "") != of_model:
        client.update_registered_model(record.study, description=of_model)
    version = client.get_model_version(record.study, found)
    run = f"#/experiments/{client.get_run(version.run_id).info.experiment_id}/runs/{version.run_id}?{MODEL_TRAINING}"
    of_version = f"{record.description}\n\nIts files are artifacts of the [study's run]({run})."
    if (version.description or "") != of_version:
        client.update_model_version(record.study, found, description=of_version)


def _use(record: ModelRecord) -> str:
    columns = ", ".join(("path", "score", "logit", *record.rules, "error"))
    return (
        f'    import mlflow, pandas\n    model = mlflow.pyfunc.load_model("models:/{record.study}@{BEST}")\n'
        f'    model.predict(pandas.DataFrame({{"path": ["{_EXAMPLE["path"]}"]}}))\n\n'
        f"Where it scores boxes, `x0`, `y0`, `x1` and `y1` are columns, too. It answers with {columns}. "
        "osteogrid has to be installed where it is loaded."
    )


def _add(client: MlflowClient, record: ModelRecord, tags: dict[str, str]) -> str:
    """Upload under the study's own run: a run that MLflow made would carry user and host names."""
    from mlflow.exceptions import MlflowException

    run = _study_run(client, record.study)
    place = f"model/{record.digest}"
    with tempfile.TemporaryDirectory() as scratch:
        client.log_artifacts(run.info.run_id, str(_saved(record, Path(scratch))), place)
    try:
        client.create_registered_model(record.study)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = f"{run.info.artifact_uri}/{place}"
    return str(client.create_model_version(record.study, source, run.info.run_id, tags=tags).version)


def _study_run(client: MlflowClient, study: str) -> Any:
    experiment = client.get_experiment_by_name(study)
    found = [] if experiment is None else client.search_runs([experiment.experiment_id], "tags.level = 'study'")
    if not found:
        raise TrackingError(f"MLflow has no run of study {study!r} to keep a model with; `make track` makes it.")
    return found[0]


def _saved(record: ModelRecord, scratch: Path) -> Path:
    """The model in MLflow's form: the code file, the bundle as an artifact, signature and example."""
    os.environ.update(_FIXED)
    import mlflow.pyfunc
    import pandas
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    corners = [ColSpec("double", name, required=False) for name in ("x0", "y0", "x1", "y1")]
    outputs = [ColSpec("string", "path"), ColSpec("double", "score"), ColSpec("double", "logit")]
    outputs += [ColSpec("string", name) for name in (*record.rules, "error")]
    bundle, folder = scratch / "bundle", scratch / "model"
    record.write(bundle)
    mlflow.pyfunc.save_model(
        folder,
        python_model=str(record.code),
        artifacts={"bundle": str(bundle)},
        signature=ModelSignature(Schema([ColSpec("string", "path"), *corners]), Schema(outputs)),
        input_example=pandas.DataFrame([_EXAMPLE]),
        pip_requirements=[f"osteogrid=={version('osteogrid')}"],
    )
    _forget_paths(folder / "MLmodel")
    return folder


def _forget_paths(description: Path) -> None:
    """MLflow notes where code and artifacts were copied from; loading needs the places within the model only."""
    body = yaml.safe_load(description.read_text(encoding="utf-8"))
    flavor = body["flavors"]["python_function"]
    flavor["model_code_path"] = Path(flavor["model_code_path"]).name
    for artifact in flavor["artifacts"].values():
        artifact["uri"] = artifact["path"]
    description.write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
