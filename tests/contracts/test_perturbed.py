"""What perturbed jobs of every task family see and write, in the process that a sweep would run them in."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from orchestrator.intake import known, take_in
from orchestrator.lock import read_lock
from orchestrator.models.bundling import bundle_of
from orchestrator.plan import make_plan
from orchestrator.reporting.results import compare_cells, predictions
from orchestrator.selection import Selection
from search_spaces.errors import StudyError
from tests.contracts.cohort import LADDER, workspace_of
from tests.orchestrator.here import run_here
from trainables.loading import load_data
from trainables.views import views

pytestmark = pytest.mark.slow
VARIANTS = ["shift-0.1-0", "scale-1.2"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Classification and radiomics in one study, over the same centers, and what its jobs were handed."""
    study = workspace_of(tmp_path_factory.mktemp("perturbed"), "classification", more=["radiomics"])
    take_in(study, lambda _: None)
    return study, [payload["job"] for payload in run_here(study)[1]]


def plan_of(workspace):
    return make_plan(workspace, known(workspace), Selection())


def test_every_cell_and_task_sees_the_same_boxes_of_the_same_images(swept):
    jobs = [job for job in swept[1] if job["purpose"] == "perturbed" and job["center"] == "b"]

    seen = {job["name"]: {variant: data.boxes for variant, data in views(job, load_data(job))} for job in jobs}

    assert {job["task"] for job in jobs} == {"classification", "radiomics"}
    assert len(seen) == 2 + 1  # a network and a baseline predict, few boxes are measured in one part
    first = next(iter(seen.values()))
    assert list(first) == VARIANTS
    assert first[VARIANTS[0]]["image"].n_unique() == LADDER["images"]
    assert not first[VARIANTS[0]].equals(first[VARIANTS[1]])
    for boxes in seen.values():
        assert all(boxes[variant].equals(first[variant]) for variant in VARIANTS)


def test_a_replicate_of_which_only_perturbed_scores_are_there_makes_no_model(swept):
    plan = plan_of(swept[0])
    cell = next(cell for cell in plan.expansion.cells if cell.task == "classification")
    assert bundle_of(plan, cell).replicates

    scores = [job.key for job in plan.jobs.values() if (job.cell, job.purpose, job.center) == (cell.id, "scores", "a")]
    without = replace(plan, finished={key: record for key, record in plan.finished.items() if key not in scores})

    with pytest.raises(StudyError, match="none of its 1 replicates is finished with its predictions"):
        bundle_of(without, cell)


def test_another_ladder_trains_nothing_and_its_effect_is_compared(swept):
    study = swept[0]
    before = predictions(plan_of(study), open_external=True)
    steeper = {"shift": [0.3], "draws": 2, "images": 8}
    changed = workspace_of(study.run_store.root.parent.parent, "classification", more=["radiomics"], robustness=steeper)

    schedule, payloads = run_here(changed)

    assert schedule.reasons == {}
    assert {(each["job"]["kind"], each["job"]["purpose"]) for each in payloads} == {
        ("predict", "perturbed"),
        ("features", "perturbed"),
    }
    after = predictions(plan_of(changed), open_external=True)
    original = pl.col("variant") == "original"
    assert after.filter(original).sort("key", "image").equals(before.filter(original).sort("key", "image"))
    comparison = compare_cells(plan_of(changed), read_lock(changed))
    found = comparison.stability.filter(role="external", center="b")
    assert found.select("arm", "variant", "draws").rows() == [
        ("classification", "shift 0.3", 2),
        ("radiomics", "shift 0.3", 2),
    ]
    assert found["images"].max() <= 8
    assert (found["mean_change"] > 0).all()
    scored = comparison.scores.filter(role="external")
    assert found["images_scored"].to_list() == [
        scored.filter(arm=arm)["image"].n_unique() for arm in ("classification", "radiomics")
    ]
