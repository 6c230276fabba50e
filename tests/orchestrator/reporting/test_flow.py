"""From ingested centers to the flow of radiographs, whose numbers must add up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from evaluation.report.context import SCHEMAS
from orchestrator.intake import known, take_in
from orchestrator.plan import Plan, make_plan
from orchestrator.reporting.facts import cohort_rows
from orchestrator.reporting.flow import flow_rows
from orchestrator.selection import Selection
from orchestrator.workspace import Workspace
from tests.orchestrator.here import run_here
from tests.orchestrator.places import STUDY, make_workspace, write_center

pytestmark = pytest.mark.slow  # ingestion, and a small study to open the external center
FAKES = "tests.orchestrator.fake_tasks:TASKS"
DEVELOPMENT, EXTERNAL = 24, 12


def write(folder: Path, patients: int) -> None:
    """Half malignant, half benign; beside them two normal patients, one file that is no image, one image unmarked."""
    write_center(folder, patients=patients + 2)
    (folder / "broken.png").write_bytes(b"no image")
    heading, *rows = (folder / "labels.csv").read_text().split()
    normal = [f"{row.rsplit(',', 1)[0]},normal" for row in rows[patients:]]
    rows = [heading, *rows[:patients], *normal, "broken.png,p0,malignant"]
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    boxes = [f"{patient}.png,4,4,8,8" for patient in range(1, patients)]
    (folder / "boxes.csv").write_text("\n".join(["file,x,y,width,height", *boxes]) + "\n")


def frame(plan: Plan) -> pl.DataFrame:
    return pl.DataFrame(list(flow_rows(plan)), schema=SCHEMAS["flow"])


def plan_of(workspace: Workspace) -> Plan:
    return make_plan(workspace, known(workspace), Selection())


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("flow")
    write(folder / "data" / "a", DEVELOPMENT)
    write(folder / "data" / "b", EXTERNAL)
    made = make_workspace(folder, arms=[{**STUDY["arms"][0], "region": "box"}])
    take_in(made, lambda _: None)
    return made


@pytest.fixture(scope="module")
def sealed(workspace: Workspace) -> pl.DataFrame:
    return frame(plan_of(workspace))


@pytest.fixture(scope="module")
def sealed_cohort(workspace: Workspace) -> list[dict[str, Any]]:
    return list(cohort_rows(plan_of(workspace)))


@pytest.fixture(scope="module")
def opened(workspace: Workspace, sealed: pl.DataFrame, sealed_cohort: list[dict[str, Any]]) -> pl.DataFrame:
    run_here(workspace, tasks=FAKES)
    return frame(plan_of(workspace))


def images(flow: pl.DataFrame, center: str, *steps: str) -> list[int]:
    inside = flow.filter(pl.col("center") == center)
    return [inside.filter(pl.col("step") == step)["images"].sum() for step in steps]


def test_files_found_are_those_ingested_and_those_in_quarantine_with_their_reason(sealed):
    found, aside, ingested = images(sealed, "a", "found", "quarantined", "ingested")

    assert (found, aside, ingested) == (DEVELOPMENT + 3, 1, DEVELOPMENT + 2)
    assert "broken" not in sealed.filter(pl.col("step") == "quarantined")["detail"][0]


def test_an_arm_leaves_out_other_labels_and_images_without_a_box(sealed):
    ingested, other, unmarked, used = images(sealed, "a", "ingested", "other label", "without box", "used")

    assert (other, unmarked) == (2, 1)
    assert used == ingested - other - unmarked
    assert sealed.filter(pl.col("step") == "other label", pl.col("center") == "a")["detail"].to_list() == ["normal"]


def test_reserve_and_folds_hold_every_used_image_of_development_once(sealed):
    reserve, *folds = images(sealed, "a", "reserve", "fold 0", "fold 1")

    assert reserve > 0
    assert reserve + sum(folds) == images(sealed, "a", "used")[0]
    counted = sealed.filter(pl.col("step").is_in(["reserve", "fold 0", "fold 1"]))
    assert (counted["positive"] + counted["negative"]).to_list() == counted["images"].to_list()


def test_a_sealed_external_center_is_counted_as_a_whole_only(sealed):
    steps = sealed.filter(pl.col("center") == "b")["step"].to_list()

    assert steps == ["found", "quarantined", "ingested"]


def test_an_opened_external_center_is_tested_on_all_that_the_arm_can_use(opened):
    used, tested = images(opened, "b", "used", "test")

    assert used == tested == EXTERNAL - 1
    test = opened.filter(pl.col("step") == "test").row(0, named=True)
    assert (test["positive"], test["negative"]) == (EXTERNAL // 2 - 1, EXTERNAL // 2)


def test_corpora_are_counted_apart_from_centers(sealed):
    corpus = sealed.filter(pl.col("role") == "pretraining")

    assert set(corpus["center"]) == {"chest"}
    assert set(corpus["step"]) == {"found", "ingested"}


def test_of_a_sealed_center_neither_labels_nor_boxes_are_counted(sealed_cohort):
    assert [(row["label"], row["boxes"]) for row in sealed_cohort if row["center"] == "b"] == [(None, None)]
