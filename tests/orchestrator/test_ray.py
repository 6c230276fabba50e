from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.store import RunStore
from tests.orchestrator.places import make_workspace

pytestmark = pytest.mark.slow

SWEEP = """
import sys
from pathlib import Path
from pathlib import Path
from rich.console import Console
from infra.environment import quiet_environment
quiet_environment()
from orchestrator.sweep import Request, sweep
from orchestrator.workspace import Workspace
from search_spaces.study import load_study
workspace = Workspace(Path(sys.argv[1]), load_study(sys.argv[2]))
tasks = "tests.orchestrator.fake_tasks:TASKS"
outcome = sweep(workspace, Request(tasks=tasks, gpus=0), Console(width=120))
for key, reason in outcome.problems.items():
    print("PROBLEM", outcome.plan.jobs[key].name, reason)
"""


def sweep_with(folder, behavior: str = "") -> str:
    """One sweep of the tiny study with tasks that only pretend, on a real Ray."""
    command = [sys.executable, "-c", SWEEP, str(folder / "runs"), str(folder / "study.yaml")]
    environment = {**os.environ, "FAKE_BEHAVIOR": behavior, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_sweep_ends_when_a_root_job_fails_and_runs_what_does_not_need_it(tmp_path):
    workspace = make_workspace(tmp_path)

    text = sweep_with(tmp_path, "fail@pretrain")

    assert "PROBLEM pretrain-test_resnet-chest ValueError: asked to fail" in text
    done = workspace.run_store.finished()
    names = {record["name"] for record in done.values()}
    assert "classification/test_resnet-none-scratch-f1-s0-b" in names
    assert not any("chest-transfer" in name for name in names)
    assert "asked to fail" in next(iter(workspace.run_store.failed().values()))["traceback"]


def test_after_the_cause_is_mended_only_what_is_missing_runs(tmp_path):
    workspace = make_workspace(tmp_path)
    sweep_with(tmp_path, "fail@pretrain")
    before = dict.fromkeys(workspace.run_store.finished())
    (failed,) = (workspace.run_store.root / "failed").glob("*.json")
    failed.unlink()

    sweep_with(tmp_path)

    after = workspace.run_store.finished()
    assert len(after) == 15
    assert set(before) < set(after)
    assert all(len(list(workspace.run_store.attempts(key).iterdir())) == 1 for key in before)


def test_a_job_whose_process_is_killed_is_tried_again_and_then_given_up(tmp_path):
    workspace = make_workspace(tmp_path)

    text = sweep_with(tmp_path, "die@tune classification/test_resnet-none-scratch")

    assert "(3 tries)" in text
    assert "none of its tuning trials finished" in text
    assert "classification/test_resnet-chest-transfer-f0-s0-b" in {
        record["name"] for record in RunStore(workspace.run_store.root).finished().values()
    }


def test_a_study_without_pretraining_leaves_no_job_behind(tmp_path):
    workspace = make_workspace(tmp_path)
    body = yaml.safe_load((tmp_path / "study.yaml").read_text())
    body["arms"][0]["grid"]["pretraining"] = ["none"]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(body))

    sweep_with(tmp_path)

    assert len(workspace.run_store.finished()) == 1 + 2 + 4
