"""The story of one sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from infra.cluster import Cluster, check_request, connect, disconnect
from infra.lease import Lease
from orchestrator.assignment import TASKS, Assigner
from orchestrator.changes import remember_changes
from orchestrator.forecast import Sizes, estimate
from orchestrator.intake import known, take_in
from orchestrator.lock import read_lock, write_lock
from orchestrator.plan import Plan, make_plan
from orchestrator.progress.live import Progress
from orchestrator.recording import Recorder
from orchestrator.reporting.contradictions import contradictions, sentences
from orchestrator.reporting.report import report
from orchestrator.resources import Capacity, check_capacity
from orchestrator.schedule import Schedule, State
from orchestrator.selection import Selection
from orchestrator.weights.preflight import check_weights
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
    contradictions: dict[str, str] = field(default_factory=dict)
    """Published jobs whose certificates contradict others': key -> what is wrong."""

    @property
    def waits_for_others(self) -> int:
        """How many locked replicates outside this run keep the external centers closed."""
        held = self.schedule.held()
        return sum(key not in self.plan.selected for key in self.schedule.open_locks()) if held else 0

    @property
    def problems(self) -> dict[str, str]:
        """Failed and blocked jobs of this run, and contradictions of the study: key -> reason."""
        bad = {State.FAILED, State.BLOCKED}
        failed = {key: self.schedule.reasons[key] for key, state in self.schedule.states.items() if state in bad}
        return failed | self.contradictions


def sweep(workspace: Workspace, request: Request, console: Console) -> Outcome:
    """Check, ingest, lock, run what is missing, track, report; raises StudyError before anything is trained."""
    check_request(request.cluster, address=request.address, gpus=request.gpus)
    workspace.run_store.probe()
    with Lease(workspace.lease), _cluster(request) as join:
        # What the study file alone gets wrong is refused before hours of ingestion.
        check_weights(make_plan(workspace, known(workspace), request.selection))
        cohort = take_in(workspace, lambda text: console.print(text, style="dim", highlight=False, soft_wrap=True))
        plan = make_plan(workspace, cohort, request.selection, retry_failed=request.retry_failed)
        recorder = Recorder(request.tracking_uri or workspace.mlflow_uri, plan.refreshed, None, console.print)
        schedule = plan.schedule(Capacity(1), read_lock(workspace))
        if schedule.count(State.WAITING) > len(schedule.held()):
            schedule = _run(plan, join(), request, console, recorder)
        done = plan.refreshed()
        outcome = Outcome(done, schedule, workspace.report / "report.html", sentences(contradictions(done)))
        for sentence in outcome.contradictions.values():
            console.print(sentence, style="red", highlight=False, soft_wrap=True, markup=False)
        report(outcome.plan, outcome.problems, request.command, recorder)
    return outcome


def _run(plan: Plan, cluster: Cluster, request: Request, console: Console, recorder: Recorder) -> Schedule:
    """Everything that is left, on the cluster that is joined, with MLflow kept level meanwhile."""
    from orchestrator import launch  # Ray Tune: seconds that a sweep with nothing left to do need not spend

    study = plan.workspace.study
    capacity = Capacity(cluster.cpus, cluster.gpus)
    check_capacity(study, plan.selected.values(), capacity, [Capacity(*node) for node in cluster.each])
    lock = write_lock(plan.workspace, plan.expansion.cells, plan.jobs.values(), plan.cohort.fingerprints)
    remember_changes(plan, lock)  # before anything runs: a sweep may take days, and a change is dated when it is seen
    schedule = plan.schedule(capacity, lock)
    sizes = Sizes.of_study(study, plan.cohort.sizes)
    estimates = {key: estimate(study, job, sizes) for key, job in plan.selected.items()}
    progress = Progress(schedule, console, estimates, capacity.cpus)
    assign = Assigner(plan.workspace, plan.cohort, plan.jobs, schedule.shapes, request.tasks)
    recorder.schedule = schedule
    with recorder:
        launch.run(schedule, assign, plan.workspace.run_store, progress, limit=request.limit)
    return schedule


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
