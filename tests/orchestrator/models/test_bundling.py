from __future__ import annotations

import math
import socket
from dataclasses import replace

import polars as pl
import pytest

from orchestrator.intake import known, take_in
from orchestrator.lock import read_lock
from orchestrator.models.bundling import best_cell, bundle_of, named_cell
from orchestrator.models.serving import register_best
from orchestrator.plan import make_plan
from orchestrator.reporting.results import compare_cells
from orchestrator.selection import Selection
from search_spaces.errors import StudyError
from tests.orchestrator.here import run_here
from tests.orchestrator.places import make_workspace, write_center
from trainables.bundles.bundle import Bundle

pytestmark = pytest.mark.slow  # a small study runs from ingestion to its predictions
SCRATCH, TRANSFER = "classification/test_resnet-none-scratch", "classification/test_resnet-chest-transfer"


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundling")
    write_center(folder / "data" / "a", patients=48)
    write_center(folder / "data" / "b", patients=12)
    workspace = make_workspace(folder)
    take_in(workspace, lambda _: None)
    run_here(workspace, tasks="tests.orchestrator.models.bundled_tasks:TASKS")
    return make_plan(workspace, known(workspace), Selection())


def without(plan, *names):
    """The plan as it was before some jobs finished."""
    gone = {key for key, job in plan.jobs.items() if job.name in names}
    assert len(gone) == len(names)
    return replace(plan, finished={key: record for key, record in plan.finished.items() if key not in gone})


def cell(plan, name):
    return named_cell(plan, name)


def test_the_thresholds_of_a_bundle_are_those_of_the_comparison(plan):
    points = compare_cells(plan, read_lock(plan.workspace)).operating_points

    for name in (SCRATCH, TRANSFER):
        bundle = bundle_of(plan, cell(plan, name))
        carried = points.filter(pl.col("cell") == name, pl.col("role") == "external", pl.col("source") == "reserve")
        shown = dict(carried.select("rule", "threshold").rows())
        assert {limit.rule: limit.value for limit in bundle.limits} == shown
        assert set(shown) == {"sensitivity>=0.90", "specificity>=0.90", "youden"}
        assert bundle.scale == "score"


def test_single_replicates_have_a_reserve_auc_and_thresholds_of_their_own(plan):
    bundle = bundle_of(plan, cell(plan, SCRATCH))

    assert [each.name for each in bundle.replicates] == ["f0-s0", "f1-s0"]
    assert all(0 <= each.reserve_auc <= 1 for each in bundle.replicates)
    assert all(set(limit.by_replicate) == {"f0-s0", "f1-s0"} for limit in bundle.limits)
    performance = compare_cells(plan, None).performance
    reserve = performance.filter(pl.col("cell") == SCRATCH, pl.col("role") == "reserve", pl.col("center") == "all")
    mean = sum(each.reserve_auc for each in bundle.replicates) / 2
    assert mean == pytest.approx(reserve["single_mean"][0])


def test_the_bundle_holds_the_files_of_its_replicates_and_the_terms_of_its_source(plan, tmp_path):
    bundle_of(plan, cell(plan, TRANSFER)).write(tmp_path / "bundle")

    found = Bundle.read(tmp_path / "bundle")
    names = [(each.folder / "model.json").read_text() for each in found.replicates]
    assert names == [f'{{"name": "{TRANSFER}-f{fold}-s0"}}' for fold in (0, 1)]
    assert [each.name for each in found.terms] == ["chest"]
    assert found.commercial_use == "unknown"
    assert bundle_of(plan, cell(plan, SCRATCH)).terms == ()
    assert found.plan_hash == read_lock(plan.workspace).plan_hash


def test_a_replicate_that_did_not_score_the_reserve_is_missing_and_the_thresholds_are_of_the_others(plan):
    whole = bundle_of(plan, cell(plan, SCRATCH))

    less = bundle_of(without(plan, f"{SCRATCH}-f1-s0-a"), cell(plan, SCRATCH))

    assert less.missing == ("f1-s0",)
    assert [each.name for each in less.replicates] == ["f0-s0"]
    first = {limit.rule: limit.by_replicate["f0-s0"] for limit in whole.limits}
    assert {limit.rule: limit.value for limit in less.limits} == first
    assert less.digest != whole.digest


def test_a_cell_without_a_finished_replicate_is_refused(plan):
    none = without(plan, f"{SCRATCH}-f0-s0", f"{SCRATCH}-f1-s0")

    with pytest.raises(StudyError, match="none of its 2 replicates is finished"):
        bundle_of(none, cell(plan, SCRATCH))


def test_the_best_cell_is_that_of_the_highest_auc_on_the_reserve(plan):
    aucs = compare_cells(plan, None).performance.filter(pl.col("role") == "reserve", pl.col("center") == "all")
    highest = max(aucs.select("cell", "auc").rows(), key=lambda row: row[1])[0]
    ties = aucs.filter(pl.col("auc") == aucs["auc"].max()).height

    assert ties > 1 or best_cell(plan).id == highest


def test_a_cell_that_lacks_replicates_is_the_best_only_where_none_is_complete(plan):
    best = best_cell(plan).id
    other = ({SCRATCH, TRANSFER} - {best}).pop()

    assert best_cell(without(plan, f"{best}-f1-s0")).id == other
    halved = without(plan, f"{SCRATCH}-f1-s0", f"{TRANSFER}-f1-s0")
    assert best_cell(halved).id in {SCRATCH, TRANSFER}
    with pytest.raises(StudyError, match="no cell has been measured on the reserve"):
        best_cell(halved, complete=True)


def test_external_predictions_change_nothing(plan):
    sealed = without(plan, *(job.name for job in plan.jobs.values() if job.sealed))

    assert bundle_of(sealed, cell(plan, SCRATCH)) == bundle_of(plan, cell(plan, SCRATCH))
    assert best_cell(sealed) == best_cell(plan)


def test_a_cell_may_be_named_without_its_arm_and_a_misspelt_one_is_refused_with_the_nearest(plan):
    assert cell(plan, "test_resnet-none-scratch").id == SCRATCH
    with pytest.raises(StudyError, match=f"Did you mean '{SCRATCH}'"):
        cell(plan, "classification/test_resnet-none-scrach")


def test_a_small_reserve_leaves_each_replicate_the_threshold_of_its_fold(tmp_path):
    write_center(tmp_path / "data" / "a", patients=16)
    workspace = make_workspace(tmp_path)
    take_in(workspace, lambda _: None)
    run_here(workspace, tasks="tests.orchestrator.models.bundled_tasks:TASKS")
    plan = make_plan(workspace, known(workspace), Selection())

    bundle = bundle_of(plan, cell(plan, SCRATCH))

    assert {limit.source for limit in bundle.limits} == {"fold thresholds"}
    assert all(limit.value is None for limit in bundle.limits)
    assert all(set(limit.by_replicate) == {"f0-s0", "f1-s0"} for limit in bundle.limits)
    assert all(not math.isnan(each) for limit in bundle.limits for each in limit.by_replicate.values())


def test_a_registry_that_cannot_be_reached_is_said_and_stops_nothing(plan):
    said: list[str] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        version = register_best(plan, f"http://127.0.0.1:{taken.getsockname()[1]}", said.append)

    assert version is None
    assert "was not registered as a model" in said[0]
    assert "make track" in said[0]
