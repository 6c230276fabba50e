from __future__ import annotations

import io
from math import nan

import pytest
from rich.console import Console

from orchestrator.progress.drawing import View, shorten
from orchestrator.progress.snapshot import CellProgress, Failure, Running, Snapshot, Work
from orchestrator.schedule import State

LONG = "classification/efficientnet_b0-radiographs_of_many_hospitals-probe_then_transfer"


def snapshot(*, cells: int = 3, running: int = 2, failures: int = 1) -> Snapshot:
    states = {State.FINISHED: 4, State.RUNNING: running, State.WAITING: 9, State.FAILED: failures, State.BLOCKED: 0}
    return Snapshot(
        work=(Work("fit", states), Work("predict perturbed", dict.fromkeys(State, 0) | {State.WAITING: 30})),
        running=tuple(Running(f"{LONG}-f{fold}-s0", 7, 50, "auc 0.735", 3671.0) for fold in range(running)),
        failures=tuple(Failure(f"{LONG}-f9-s{seed}, 0:12 ago", "OSError: [/a/b]\nis gone") for seed in range(failures)),
        cells=tuple(
            CellProgress(f"{LONG}{place}", place % 3, 2, 1, 4, 0.8 if place else nan) for place in range(cells)
        ),
        seconds=75.0,
        seconds_left=3700.0,
        notes=("external results sealed: 11 of 12 locked replicates to go",),
    )


def drawn(width: int, shown: Snapshot | None = None, title: str = "demo: process 1 on a host") -> str:
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(View(shown or snapshot(), title))
    return console.export_text()


@pytest.mark.parametrize("width", [60, 80, 120, 160, 200])
def test_nothing_is_wider_than_the_terminal(width):
    assert max(map(len, drawn(width).splitlines())) <= width


def test_a_name_that_is_too_long_loses_its_middle_and_keeps_both_ends():
    assert shorten("classification/resnet18-chest-transfer-f0-s2", 24) == "classificat…ansfer-f0-s2"
    assert len(shorten(LONG, 24)) == 24
    assert shorten(LONG, 24).startswith("classificat")
    assert shorten(LONG, 24).endswith("transfer")
    assert shorten("short", 24) == "short"


def test_at_80_columns_every_number_of_a_running_job_is_there():
    row = next(line for line in drawn(80).splitlines() if "f1-s0" in line)

    assert row.startswith("classification/")
    assert "…" in row
    assert row.split()[-4:] == ["7/50", "auc", "0.735", "1:01:11"]


def test_at_40_columns_names_of_work_are_shortened_and_no_number_is():
    lines = drawn(40, snapshot(failures=0)).splitlines()

    assert next(line for line in lines if line.startswith("jobs")).split() == [
        "jobs",
        *["done", "running", "waiting", "of"],
    ]
    assert next(line for line in lines if line.startswith("predi")).split() == ["predi…turbed", "0", "0", "30", "30"]


def test_at_160_columns_the_cells_stand_beside_what_runs():
    heading = next(line for line in drawn(160).splitlines() if line.startswith("jobs"))

    assert "cell" in heading
    assert "best" in heading


def test_at_80_columns_the_cells_stand_below_what_runs():
    lines = [line.split()[0] for line in drawn(80).splitlines() if line.strip()]

    assert lines.index("jobs") < lines.index("running") < lines.index("failed") < lines.index("cell")


def test_an_error_is_told_in_one_line_with_its_brackets():
    assert "OSError: [/a/b] is gone" in drawn(80)


def test_counts_are_by_kind_and_purpose_and_a_state_nobody_is_in_is_left_out():
    text = drawn(80)

    assert next(line for line in text.splitlines() if line.startswith("jobs")).split() == [
        "jobs", "done", "running", "waiting", "failed", "of",
    ]  # fmt: skip
    assert next(line for line in text.splitlines() if line.startswith("predict perturbed")).split()[2:] == [
        "0", "0", "30", "0", "30",
    ]  # fmt: skip


def test_of_many_cells_those_under_way_come_first_and_the_rest_is_counted():
    text = drawn(80, snapshot(cells=200))

    shown = [line for line in text.splitlines() if "probe_then_transfer" in line and "/2" in line]
    assert 3 <= len(shown) < 100
    assert f"and {200 - len(shown)} more cells" in text


def test_the_line_says_what_is_done_and_what_is_left():
    assert snapshot().line() == "4/46 jobs done, 2 running, 39 waiting, 1 failed; 1:15 passed, about 1:01:40 left"
