from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from infra.lease import Lease
from orchestrator.intake import known, take_in
from orchestrator.plan import make_plan
from orchestrator.progress.watching import watch
from orchestrator.selection import Selection
from tests.orchestrator.places import make_workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    found = make_workspace(tmp_path_factory.mktemp("watched"))
    take_in(found, lambda _: None)
    return found


def watched(workspace, sleep, **console):
    out = io.StringIO()
    watch(
        lambda: make_plan(workspace, known(workspace), Selection()),
        Console(file=out, width=80, **console),
        2.0,
        sleep=sleep,
    )
    return out.getvalue()


class Hours:
    """A sleep that does something each time instead of waiting."""

    def __init__(self, *events):
        self.events = list(events)

    def __call__(self, _):
        self.events.pop(0)()


def nothing():
    """Nothing happens."""


def interrupt():
    raise KeyboardInterrupt


def test_without_a_sweep_it_says_so_and_ends(workspace):
    assert "no sweep runs now" in watched(workspace, Hours())


def test_outside_a_terminal_a_line_is_said_only_when_something_changed(workspace):
    store = workspace.run_store
    plan = make_plan(workspace, known(workspace), Selection())
    job = next(job for job in plan.jobs.values() if job.kind == "pretrain")
    lease = Lease(workspace.lease)
    lease.__enter__()

    text = watched(
        workspace,
        Hours(nothing, lambda: store.start_attempt(job.to_dict(), {}), nothing, lambda: lease.__exit__()),
    )

    lines = text.splitlines()
    assert [" 0 running" in line for line in lines[:2]] == [True, False]
    assert lines[2:] == ["tiny: the sweep has ended."]
    assert "\x1b" not in text


def test_in_a_terminal_the_view_stays_when_the_sweep_ends(workspace):
    lease = Lease(workspace.lease)
    lease.__enter__()

    text = watched(workspace, Hours(nothing, lambda: lease.__exit__()), force_terminal=True, height=40)

    assert "replicates" in text
    assert "tiny: ended" in text
    assert text.rstrip().endswith("the sweep has ended.")


def test_an_interrupt_ends_the_view_and_leaves_the_sweep_alone(workspace):
    with Lease(workspace.lease) as lease:
        text = watched(workspace, Hours(nothing, interrupt))

        assert "the sweep has ended" not in text
        assert (lease.folder / f"{lease.number:06d}.json").read_text().count("released") == 0


def test_a_driver_that_was_killed_has_not_ended_its_sweep(workspace):
    lease = Lease(workspace.lease)
    lease.__enter__()
    held = lease.folder / f"{lease.number:06d}.json"
    body = json.loads(held.read_text())

    def kill():
        lease.__exit__()
        held.write_text(json.dumps({**body, "pid": 2**22 + 1}))  # above the highest number that Linux gives a process

    text = watched(workspace, Hours(nothing, kill))

    assert "the sweep has ended" not in text
    assert "driver is gone before its end; `make sweep` goes on" in text
