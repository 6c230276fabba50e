from __future__ import annotations

import inspect
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import polars as pl
import pytest

from evaluation.comparison.comparing import SCHEMAS, Comparison
from evaluation.report.writing import exported
from orchestrator.intake import take_in
from osteogrid import Results, StudyError, load_study
from tests.evaluation.report_example import example
from tests.orchestrator.here import run_here
from tests.orchestrator.places import make_workspace, write_center

ROOT = Path(__file__).resolve().parents[3]
FAKES = "tests.orchestrator.fake_tasks:TASKS"
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study that is ingested and of which nothing ran."""
    found = tmp_path_factory.mktemp("notebook")
    take_in(make_workspace(found), lambda _: None)
    return found


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A study of which everything ran, with made-up scores."""
    found = tmp_path_factory.mktemp("swept")
    for name, patients in (("a", 24), ("b", 12)):
        write_center(found / "data" / name, patients=patients)
    workspace = make_workspace(found)
    take_in(workspace, lambda _: None)
    run_here(workspace, tasks=FAKES)
    return found


def loaded(folder):
    return load_study(folder / "study.yaml", store=folder / "runs")


def test_a_study_tells_its_cells_and_jobs_before_anything_ran(folder):
    study = loaded(folder)

    assert repr(study) == "Study 'tiny': 2 cells, 0 of 15 jobs finished, external centers sealed"
    assert study.cells["replicates_finished"].to_list() == [0, 0]
    assert set(study.plan()["state"]) == {"open"}
    assert study.plan().height == 15


def test_centers_that_were_never_ingested_are_named_with_what_to_do(tmp_path):
    make_workspace(tmp_path)

    with pytest.raises(StudyError, match=r"a, b, chest not ingested in .*start Python in the folder where you sweep"):
        loaded(tmp_path)


def test_every_frame_of_the_comparison_is_there_under_its_name():
    assert {field.name for field in fields(Comparison)} <= set(Results.told())


def test_every_other_name_is_that_of_a_table_of_the_report():
    assert set(Results.told()) - set(exported(example())) == {"predictions", "detections", "epochs", "scores"}


def test_every_frame_says_what_it_holds():
    assert [name for name, text in Results.told().items() if len(text) < 20] == []
    assert "auc" in inspect.getdoc(Results.performance)


def test_results_list_their_frames_in_text_and_for_a_notebook(folder):
    results = loaded(folder).results()

    assert "performance" in repr(results)
    assert "sealed" in repr(results)
    assert "<code>performance</code>" in results._repr_html_()


@pytest.mark.slow
def test_nothing_that_trains_schedules_or_tracks_is_loaded_with_it():
    code = "import sys, osteogrid; print({'ray', 'torch', 'mlflow', 'timm', 'matplotlib'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


@pytest.mark.slow
def test_frames_of_a_finished_study_have_the_columns_of_the_report(swept):
    results = loaded(swept).results()

    for name, schema in SCHEMAS.items():
        assert getattr(results, name).schema == pl.Schema(schema), name
    assert results.performance.filter(pl.col("role") == "external").height > 0
    assert set(results.predictions["label"]) == {0, 1}
    assert results.trials.height == 2
    assert set(results.epochs["kind"]) >= {"tune", "fit"}
    assert any(name.endswith("-b") for name in results.epochs["name"])


@pytest.mark.slow
def test_while_external_centers_are_sealed_no_frame_knows_them(swept):
    store = swept / "runs" / "tiny"
    study = loaded(swept)
    fit = next(key for key, job in study.made.jobs.items() if job.kind == "fit")
    record = store / "finished" / f"{fit}.json"
    kept = record.read_text()
    record.unlink()  # a locked replicate is not finished any more

    try:
        study = loaded(swept)
        results = study.results()

        assert not study.is_open
        assert set(results.predictions["center"]) == {"a"}
        assert not any(name.endswith("-b") for name in results.epochs["name"])
        assert "external" not in set(results.performance["role"])
        assert "sealed" in repr(results)
    finally:
        record.write_text(kept)


@pytest.mark.slow
def test_the_example_of_the_docs_runs(swept, monkeypatch, capsys):
    text = "\n".join(PYTHON.findall((ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")))
    monkeypatch.chdir(swept)
    named = text.replace('"studies/demo.yaml"', '"study.yaml"')

    exec(compile(named, "docs/notebooks.md", "exec"), {})

    assert "15 of 15 jobs finished" in capsys.readouterr().out
