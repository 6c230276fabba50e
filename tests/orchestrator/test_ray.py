from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.orchestrator.here import run_here
from tests.orchestrator.places import make_workspace
from tests.orchestrator.tuning.test_halving import EXPECTED, choice, halved, outcome

pytestmark = pytest.mark.slow

FAKES = "tests.orchestrator.fake_tasks:TASKS"


def sweep_with(folder, behavior: str = "", *options: str, code: int = 0) -> str:
    """One sweep of the tiny study with tasks that only pretend, on a real Ray, through the command line."""
    return command_in(folder, "sweep", "study.yaml", "--tasks", FAKES, *options, behavior=behavior, code=code)


def command_in(folder, *arguments: str, behavior: str = "", code: int = 0) -> str:
    """What a command prints; its exit code is checked."""
    command, environment = how_to(*arguments, behavior=behavior)
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def how_to(*arguments: str, behavior: str = "", epoch_seconds: float = 0) -> tuple[list[str], dict[str, str]]:
    """A command line and the environment that its jobs get."""
    fake = {"FAKE_BEHAVIOR": behavior, "FAKE_EPOCH_SECONDS": str(epoch_seconds)}
    quiet = {"PYTHONPATH": str(Path.cwd()), "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "160"}
    return [str(Path(sys.executable).with_name("osteogrid")), *arguments], {**os.environ, **fake, **quiet}


def names(workspace) -> set[str]:
    """Of everything that is published."""
    return {record["name"] for record in workspace.run_store.finished().values()}


def test_when_a_root_job_fails_the_rest_runs_the_command_says_so_and_later_only_the_missing_runs(tmp_path):
    workspace = make_workspace(tmp_path)

    text = sweep_with(tmp_path, "fail@pretrain", code=1)

    assert "1 failed, 7 blocked" in text
    assert "ValueError: asked to fail" in text
    assert "classification/test_resnet-none-scratch-f1-s0-b" in names(workspace)
    assert not any("chest-transfer" in name for name in names(workspace))
    assert "asked to fail" in next(iter(workspace.run_store.failed().values()))["traceback"]
    before = set(workspace.run_store.finished())

    assert "failed before, nothing changed" in command_in(tmp_path, "status", "study.yaml")
    sweep_with(tmp_path, "", "--retry", "failed")

    after = workspace.run_store.finished()
    assert len(after) == 15
    assert before < set(after)
    assert all(len(workspace.run_store.attempts_so_far(key)) == 1 for key in before)


def test_a_job_whose_process_is_killed_is_tried_again_given_up_and_recorded(tmp_path):
    workspace = make_workspace(tmp_path)

    text = sweep_with(tmp_path, "die@tune classification/test_resnet-none-scratch", code=1)

    assert "(3 tries)" in text
    assert "classification/test_resnet-chest-transfer-f0-s0-a" in names(workspace)
    (record,) = workspace.run_store.failed().values()
    assert (record["type"], record["deterministic"]) == ("LostError", False)
    # It may yet be tried again, so what the lock waits for is not settled.
    assert not any(name.endswith("-b") for name in names(workspace))


@pytest.mark.long
def test_a_limit_stops_after_so_many_jobs_and_a_selection_runs_only_its_cells(tmp_path):
    workspace = make_workspace(tmp_path)

    sweep_with(tmp_path, "", "--limit", "3")
    assert len(names(workspace)) == 3
    text = sweep_with(tmp_path, "", "--only", "pretraining=none")

    assert "wait for 2 locked replicates not run here" in text
    assert {name for name in names(workspace) if "-f" in name} == {
        f"classification/test_resnet-none-scratch-f{fold}-s0{center}" for fold in (0, 1) for center in ("", "-a")
    }


@pytest.mark.long
def test_a_sweep_with_rungs_that_is_killed_goes_on_and_chooses_as_if_nothing_had_happened(tmp_path):
    undisturbed, killed = halved(tmp_path / "a"), halved(tmp_path / "b")
    run_here(undisturbed, tasks=FAKES)
    command, environment = how_to("sweep", "study.yaml", "--tasks", FAKES, epoch_seconds=0.5)
    driver = subprocess.Popen(command, env=environment, cwd=tmp_path / "b", stdout=subprocess.DEVNULL)
    rungs = killed.run_store.root / "rungs"
    deadline = time.monotonic() + 240
    while len(list(rungs.glob("*/*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    driver.kill()
    driver.wait()
    assert 2 <= len(list(rungs.glob("*/*.json"))) < 4
    assert names(killed) == set()

    text = sweep_with(tmp_path / "b")

    assert "failed" not in text.replace("0 failed", "")
    assert outcome(killed) == EXPECTED
    assert choice(killed) == choice(undisturbed)
    records = {record["name"]: key for key, record in killed.run_store.finished().items()}
    trial = next(key for name, key in records.items() if name.endswith("-t0"))
    assert len(killed.run_store.attempts_so_far(trial)) <= 3  # to the rung, perhaps killed there, and to the end
