"""The story of one sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from infra.cluster import Cluster, check_request, connect, disconnect
from infra.lease import Lease
from orchestrator import launch
from orchestrator.assignment import TASKS, Assigner
from orchestrator.forecast import Sizes, estimate
from orchestrator.intake import take_in
from orchestrator.lock import write_lock
from orchestrator.plan import Plan, make_plan
from orchestrator.preflight import check_weights
from orchestrator.progress import Progress
from orchestrator.recording import Recorder
from orchestrator.reporting import report
from orchestrator.resources import Capacity, check_capacity
from orchestrator.schedule import Schedule, State
from orchestrator.selection import Selection
from orchestrator.workspace import Workspace


@dataclass(frozen=True)
class Request:
    """What a person asked for, beside the study."""

    selection: Selection = field(default_factory=Selection)
    cluster: str = "local"
    address: str | None = None
    gpus: int | None = None
    limit: int | None = None
    retry_failed: bool = False
    tracking_uri: str | None = None
    tasks: str = TASKS
    command: str = "osteogrid sweep"


@dataclass(frozen=True)
class Outcome:
    """How a sweep ended."""

    plan: Plan
    schedule: Schedule
    report: Path

    @property
    def problems(self) -> dict[str, str]:
        """Failed and blocked jobs of this run: key -> reason."""
        bad = {State.FAILED, State.BLOCKED}
        return {key: self.schedule.reasons[key] for key, state in self.schedule.states.items() if state in bad}


def sweep(workspace: Workspace, request: Request, console: Console) -> Outcome:
    """Ingest, plan, lock, run what is missing, track, report; raises StudyError before anything runs."""
    check_request(request.cluster, address=request.address, gpus=request.gpus)
    workspace.run_store.probe()
    with Lease(workspace.lease), _cluster(request) as join:
        cohort = take_in(workspace, lambda text: console.print(text, style="dim", highlight=False))

        def plan_now() -> Plan:
            return make_plan(workspace, cohort, request.selection, retry_failed=request.retry_failed)

        plan = plan_now()
        check_weights(plan)
        lock = write_lock(workspace, plan.expansion.cells, plan.jobs.values(), cohort.fingerprints)
        schedule = plan.schedule(Capacity(1), lock)
        recorder = Recorder(request.tracking_uri or workspace.mlflow_uri, plan_now, schedule, console.print)
        if schedule.count(State.WAITING) > len(schedule.held()):
            found = join()
            capacity = Capacity(found.cpus, found.gpus)
            node = Capacity(found.largest_cpus, found.largest_gpus)
            check_capacity(workspace.study, plan.selected.values(), capacity, node)
            schedule = plan.schedule(capacity, lock)
            _run(plan, schedule, request, console, recorder)
        outcome = Outcome(plan_now(), schedule, workspace.report / "report.html")
        report(outcome.plan, outcome.problems, request.command, recorder)
    return outcome


def _run(plan: Plan, schedule: Schedule, request: Request, console: Console, recorder: Recorder) -> None:
    """Everything that is left, on the cluster that is joined, with MLflow kept level meanwhile."""
    sizes = Sizes(plan.cohort.sizes)
    estimates = {key: estimate(plan.workspace.study, job, sizes) for key, job in plan.selected.items()}
    progress = Progress(schedule, console, estimates, schedule.capacity.cpus)
    assign = Assigner(plan.workspace, plan.cohort, plan.jobs, schedule.shapes, request.tasks)
    store = plan.workspace.run_store
    recorder.schedule = schedule
    with recorder:
        launch.run(
            schedule,
            assign,
            lambda key: store.finished_record(key) is not None,
            progress,
            store.root.resolve() / "scratch",
            limit=request.limit,
        )


@contextmanager
def _cluster(request: Request) -> Iterator[Callable[[], Cluster]]:
    """A way to join the cluster, once; a remote one is joined at once, so that its absence stops everything early."""
    joined: list[Cluster] = []

    def join() -> Cluster:
        if not joined:
            joined.append(connect(request.cluster, address=request.address, gpus=request.gpus))
        return joined[0]

    if request.cluster != "local":
        join()
    try:
        yield join
    finally:
        if joined:
            disconnect()
