"""MLflow's own page in a browser, on a database that a replay has just made."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.records import CellRecord, CenterRecord, JobRecord, StudyRecord
from infra.tracking import Tracker, pages, prepare

pytestmark = [pytest.mark.long, pytest.mark.browser]

PATIENCE = 90_000
"""Milliseconds; the first page of a fresh server takes long on a busy machine."""


def cell(init: str, auc: float) -> CellRecord:
    centers = tuple(
        CenterRecord(center=name, role="external", metrics={"auc": auc - less})
        for name, less in (("center_b", 0.0), ("center_c", 0.1))
    )
    return CellRecord(
        cell=f"classification/resnet50-chest-{init}",
        arm="classification",
        **axes(init),
        metrics={"external/auc": auc, "center_b/auc": auc, "center_c/auc": auc - 0.1},
        replicates_published=1,
        replicates_planned=1,
        centers=centers,
    )


def axes(init: str) -> dict[str, str]:
    return {"backbone": "resnet50", "pretraining": "chest", "init": init, "task": "classification"}


def trial(number: int) -> JobRecord:
    of = cell("frozen", 0.7).cell
    return JobRecord(
        key=f"a{number}",
        kind="tune",
        name=f"{of}-t{number}",
        arm="classification",
        cell=of,
        **axes("frozen"),
        fold=0,
        seed=0,
        center=None,
        trial=number,
        status="finished",
        started_ms=1_790_000_000_000,
        ended_ms=1_790_000_009_000,
        hyperparameters={"learning_rate": 0.001 * (number + 1), "weight_decay": 0.01},
        metrics={"value": 0.6 + number / 10},
    )


@pytest.fixture(scope="module")
def page_of_study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`osteogrid ui` on a free port of this machine; its process is ended by its id."""
    store = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{store}/mlflow.db"
    prepare(uri)
    tracker = Tracker(uri, "tiny")
    tracker.replay([trial(0), trial(1)], [cell("frozen", 0.7), cell("transfer", 0.8)], StudyRecord(study="tiny"))
    tracker.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "orchestrator.cli", "ui", "--store", str(store), "--port", str(port)]
    log = (store / "log.txt").open("w")
    server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=Path.cwd())
    try:
        await_health(server, f"http://127.0.0.1:{port}/health")
        yield pages(uri, f"http://127.0.0.1:{port}")["tiny"]
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
        log.close()


def await_health(server: subprocess.Popen[bytes], address: str) -> None:
    for _ in range(240):
        assert server.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError("the server did not start")


@pytest.fixture
def window(chromium, page_of_study):
    """A window in which MLflow's offer to talk to its assistant was answered before."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(PATIENCE)
    context.add_init_script("localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')")
    page = context.new_page()
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    yield page
    context.close()


def test_the_printed_page_is_the_saved_view_of_cells_best_first(window, page_of_study) -> None:
    window.goto(page_of_study)
    window.wait_for_selector(".ag-row a")

    names = [link.inner_text() for link in window.locator(".ag-row a").all()]
    assert names == ["resnet50-chest-transfer", "resnet50-chest-frozen"]
    assert window.get_by_text("Cells, best first").is_visible()
    assert window.get_by_role("columnheader", name="pretraining").first.is_visible()
    assert window.troubles == []


def test_the_chart_view_compares_centers(window, page_of_study) -> None:
    window.goto(f"{page_of_study}&compareRunsMode=CHART")

    window.get_by_text("center_b/auc vs center_c/auc").first.wait_for()
    assert window.troubles == []


def test_the_search_is_drawn_as_parallel_coordinates(window, page_of_study) -> None:
    window.goto(page_of_study.replace("osteogrid-cells", "osteogrid-trials") + "&compareRunsMode=CHART")

    window.get_by_text("Parallel Coordinates").first.wait_for()
    window.get_by_text("weight_decay", exact=True).first.wait_for()
    assert window.troubles == []


def test_centers_are_groups(window, page_of_study) -> None:
    window.goto(page_of_study.replace("osteogrid-cells", "osteogrid-centers"))

    window.get_by_text("Group: center: center_c, pretraining: chest").first.wait_for()
    window.get_by_text("resnet50-chest-transfer at center_b").first.wait_for()
    assert window.troubles == []
