"""Changes after the lock: what they are, when they were first seen, what they make exploratory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.store import replace, to_json
from orchestrator.changes import change_rows, changes, remember_changes
from orchestrator.intake import take_in
from orchestrator.lock import Lock, after_training, is_intact, read_lock, write_lock, write_opened
from orchestrator.plan import Plan
from orchestrator.workspace import Workspace
from search_spaces.errors import StudyError
from tests.orchestrator.places import STUDY, make_workspace, write_center
from tests.orchestrator.test_plan import planned

ANALYSIS = {"thresholds": [{"sensitivity": 0.9}, "youden"]}
MAPPED = {**STUDY["arms"][0], "saliency": {"images": 20}}
NEW = ("after_training", "external", "readers")
"""What a lock of an earlier version does not hold."""


def locked(folder: Path, *, opened: bool = True, **changes: Any) -> Workspace:
    """A study that was locked, and whose external centers were opened."""
    workspace = make_workspace(folder, analysis=ANALYSIS, **changes)
    cohort = take_in(workspace, lambda _: None)
    plan = planned(workspace)
    write_lock(workspace, plan.expansion.cells, plan.jobs.values(), cohort.fingerprints)
    if opened:
        write_opened(workspace, [cell.id for cell in plan.expansion.cells])
    return workspace


def now(workspace: Workspace) -> tuple[Plan, Lock]:
    lock = read_lock(workspace)
    assert lock is not None
    return planned(workspace), lock


def test_a_study_as_it_was_locked_has_no_changes(tmp_path):
    assert changes(*now(locked(tmp_path))) == []


def test_a_threshold_that_was_added_is_named_with_what_it_makes_exploratory(tmp_path):
    locked(tmp_path)

    late = make_workspace(tmp_path, analysis={"thresholds": [{"sensitivity": 0.9}, "youden", {"specificity": 0.9}]})
    (change,) = changes(*now(late))

    assert change.what == (
        "analysis.thresholds was [{sensitivity: 0.9}, youden], is [{sensitivity: 0.9}, youden, {specificity: 0.9}]."
    )
    assert change.exploratory == "operating points, decisions and subgroups by what was not locked ({specificity: 0.9})"
    assert change.sections == ("operating-points", "decisions", "subgroups")


def test_another_first_threshold_reaches_everything_that_is_decided_by_it(tmp_path):
    locked(tmp_path)

    (change,) = changes(*now(make_workspace(tmp_path, analysis={"thresholds": ["youden"]})))

    assert {"stability", "saliency", "decisions"} <= set(change.sections)


def test_a_field_inside_a_block_is_named_by_its_own_place(tmp_path):
    locked(tmp_path)

    (change,) = changes(*now(make_workspace(tmp_path, analysis=ANALYSIS | {"bootstrap": {"draws": 500}})))

    assert change.what == "analysis.bootstrap.draws was 2000, is 500."


def test_cells_that_came_left_or_were_changed_are_told_apart(tmp_path):
    arm = STUDY["arms"][0]
    locked(tmp_path)
    grid = {**arm["grid"], "pretraining": ["none"], "init": ["scratch"]}

    left, corpus = changes(*now(make_workspace(tmp_path, analysis=ANALYSIS, arms=[{**arm, "grid": grid}])))
    longer = now(make_workspace(tmp_path, analysis=ANALYSIS, arms=[{**arm, "fit": {"epochs": 2, "seeds": [0]}}]))
    renamed = now(make_workspace(tmp_path, analysis=ANALYSIS, arms=[{**arm, "name": "again"}]))

    assert (left.what, left.exploratory) == (
        "Cell classification/test_resnet-chest-transfer was locked and has left the study.",
        "",
    )
    assert (corpus.what, corpus.exploratory) == ("chest was locked and has left the study.", "")
    assert {change.kind for change in changes(*longer)} == {"recipe"}
    told = [change.what for change in changes(*renamed)]
    assert [what.endswith("was added.") for what in told] == [True, True, False, False]


def test_external_labels_that_changed_make_the_results_there_exploratory(tmp_path):
    workspace = locked(tmp_path)
    labels = tmp_path / "data" / "b" / "labels.csv"
    labels.write_text(labels.read_text().replace("p0,malignant", "p0,benign"))
    take_in(workspace, lambda _: None)

    (change,) = changes(*now(workspace))

    assert change.what == "The labels of b were changed."
    assert change.exploratory == "results at b and pooled over the centers"
    assert "discrimination" in change.sections


def test_an_external_center_that_came_later_is_named(tmp_path):
    locked(tmp_path)
    write_center(tmp_path / "data" / "c", seed=2)
    cohort = {**STUDY["cohort"], "external": ["b", "c"]}
    more = make_workspace(tmp_path, analysis=ANALYSIS, cohort=cohort)
    take_in(more, lambda _: None)

    (change,) = changes(*now(more))

    assert (change.what, change.exploratory) == ("c was added.", "results at c and pooled over the centers")


def test_an_external_center_that_left_makes_pooled_results_exploratory(tmp_path):
    write_center(tmp_path / "data" / "c", seed=2)
    locked(tmp_path, cohort={**STUDY["cohort"], "external": ["b", "c"]})

    (change,) = changes(*now(make_workspace(tmp_path, analysis=ANALYSIS)))

    assert (change.subject, change.exploratory) == ("c", "results pooled over the centers")


def test_maps_that_were_asked_for_after_the_lock_are_a_change_and_train_nothing(tmp_path):
    locked(tmp_path)

    plan, lock = now(make_workspace(tmp_path, analysis=ANALYSIS, arms=[MAPPED]))
    (change,) = changes(plan, lock)

    assert change.what == "classification: saliency was added: {images: 20, sanity: true}."
    assert (change.exploratory, change.sections) == ("saliency of classification", ("saliency",))
    assert lock.exploratory(plan.jobs.values()) == set()


def test_maps_that_were_locked_are_no_change_and_more_of_them_are(tmp_path):
    assert changes(*now(locked(tmp_path, arms=[MAPPED]))) == []

    more = make_workspace(tmp_path, analysis=ANALYSIS, arms=[{**MAPPED, "saliency": {"images": 30}}])

    assert [change.what for change in changes(*now(more))] == ["classification: saliency.images was 20, is 30."]


def test_a_ladder_is_locked_with_its_steps_and_draws(tmp_path):
    arm = {"task": "radiomics", "labels": STUDY["arms"][0]["labels"], "robustness": {"shift": [0.1]}}

    blocks = after_training(make_workspace(tmp_path, arms=[arm]).study)["radiomics"]

    assert blocks["saliency"] is None
    assert blocks["robustness"] == {"shift": [0.1], "scale": [], "aspect": [], "draws": 3, "images": None}


def test_a_lock_of_a_version_without_ladders_still_works_and_knows_none(tmp_path):
    workspace = locked(tmp_path)
    body = json.loads(workspace.lock.read_text())
    replace(workspace.lock, to_json({name: value for name, value in body.items() if name not in NEW}))

    assert changes(*now(workspace)) == []


def test_a_lock_of_a_later_version_is_refused_in_a_sentence(tmp_path):
    workspace = make_workspace(tmp_path)
    workspace.lock.parent.mkdir(parents=True)
    workspace.lock.write_text('{"cells": [], "seals": 2}')

    with pytest.raises(StudyError, match="locks 'seals', which this version of osteogrid does not know"):
        read_lock(workspace)


def test_when_a_change_was_first_seen_is_noted_once_and_survives_its_end(tmp_path):
    locked(tmp_path)
    late = make_workspace(tmp_path, analysis={"thresholds": ["youden"]})
    assert [row["when"] for row in change_rows(*now(late))] == [""]

    remember_changes(*now(late))
    (noted,) = late.run_store.root.glob("changes/*.json")
    record = json.loads(noted.read_text())
    replace(noted, to_json({**record, "first_seen": "long ago"}))
    remember_changes(*now(late))

    (row,) = change_rows(*now(late))
    assert (row["when"], row["opened"], row["in_effect"]) == ("long ago", True, True)
    (row,) = change_rows(*now(make_workspace(tmp_path, analysis=ANALYSIS)))
    assert (row["when"], row["in_effect"], row["exploratory"], row["sections"]) == ("long ago", False, "", "")


def test_a_change_before_the_opening_says_so(tmp_path):
    locked(tmp_path, opened=False)
    late = make_workspace(tmp_path, analysis={"thresholds": ["youden"]})

    remember_changes(*now(late))

    assert [row["opened"] for row in change_rows(*now(late))] == [False]


@pytest.mark.parametrize(("name", "value"), [("locked_at", "never"), ("plan_hash", "0" * 16), ("cells", [])])
def test_a_lock_that_was_altered_is_told_by_its_hash(tmp_path, name, value):
    workspace = locked(tmp_path)
    assert is_intact(workspace)
    body = json.loads(workspace.lock.read_text())

    replace(workspace.lock, to_json({**body, name: value}))

    assert is_intact(workspace) == (name == "locked_at")
