"""What every entry of TASKS must do, in the process that a sweep would run it in."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.assignment import Assigner
from orchestrator.intake import known, take_in
from orchestrator.plan import make_plan
from orchestrator.resources import Capacity
from orchestrator.selection import Selection
from search_spaces.job import Job
from tests.contracts.cohort import workspace_of
from trainables import TASKS
from trainables.child import run_in_child

pytestmark = pytest.mark.slow

EPOCHS = 4
OTHER = {
    "classification": {"learning_rate": 0.01},
    "detection": {"learning_rate": 0.01},
    "radiomics": {"C": 0.002},
}
NETWORKS = sorted(set(TASKS) - {"radiomics"})


class Bench:
    """Runs the one training job of a task, each time in a run store of its own, over the same cohort."""

    def __init__(self, folder: Path, task: str) -> None:
        self.folder, self.task, self.stores = folder, task, 0
        take_in(workspace_of(folder, task), lambda _: None)

    def payloads(self, **changes: Any) -> tuple[Path, list[dict[str, Any]]]:
        """A new run store, and what its training job and the jobs before it are handed."""
        self.stores += 1
        # Features and how fast this machine trains are taken over from the first store, the training itself is not.
        runs, before = f"runs-{self.task}-{self.stores}", f"runs-{self.task}-1" if self.stores > 1 else "runs"
        shutil.copytree(self.folder / before, self.folder / runs)
        workspace = workspace_of(self.folder, self.task, epochs=EPOCHS, runs=runs)
        cohort, root = known(workspace), workspace.run_store.root
        plan = make_plan(workspace, cohort, Selection())
        wanted = [job for job in plan.jobs.values() if self._is_wanted(job)]
        (root / "finished" / f"{wanted[-1].key}.json").unlink(missing_ok=True)
        shutil.rmtree(root / "jobs" / wanted[-1].key, ignore_errors=True)
        assign = Assigner(workspace, cohort, plan.jobs, plan.schedule(Capacity(1), None).shapes)
        left = [job for job in wanted if workspace.run_store.finished_record(job.key) is None]
        found = [{**assign(job), "device": "cpu"} for job in left]
        found[-1]["job"] |= changes
        return root, found

    def _is_wanted(self, job: Job) -> bool:
        return job.kind == "fit" or (job.kind == "features" and job.center == "a" and job.purpose == "scores")

    def trained(self, **changes: Any) -> tuple[str, dict[str, Any]]:
        """The published model's checksum and certificate."""
        root, payloads = self.payloads(**changes)
        for payload in payloads:
            assert list(run_in_child(payload))[-1] == {"state": "finished"}
        return published(root, payloads[-1])


def published(root: Path, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    key = payload["job"]["key"]
    record = json.loads((root / "finished" / f"{key}.json").read_text())
    attempt = root / "jobs" / key / "attempts" / record["attempt"]
    model = next(path for path in (attempt / "model.safetensors", attempt / "model.json") if path.exists())
    certificate = json.loads((attempt / "certificate.json").read_text())
    return hashlib.sha256(model.read_bytes()).hexdigest(), certificate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tasks")


@pytest.fixture(scope="module", params=sorted(TASKS))
def bench(request: pytest.FixtureRequest, folder: Path) -> Iterator[Bench]:
    made = Bench(folder, request.param)
    made.undisturbed = made.trained()  # type: ignore[attr-defined]
    yield made
    for used in folder.glob(f"runs-{request.param}-*"):
        shutil.rmtree(used)


def test_a_job_that_is_killed_and_tried_again_ends_with_the_very_same_model(bench):
    if bench.task not in NETWORKS:
        pytest.skip("an ElasticNet is fitted in one go")
    root, payloads = bench.payloads()
    last = random.Random(bench.task).randint(2, EPOCHS - 1)  # of epoch 1 the checkpoint may not be written yet

    killed = run_in_child(payloads[-1])
    for message in killed:
        if message.get("epoch") == last:
            break
    killed.close()  # SIGKILL, wherever the child is by now
    again = list(run_in_child(payloads[-1]))

    assert again[-1] == {"state": "finished"}
    epochs = [message["epoch"] for message in again if message["state"] == "running"]
    assert epochs[-1] == EPOCHS
    assert len(epochs) < EPOCHS
    assert published(root, payloads[-1])[0] == bench.undisturbed[0]


def test_other_hyperparameters_give_another_model(bench):
    assert bench.trained(hyperparameters=OTHER[bench.task])[0] != bench.undisturbed[0]


def test_another_seed_gives_another_model(bench):
    if bench.task not in NETWORKS:
        pytest.skip("a convex model of the same rows hardly depends on the seed of its folds")
    model, certificate = bench.trained(seed=1)

    assert model != bench.undisturbed[0]
    assert certificate["fingerprint_before"] != bench.undisturbed[1]["fingerprint_before"]


def test_scratch_has_loaded_nothing(bench):
    certificate = bench.undisturbed[1]

    assert certificate["init"] == "scratch"
    assert not certificate["tensors_loaded"]
    assert certificate.get("source") is None
