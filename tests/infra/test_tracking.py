from __future__ import annotations

import json
import math
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.records import (
    CellRecord,
    CenterRecord,
    DatasetRecord,
    EpochRow,
    JobRecord,
    Replayed,
    StudyRecord,
    TrackingError,
)
from infra.tracking import Tracker, pages, prepare, ui_command

pytestmark = pytest.mark.slow  # importing MLflow and migrating a fresh database take seconds

START = 1_790_000_000_000
CELL = "classification/resnet10t-chest-transfer"
AXES: dict[str, Any] = {"backbone": "resnet10t", "pretraining": "chest", "init": "transfer", "task": "classification"}


def make_rows(epochs: int) -> list[EpochRow]:
    return [
        EpochRow(epoch=n, time_ms=START + 1000 * n, metrics={"validation/auc": 0.5 + n / 10})
        for n in range(1, epochs + 1)
    ]


def make_job(key: str = "a1", **rest: Any) -> JobRecord:
    job = JobRecord(
        key=key,
        kind="fit",
        name=f"{CELL}-f0-s0",
        arm="classification",
        cell=CELL,
        **AXES,
        fold=0,
        seed=0,
        center=None,
        trial=None,
        status="finished",
        started_ms=START,
        ended_ms=START + 9000,
        hyperparameters={"learning_rate": 0.001},
        epochs=make_rows(3),
        metrics={"best/value": 0.8},
    )
    return replace(job, **rest)


def make_cell(published: int = 1, **rest: Any) -> CellRecord:
    cell = CellRecord(
        cell=CELL,
        arm="classification",
        **AXES,
        metrics={"external/auc": 0.75, "center_b/auc": 0.7},
        replicates_published=published,
        replicates_planned=2,
    )
    return replace(cell, **rest)


class Study:
    """One experiment, replayed by a tracker and read back by a client of its own."""

    def __init__(self, uri: str, name: str) -> None:
        self.uri, self.name = uri, name
        self.tracker = Tracker(uri, name)

    def replay(self, *jobs: JobRecord, cell: CellRecord | None = None, **study: Any) -> Replayed:
        return self.tracker.replay(jobs, [cell or make_cell()], StudyRecord(study=self.name, **study))

    @property
    def client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(self.uri)

    @property
    def experiment(self) -> Any:
        return self.client.get_experiment_by_name(self.name)

    def runs(self, query: str = "") -> list[Any]:
        return list(self.client.search_runs([self.experiment.experiment_id], query))

    def run(self, level: str) -> Any:
        (run,) = self.runs(f"tags.level = '{level}'")
        return run

    def history(self, level: str, metric: str) -> list[tuple[float, int, int]]:
        rows = self.client.get_metric_history(self.run(level).info.run_id, metric)
        return [(row.value, row.timestamp, row.step) for row in rows]


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    address = f"sqlite:///{tmp_path_factory.mktemp('tracking')}/mlflow.db"
    prepare(address)
    return address


@pytest.fixture
def study(uri: str, request: pytest.FixtureRequest) -> Iterator[Study]:
    study = Study(uri, request.node.name[:80])
    yield study
    study.tracker.close()


def test_job_cell_and_study_become_three_nested_runs(study: Study) -> None:
    replayed = study.replay(make_job())

    assert replayed == Replayed(created=3)
    job, cell, top = study.run("job"), study.run("cell"), study.run("study")
    assert job.data.tags["mlflow.parentRunId"] == cell.info.run_id
    assert cell.data.tags["mlflow.parentRunId"] == top.info.run_id
    assert (job.info.run_name, cell.info.run_name) == ("resnet10t-chest-transfer-f0-s0", "resnet10t-chest-transfer")


def test_a_second_replay_adds_no_run_and_no_row(study: Study) -> None:
    study.replay(make_job())
    rows = study.history("job", "validation/auc")

    again = study.replay(make_job())
    study.tracker.close()
    from_nothing_known = study.replay(make_job())

    assert again == from_nothing_known == Replayed(unchanged=3)
    assert len(study.runs()) == 3
    assert study.history("job", "validation/auc") == rows


def test_epochs_keep_their_times_and_steps(study: Study) -> None:
    study.replay(make_job(epochs=make_rows(2)))

    assert study.history("job", "validation/auc") == [(0.6, START + 1000, 1), (0.7, START + 2000, 2)]
    assert study.history("job", "best/value") == [(0.8, START + 9000, 0)]  # at step 0 the page draws a bar
    run = study.run("job")
    assert (run.info.status, run.info.start_time, run.info.end_time) == ("FINISHED", START, START + 9000)


def test_a_growing_journal_is_replayed_row_by_row(study: Study) -> None:
    running = make_job(epochs=make_rows(1), status="running", ended_ms=None, metrics={})
    study.replay(running, cell=make_cell(published=0, metrics={}))
    assert study.run("job").info.status == "RUNNING"

    replayed = study.replay(make_job(epochs=make_rows(3)))

    assert (replayed.updated, replayed.unchanged) == (2, 1)  # the study has nothing new to say
    assert [step for _, _, step in study.history("job", "validation/auc")] == [1, 2, 3]
    assert study.run("job").info.status == "FINISHED"


def test_a_failed_job_that_is_retried_goes_on_in_its_run(study: Study) -> None:
    failed = make_job(
        epochs=make_rows(2), status="failed", metrics={}, error="ValueError: bad pixel in /data/doe/1.dcm"
    )
    study.replay(failed)
    assert study.run("job").info.status == "FAILED"
    assert study.run("job").data.tags["error"] == "ValueError"

    first, *later = make_rows(4)
    # The retry went on from the checkpoint after epoch 1 and did the second epoch again.
    repeated = [first, *(replace(row, time_ms=row.time_ms + 60_000) for row in later)]
    study.replay(make_job(epochs=repeated[:2], attempt=2, status="running", ended_ms=None, metrics={}))
    assert study.run("job").info.status == "RUNNING"
    study.replay(make_job(epochs=repeated, attempt=2, ended_ms=START + 90_000))

    run = study.run("job")
    assert (run.info.status, run.data.tags["attempt"], run.data.tags["error"]) == ("FINISHED", "2", "")
    assert [step for _, _, step in study.history("job", "validation/auc")] == [1, 2, 2, 3, 4]


def test_a_run_created_before_a_crash_is_found_and_filled(study: Study) -> None:
    study.replay()
    tags = {"level": "job", "key": "a1"}
    created = study.client.create_run(study.experiment.experiment_id, tags=tags).info.run_id
    study.tracker.close()

    replayed = study.replay(make_job())

    assert (replayed.created, replayed.updated) == (0, 1)
    assert study.run("job").info.run_id == created
    assert study.run("job").data.params["backbone"] == "resnet10t"


def test_rows_written_before_a_crash_are_not_written_again(study: Study) -> None:
    study.replay(make_job())
    rows = study.history("job", "validation/auc")
    study.client.set_tag(study.run("job").info.run_id, "replayed", "")
    study.tracker.close()

    study.replay(make_job())

    assert study.history("job", "validation/auc") == rows
    assert len(study.history("job", "best/value")) == 1


def test_two_replays_at_once_create_each_run_once(study: Study) -> None:
    study.replay()
    jobs = [make_job(f"a{n}") for n in range(4)]

    with ThreadPoolExecutor() as pool:
        replays = [pool.submit(each.replay, *jobs) for each in (study, Study(study.uri, study.name))]

    assert sorted(each.result().created for each in replays) == [0, 4]
    assert len(study.runs()) == 6


def test_a_tracker_reads_anew_once_another_has_written(study: Study) -> None:
    study.replay()
    other = Study(study.uri, study.name)
    other.replay(make_job())

    assert study.replay(make_job()) == Replayed(unchanged=3)
    assert len(study.runs()) == 3


def test_a_value_that_is_not_a_number_is_left_out(study: Study) -> None:
    row = EpochRow(epoch=1, time_ms=START, metrics={"train/loss": math.inf, "validation/auc": math.nan})

    study.replay(make_job(epochs=[row], metrics={"best/value": math.nan}))

    assert study.run("job").data.metrics == {}


def test_a_job_that_left_the_plan_is_superseded_until_it_returns(study: Study) -> None:
    stays, leaves = make_job("a1"), make_job("a2", status="running", ended_ms=None, metrics={})
    study.replay(stays, leaves)

    assert study.replay(stays) == Replayed(unchanged=3, superseded=1)
    (run,) = study.runs("tags.superseded = 'true'")
    assert (run.data.tags["key"], run.info.status) == ("a2", "KILLED")

    study.replay(stays, leaves)
    assert study.runs("tags.superseded = 'true'") == []


def test_cells_and_jobs_share_the_params_that_the_page_groups_by(study: Study) -> None:
    study.replay(make_job())

    assert study.run("cell").data.params == AXES
    assert study.run("job").data.params == {**AXES, "learning_rate": "0.001"}
    assert study.run("study").data.params == {}


def test_shared_jobs_hang_under_the_study_and_name_their_users(study: Study) -> None:
    pretraining = make_job(kind="pretrain", name="pretrain-resnet10t-chest", cell="", used_by=[CELL])

    study.replay(pretraining)

    tags = study.run("job").data.tags
    assert tags["used_by"] == CELL
    assert tags["mlflow.parentRunId"] == study.run("study").info.run_id


def test_later_results_of_a_cell_come_after_the_first_ones_and_all_are_bars(study: Study) -> None:
    study.replay(make_job(), cell=make_cell(1, metrics={"external/auc": 0.7}))
    study.replay(make_job(), cell=make_cell(2, metrics={"external/auc": 0.8}))

    assert [(value, step) for value, _, step in study.history("cell", "external/auc")] == [(0.7, 0), (0.8, 0)]
    assert study.run("cell").data.metrics["external/auc"] == 0.8
    tags = study.run("cell").data.tags
    assert (tags["replicates"], tags["complete"], study.run("cell").info.status) == ("2/2", "true", "FINISHED")


def test_a_recomputed_result_replaces_the_shown_one_even_with_fewer_replicates(study: Study) -> None:
    study.replay(make_job(), cell=make_cell(2, metrics={"external/auc": 0.8}))
    study.replay(make_job(), cell=make_cell(2, metrics={"external/auc": 0.6}))
    assert study.run("cell").data.metrics["external/auc"] == 0.6

    study.replay(make_job(), cell=make_cell(1, metrics={"external/auc": 0.5}))

    assert study.run("cell").data.metrics["external/auc"] == 0.5
    assert study.run("cell").data.tags["replicates"] == "1/2"


def test_a_missing_result_is_withdrawn_and_no_results_leave_all(study: Study) -> None:
    study.replay(make_job())
    study.replay(make_job(), cell=make_cell(metrics={}))
    assert study.run("cell").data.metrics == {"external/auc": 0.75, "center_b/auc": 0.7}

    study.replay(make_job(), cell=make_cell(metrics={"external/auc": 0.75, "center_b/auc": math.nan}))

    assert math.isnan(study.run("cell").data.metrics["center_b/auc"])
    assert study.run("cell").data.metrics["external/auc"] == 0.75


def test_a_cell_whose_last_replicates_failed_is_failed(study: Study) -> None:
    study.replay(make_job(), make_job("a2", seed=1, status="failed", metrics={}), cell=make_cell(1))

    assert study.run("cell").info.status == "FAILED"
    assert study.run("study").info.status == "FAILED"


def test_a_failed_map_does_not_cost_a_cell_its_replicate(study: Study) -> None:
    lost = make_job("a2", kind="predict", purpose="saliency", seed=1, status="failed", metrics={})
    study.replay(make_job(), lost, cell=make_cell(1))

    assert study.run("cell").info.status == "RUNNING"


def test_a_param_that_changed_is_kept_and_named(study: Study) -> None:
    study.replay(make_job())

    study.replay(make_job(hyperparameters={"learning_rate": 0.01}))

    assert study.run("job").data.params["learning_rate"] == "0.001"
    assert study.run("job").data.tags["changed_params"] == "learning_rate=0.01"


def test_a_run_deleted_in_the_page_returns_with_its_next_change(study: Study) -> None:
    study.replay(make_job(epochs=make_rows(1)))
    study.client.delete_run(study.run("job").info.run_id)
    study.tracker.close()

    study.replay(make_job(epochs=make_rows(2)))

    assert len(study.history("job", "validation/auc")) == 2


def test_the_experiment_says_what_it_is_and_keeps_its_leaderboard(study: Study) -> None:
    study.replay(make_job(), description="Does it pay?", note="| cell | AUC |")
    study.replay(make_job(), description="Does it pay?")

    tags = study.experiment.tags
    assert tags["mlflow.note.content"] == "Does it pay? | cell | AUC |"
    assert tags["mlflow.experiment.primaryMetric.name"] == "external/auc"
    assert sum(name.startswith("mlflow.sharedViewState.") for name in tags) == 6


def test_artifacts_are_written_beside_the_database_and_only_when_changed(study: Study, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text("first")
    table = tmp_path / "a.csv"
    table.write_text("cell,auc")
    study.replay(make_job(), artifacts={"report.html": report, "tables/a.csv": table})
    stored = Path(study.run("study").info.artifact_uri.removeprefix("file://")) / "report.html"
    assert stored.is_relative_to(Path(study.uri.removeprefix("sqlite:///")).parent / "mlflow-artifacts")
    written = stored.stat().st_mtime_ns

    assert study.replay(make_job(), artifacts={"report.html": report, "tables/a.csv": table}) == Replayed(unchanged=3)
    assert study.replay(make_job()) == Replayed(unchanged=3)
    assert stored.stat().st_mtime_ns == written
    assert (stored.parent / "tables" / "a.csv").exists()
    report.write_text("second")
    study.replay(make_job(), artifacts={"report.html": report})
    assert stored.read_text() == "second"
    assert not (stored.parent / "tables" / "a.csv").exists()  # it would be taken for a table of the second report


def test_a_center_of_a_cell_is_a_run_to_group_by_once_it_has_results(study: Study) -> None:
    sealed = CenterRecord(center="center_b", role="external")
    assert study.replay(cell=make_cell(centers=(sealed,))) == Replayed(created=2, unchanged=1)

    opened = replace(sealed, metrics={"auc": 0.7}, note=f"[{CELL}](run:cell {CELL})")
    assert study.replay(cell=make_cell(centers=(opened,))).created == 1
    assert study.replay(cell=make_cell(centers=(sealed,))) == Replayed(unchanged=3)  # a replay without a comparison

    center, cell = study.run("center"), study.run("cell")
    assert center.data.params == {**AXES, "center": "center_b"}
    assert center.data.metrics == {"auc": 0.7}
    assert center.info.run_name == "resnet10t-chest-transfer at center_b"
    assert center.data.tags["mlflow.parentRunId"] == cell.info.run_id
    assert f"/runs/{cell.info.run_id}?" in center.data.tags["mlflow.note.content"]
    assert study.replay(cell=make_cell()).superseded == 1


def test_datasets_are_logged_once_without_a_place_or_labels(study: Study) -> None:
    used = (DatasetRecord(name="center_a", digest="ab12", context="training", images=61),)
    study.replay(make_job(datasets=used))
    study.tracker.close()

    assert study.replay(make_job(datasets=used)) == Replayed(unchanged=3)
    (found,) = study.run("job").inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest, found.dataset.source) == ("center_a", "ab12", "{}")
    assert json.loads(found.dataset.profile) == {"images": 61}
    assert [(tag.key, tag.value) for tag in found.tags] == [("mlflow.data.context", "training")]


def test_a_database_of_before_goes_on_to_show_the_newest_result(study: Study) -> None:
    study.replay(cell=make_cell(metrics={}))
    run = study.run("cell").info.run_id
    study.client.log_metric(run, "external/auc", 0.7, step=2)
    study.client.set_tag(run, "replayed", "epochs=0 until=0 step=2 results=1")
    study.tracker.close()

    study.replay(cell=make_cell(metrics={"external/auc": 0.8}))
    study.tracker.close()

    assert study.run("cell").data.metrics["external/auc"] == 0.8
    assert study.replay(cell=make_cell(metrics={"external/auc": 0.8})) == Replayed(unchanged=2)


def test_the_pages_to_begin_with_are_those_of_the_studies(study: Study) -> None:
    study.replay()

    found = pages(study.uri, "http://127.0.0.1:5000")

    experiment = study.experiment.experiment_id
    assert found[study.name] == (
        f"http://127.0.0.1:5000/#/experiments/{experiment}/runs"
        "?workflowType=machine_learning&viewStateShareKey=osteogrid-cells"
    )
    assert "Default" not in found


def test_a_refused_record_leaves_mlflow_untouched(study: Study) -> None:
    with pytest.raises(TrackingError, match="hyperparameter_of_doe"):
        study.replay(make_job(hyperparameters={"hyperparameter_of_doe": 1}))

    assert study.experiment is None


def test_a_dead_server_raises_in_time_and_names_no_password() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        study = Study(f"http://user:secret@127.0.0.1:{taken.getsockname()[1]}", "demo")
        began = time.monotonic()

        with pytest.raises(TrackingError, match=r"127\.0\.0\.1.*nothing is lost") as raised:
            study.replay(make_job())

    assert time.monotonic() - began < 10
    assert "secret" not in str(raised.value)


def test_a_server_that_never_answers_raises_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        study = Study(f"http://127.0.0.1:{silent.getsockname()[1]}", "demo")
        began = time.monotonic()

        with pytest.raises(TrackingError):
            study.replay(make_job())

    assert time.monotonic() - began < 5


def test_a_database_server_that_is_down_raises_at_once() -> None:
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1:9"):
        prepare("postgresql+psycopg2://user:secret@127.0.0.1:9/mlflow")


def test_the_page_is_served_on_this_machine_without_telemetry() -> None:
    command = ui_command("sqlite:////runs/mlflow.db", port=5001)

    assert {"MLFLOW_DISABLE_TELEMETRY=true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false"} < set(command)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--artifacts-destination") + 1] == "file:///runs/mlflow-artifacts"
    with pytest.raises(TrackingError, match="server already"):
        ui_command("http://mlflow.example:5000")
