from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pandas
import pytest

from infra.models import BEST, ModelRecord, register
from infra.records import PrivacyError, StudyRecord, TrackingError
from infra.tracking import Tracker, prepare

pytestmark = pytest.mark.slow  # importing MLflow and migrating a fresh database take seconds

CODE = """
from pathlib import Path
from tempfile import gettempdir

import mlflow
from mlflow.pyfunc import PythonModel


class Reader(PythonModel):
    def predict(self, context, model_input, params=None):
        text = (Path(context.artifacts["bundle"]) / "bundle.json").read_text()
        return model_input.assign(score=len(text))


mlflow.models.set_model(Reader())
"""


class Registry:
    """A study in a fresh database, with a file of code for its models."""

    def __init__(self, uri: str, study: str, folder: Path) -> None:
        self.uri, self.study = uri, study
        self.code = folder / "reads_its_bundle.py"
        self.code.write_text(CODE)
        self.written = 0
        tracker = Tracker(uri, study)
        tracker.replay([], [], StudyRecord(study=study))
        tracker.close()

    def record(self, digest: str = "ab12", text: str = "content", **tags: str) -> ModelRecord:
        def write(folder: Path) -> None:
            self.written += 1
            folder.mkdir(parents=True)
            (folder / "bundle.json").write_text(text)

        return ModelRecord(
            study=self.study,
            digest=digest,
            tags={"licenses": "chest: CC0-1.0", "commercial_use": "unknown", **tags},
            description="**A cell**: the mean of two replicates.",
            rules=["youden"],
            code=self.code,
            write=write,
        )

    @property
    def client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(self.uri, self.uri)

    def versions(self) -> dict[str, Any]:
        return {str(each.version): each for each in self.client.search_model_versions(f"name = '{self.study}'")}

    def best(self) -> str:
        return str(self.client.get_model_version_by_alias(self.study, BEST).version)

    def load(self) -> Any:
        import mlflow

        mlflow.set_tracking_uri(self.uri)
        return mlflow.pyfunc.load_model(f"models:/{self.study}@{BEST}")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    address = f"sqlite:///{tmp_path_factory.mktemp('models')}/mlflow.db"
    prepare(address)
    return address


@pytest.fixture
def registry(uri: str, request: pytest.FixtureRequest, tmp_path: Path) -> Registry:
    return Registry(uri, request.node.name[:60], tmp_path)


def test_a_bundle_becomes_a_version_that_loads_without_pickle_and_answers(registry: Registry) -> None:
    assert register(registry.record(text="twelve signs"), registry.uri) == "1"

    model = registry.load()
    answer = model.predict(pandas.DataFrame({"path": ["a.dcm"]}))

    assert answer["score"].to_list() == [12]
    assert model.metadata.signature.inputs.input_names() == ["path", "x0", "y0", "x1", "y1"]
    assert model.metadata.signature.outputs.input_names() == ["path", "score", "logit", "youden", "error"]
    assert list(model.input_example["path"]) == ["radiograph.dcm"]
    (version,) = registry.versions().values()
    assert version.tags == {"bundle": "ab12", "licenses": "chest: CC0-1.0", "commercial_use": "unknown"}


def test_an_equal_bundle_is_neither_written_nor_registered_again(registry: Registry) -> None:
    register(registry.record(), registry.uri)
    register(registry.record(), registry.uri)

    assert registry.written == 1
    assert set(registry.versions()) == {"1"}


def test_the_model_says_how_to_load_it_and_the_version_what_it_is(registry: Registry) -> None:
    register(registry.record(), registry.uri)
    register(replace(registry.record(), description="Told anew."), registry.uri)

    assert f"models:/{registry.study}@best" in registry.client.get_registered_model(registry.study).description
    (version,) = registry.versions().values()
    assert version.description.startswith("Told anew.\n")
    assert f"/runs/{version.run_id}?" in version.description


def test_another_bundle_takes_the_alias_and_the_first_gets_it_back_when_it_returns(registry: Registry) -> None:
    first, second = registry.record("ab12"), registry.record("cd34")

    assert [register(each, registry.uri) for each in (first, second)] == ["1", "2"]
    assert registry.best() == "2"
    assert register(first, registry.uri) == "1"
    assert registry.best() == "1"
    assert set(registry.versions()) == {"1", "2"}


def test_no_file_of_a_version_names_a_path_of_this_machine_or_its_user(registry: Registry) -> None:
    register(registry.record(), registry.uri)

    (version,) = registry.versions().values()
    folder = Path(version.source.removeprefix("file://"))
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"MLmodel", "reads_its_bundle.py", "bundle.json"} <= {path.name for path in files}
    told = [str(registry.code.parent), gettempdir(), str(Path.cwd()), str(Path.home())]
    assert [path for path in files if any(word.encode() in path.read_bytes() for word in told)] == []
    run = registry.client.get_run(version.run_id)
    assert run.data.tags["level"] == "study"
    assert not {"mlflow.user", "mlflow.source.name"} & set(run.data.tags)


def test_a_tag_that_may_not_be_logged_stops_before_anything_is_written(registry: Registry) -> None:
    with pytest.raises(PrivacyError, match="patient_name"):
        register(registry.record(patient_name="doe"), registry.uri)

    assert registry.written == 0
    assert registry.versions() == {}


def test_a_study_that_mlflow_does_not_know_is_said(registry: Registry) -> None:
    with pytest.raises(TrackingError, match="no run of study 'unknown-study'"):
        register(replace(registry.record(), study="unknown-study"), registry.uri)


def test_a_dead_server_is_a_tracking_error(registry: Registry) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        with pytest.raises(TrackingError, match="nothing is lost"):
            register(registry.record(), f"http://127.0.0.1:{taken.getsockname()[1]}")
