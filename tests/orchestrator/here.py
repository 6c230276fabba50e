"""Runs a plan's jobs one after another in this process: the scheduling without Ray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.assignment import TASKS, Assigner
from orchestrator.intake import known
from orchestrator.lock import write_lock
from orchestrator.plan import make_plan
from orchestrator.resources import Capacity
from orchestrator.schedule import Schedule
from orchestrator.selection import Selection
from orchestrator.workspace import Workspace
from trainables.attempt import try_job


def run_here(
    workspace: Workspace,
    *,
    tasks: str = TASKS,
    selection: Selection | None = None,
    hear: Callable[[dict[str, Any]], None] = lambda message: None,
) -> tuple[Schedule, list[Any]]:
    """Run everything that is left; returns the schedule at its end and the payloads in order.

    `hear` gets every message as it is sent; what it raises goes through everything, as a kill would.
    """
    cohort = known(workspace)
    plan = make_plan(workspace, cohort, selection or Selection())
    lock = write_lock(workspace, plan.expansion.cells, plan.jobs.values(), cohort.fingerprints)
    schedule = plan.schedule(Capacity(2), lock)
    assign = Assigner(workspace, cohort, plan.jobs, schedule.shapes, tasks)
    payloads = []
    while (job := schedule.next()) is not None:
        payload = {**assign(job), "device": "cpu"}
        payloads.append(payload)
        messages: list[dict[str, Any]] = []

        def send(message: dict[str, Any], to: list[dict[str, Any]] = messages) -> None:
            to.append(message)
            hear(message)

        try_job(payload, send)
        if messages[-1]["state"] == "finished":
            schedule.finish(job.key)
        elif not schedule.pause(job.key):
            schedule.fail(job.key, str(messages[-1].get("error")))
    return schedule, payloads
