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
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from rich.console import Console

from infra.environment import quiet_environment
from trainables.classification import ClassificationTask

if TYPE_CHECKING:
    from trainables.data import JobData
    from trainables.task import Job, Run

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


class TimedTask(ClassificationTask):
    """Classification that writes down when the first step of its optimizer begins."""

    def fit(self, job: Job, data: JobData, run: Run) -> None:
        """Train as always."""
        from torch.optim.optimizer import register_optimizer_step_pre_hook

        def note(*_: object) -> None:
            handle.remove()
            facts = {"first_step": time.time(), "worker": os.getppid()}
            (run.folder / "first_step.json").write_text(json.dumps(facts), encoding="utf-8")

        handle = register_optimizer_step_pre_hook(note)
        super().fit(job, data, run)


TASKS = {"classification": TimedTask}


def main() -> None:
    """Sweep, then read what the attempts wrote."""
    from orchestrator.selection import Selection
    from orchestrator.sweep import Request, sweep
    from orchestrator.workspace import Workspace
    from search_spaces.study import StudySpec

    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    quiet_environment()
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    with tempfile.TemporaryDirectory(prefix="warm-start-") as folder:
        study = StudySpec.model_validate(yaml.safe_load(STUDY.format(folder=folder, seeds=list(range(seeds)))))
        request = Request(Selection(None, {"kind": ("fit",)}), gpus=0, tasks="benchmarks.warm_start:TASKS")
        sweep(Workspace(Path(folder) / "runs", study), request, Console(quiet=True))
        gaps = waits(Path(folder) / "runs" / "warm" / "jobs")
    print(
        f"next job's first step after the last job's end: median {statistics.median(gaps):.2f} s, "
        f"worst {max(gaps):.2f} s of {len(gaps)} ({os.cpu_count()} CPUs, one job on each)"
    )


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
