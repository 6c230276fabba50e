from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.orchestrator.places import make_workspace

pytestmark = pytest.mark.slow

SWEEP = """
import sys
from pathlib import Path
from rich.console import Console
from infra.environment import quiet_environment
quiet_environment()
from orchestrator.sweep import Request, sweep
from orchestrator.workspace import Workspace
from search_spaces.errors import StudyError
from search_spaces.study import load_study
workspace = Workspace(Path(sys.argv[1]), load_study(sys.argv[2]))
request = Request(tasks="tests.orchestrator.fake_tasks:TASKS", cluster="gpu", address=sys.argv[3])
try:
    outcome = sweep(workspace, request, Console(width=120))
except StudyError as error:
    print("REFUSED", error)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def ray_head(folder: Path, gpus: int):
    """A Ray cluster of one node on loopback, ended with its process group."""
    port = free_port()
    options = ["--num-cpus=8", f"--num-gpus={gpus}", f"--temp-dir={folder}", "--include-dashboard=false", "--block"]
    command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--node-ip-address=127.0.0.1"]
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    with (folder / "head.log").open("w") as log:
        head = subprocess.Popen(
            [*command, f"--port={port}", "--object-store-memory=100000000", "--disable-usage-stats", *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 120
        while "Ray runtime started" not in (folder / "head.log").read_text():
            assert time.monotonic() < deadline, (folder / "head.log").read_text()
            assert head.poll() is None, (folder / "head.log").read_text()
            time.sleep(0.5)
        yield f"127.0.0.1:{port}"
    finally:
        os.killpg(head.pid, signal.SIGTERM)
        head.wait(timeout=60)


def sweep_at(folder: Path, address: str) -> str:
    command = [sys.executable, "-c", SWEEP, str(folder / "runs"), str(folder / "study.yaml"), address]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "RAY_AUTH_MODE": "disabled"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_sweep_joins_a_running_cluster_and_its_jobs_get_their_share_of_a_gpu(tmp_path, short_folder):
    workspace = make_workspace(tmp_path)
    with ray_head(short_folder, gpus=1) as address:
        sweep_at(tmp_path, address)

    finished = workspace.run_store.finished()
    assert len(finished) == 15
    assert {record["device"] for record in finished.values()} == {"cuda:0"}
    attempt = workspace.run_store.attempts(next(iter(finished)))
    assert json.loads(next(attempt.glob("*/job.json")).read_text())["job"]["key"] in finished


@pytest.mark.long
def test_a_cluster_without_a_gpu_is_refused_and_does_not_hang(tmp_path, short_folder):
    workspace = make_workspace(tmp_path)
    with ray_head(short_folder, gpus=0) as address:
        text = sweep_at(tmp_path, address)

    assert "REFUSED CLUSTER=gpu" in text
    assert "0 GPUs, 1 asked for" in text
    assert not workspace.lock.exists()
