from __future__ import annotations

import pytest

from orchestrator.intake import known
from orchestrator.plan import make_plan
from orchestrator.selection import Selection
from orchestrator.weights.preflight import check_weights
from search_spaces.errors import StudyError
from tests.orchestrator.places import STUDY, make_workspace


def plan_of(folder, **grid):
    arm = {**STUDY["arms"][0], "image_size": 40}
    arm["grid"] = {**arm["grid"], **grid}
    workspace = make_workspace(folder, arms=[arm])
    return make_plan(workspace, known(workspace), Selection())


@pytest.mark.slow
def test_a_network_that_cannot_be_built_as_the_study_says_stops_the_sweep(tmp_path):
    with pytest.raises(StudyError, match="'test_vit' cannot read 40 x 40 pixels"):
        check_weights(plan_of(tmp_path, backbone=["test_vit"], init=["scratch"]))


@pytest.mark.slow
def test_what_was_tried_once_is_not_tried_again(tmp_path):
    plan = plan_of(tmp_path, init=["scratch", "partial_1"])

    check_weights(plan)
    notes = {path: path.stat().st_mtime_ns for path in (plan.workspace.root / "weights").iterdir()}
    check_weights(plan)

    assert len(notes) == 1
    assert {path: path.stat().st_mtime_ns for path in notes} == notes


def test_networks_of_the_catalogue_are_not_tried(tmp_path):
    plan = plan_of(tmp_path, init=["scratch", "transfer"])

    check_weights(plan)

    assert not (plan.workspace.root / "weights").exists()
