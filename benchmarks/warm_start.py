"""How soon a warm worker's next classification job makes its first optimizer step, once the last one has ended.

A real sweep through Ray, with a task that notes when its first step begins. Printed: seconds from the end of a job (its
record's `ended`, before publication) to the first step of the next one on that worker, which holds publication, Ray,
the child's start, reading tables and pixels, and building the network. Aim: at most 1 second.
Usage: python benchmarks/warm_start.py [seeds]
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from infra.cluster import connect, disconnect
from infra.environment import quiet_environment
from orchestrator import launch
from orchestrator.assignment import Assigner
from orchestrator.intake import known, take_in
from orchestrator.lock import write_lock
from orchestrator.plan import make_plan
from orchestrator.progress.live import Progress
from orchestrator.resources import Capacity
from orchestrator.selection import Selection
from orchestrator.workspace import Workspace
from search_spaces.job import Job
from search_spaces.study import StudySpec

STUDY = """
name: warm
cohort:
  data: {folder}/centers
  development: [center_a]
  phantom: {{patients: 44, height: 192}}
preprocessing: {{size: 192}}
split: {{kind: kfold, folds: 2, reserve: 0.25}}
arms:
  - task: classification
    labels: {{positive: [malignant], negative: [benign]}}
    region: box
    image_size: 64
    grid: {{backbone: [resnet18], pretraining: [none], init: [scratch]}}
    tune: {{trials: 0}}
    fit: {{epochs: 1, seeds: {seeds}}}
"""


def main() -> None:
    """Run the fits of a study through Ray, then read what the attempts wrote."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    quiet_environment()
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    with tempfile.TemporaryDirectory(prefix="warm-start-") as folder:
        study = StudySpec.model_validate(yaml.safe_load(STUDY.format(folder=folder, seeds=list(range(seeds)))))
        workspace = Workspace(Path(folder) / "runs", study)
        take_in(workspace, lambda _: None)
        fit_all(workspace)
        gaps = waits(workspace.run_store.root / "jobs")
    print(
        f"next job's first step after the last job's end: median {statistics.median(gaps):.2f} s, "
        f"worst {max(gaps):.2f} s of {len(gaps)} ({os.cpu_count()} CPUs, one job on each)"
    )


def fit_all(workspace: Workspace) -> None:
    """All fits of the study, on workers that are kept warm as in a sweep with the tasks of osteogrid itself."""
    cohort = known(workspace)
    plan = make_plan(workspace, cohort, Selection(None, {"kind": ("fit",)}))
    lock = write_lock(workspace, plan.expansion.cells, plan.jobs.values(), cohort.fingerprints)
    cluster = connect("local", address=None, gpus=0)
    try:
        schedule = plan.schedule(Capacity(cluster.cpus), lock)
        assigner = Assigner(workspace, cohort, plan.jobs, schedule.shapes, "benchmarks.timed_task:TASKS")

        def assign(job: Job) -> dict[str, Any]:
            return {**assigner(job), "preload": ["trainables.preload"]}

        progress = Progress(schedule, Console(quiet=True), {}, cluster.cpus)
        launch.run(schedule, assign, workspace.run_store, progress)
    finally:
        disconnect()


def waits(jobs: Path) -> list[float]:
    """Seconds between two jobs of one worker, for all workers; a worker's first job is cold and not counted."""
    by_worker = defaultdict(list)
    for path in jobs.glob("*/attempts/*/first_step.json"):
        facts = json.loads(path.read_text(encoding="utf-8"))
        key = path.parents[2].name
        record = json.loads((jobs.parent / "finished" / f"{key}.json").read_text(encoding="utf-8"))
        by_worker[facts["worker"]].append((facts["first_step"], record["ended"]))
    ordered = [sorted(times) for times in by_worker.values()]
    return [after[0] - before[1] for times in ordered for before, after in pairwise(times)]


if __name__ == "__main__":
    main()
