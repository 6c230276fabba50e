from __future__ import annotations

import io

from rich.console import Console

from orchestrator.progress.live import Progress
from tests.orchestrator.test_schedule import job, schedule


def shown(progress: Progress, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(progress.render())
    return console.export_text()


def started(*keys: str) -> tuple[Progress, io.StringIO]:
    """A run of three jobs of which `keys` have been handed out."""
    out = io.StringIO()
    plan = schedule(job("classification/resnet10t-chest-transfer-f0-s0"), job("b"), job("c"))
    progress = Progress(plan, Console(file=out, width=80), {}, parallel=2)
    for _ in keys:
        plan.next()
    for key in keys:
        progress.started(key)
    return progress, out


def test_the_table_shows_what_runs_with_its_epoch_and_metric():
    progress, _ = started("classification/resnet10t-chest-transfer-f0-s0")

    progress.advanced("classification/resnet10t-chest-transfer-f0-s0", 1, {"train/loss": 0.6, "validation/auc": 0.7351})

    text = shown(progress)
    assert "0/3 jobs done, 1 running, 2 waiting, 0 failed" in text
    assert "resnet10t-chest-transfer-f0-s0" in text
    assert "1/1" in text
    assert "auc 0.735" in text
    assert any(line.startswith("running") for line in text.splitlines())


def test_the_table_keeps_to_the_width_of_the_terminal():
    progress, _ = started("classification/resnet10t-chest-transfer-f0-s0", "b")

    assert max(map(len, shown(progress, 60).splitlines())) <= 60


def test_outside_a_terminal_there_are_plain_lines_and_no_control_codes():
    progress, out = started("classification/resnet10t-chest-transfer-f0-s0")
    with progress:
        progress.schedule.finish("classification/resnet10t-chest-transfer-f0-s0")
        progress.ended("classification/resnet10t-chest-transfer-f0-s0")

    assert "1/3 jobs done" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_brackets_in_an_error_are_told_as_they_are():
    progress, out = started("b")
    sentence = "OSError: cannot read [/a/b] of shape [batch, 3]"

    progress.schedule.fail("b", sentence)
    progress.ended("b")

    assert f"failed b: {sentence}" in out.getvalue()


def test_a_failure_is_told_when_it_happens():
    progress, out = started("classification/resnet10t-chest-transfer-f0-s0")

    progress.schedule.fail("classification/resnet10t-chest-transfer-f0-s0", "ValueError: no such tensor")
    progress.ended("classification/resnet10t-chest-transfer-f0-s0")

    assert "ValueError: no such tensor" in out.getvalue()
