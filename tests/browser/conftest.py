"""Chromium, and the reports that it opens from disk as a reader would."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evaluation.report import write_report
from tests.browser.watched import Watched
from tests.evaluation.report_example import example, unstarted

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: `make setup`")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")

Open = Callable[..., Watched]


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """The Chromium of the system: nothing is downloaded."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.skip("no Chromium: `apt-get install chromium`, or name one in CHROMIUM")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(example(), tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="session")
def nothing_ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(unstarted(), tmp_path_factory.mktemp("unstarted"))


@pytest.fixture
def visit(chromium) -> Iterator[Open]:
    """Opens a page in a window of its own; afterwards nothing may have been asked of a network or gone wrong."""
    opened = []

    def open_page(report: Path, *, width: int = 1400, height: int = 900, **settings: object) -> Watched:
        context = chromium.new_context(viewport={"width": width, "height": height}, **settings)
        context.set_default_timeout(10_000)
        opened.append((context, Watched(context.new_page(), report.as_uri())))
        return opened[-1][1]

    yield open_page
    for context, page in opened:
        context.close()
        assert page.troubles == []
