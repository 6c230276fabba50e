"""The command line: plan, sweep, status, track, report, readers, paper, predict, bundle, ui."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.environment import quiet_environment
from orchestrator.arguments import JOBS_FAILED, ArmName, Only, Store, StudyFile, console, planned, without_place
from orchestrator.models.commands import bundle, predict
from orchestrator.paper.commands import paper
from orchestrator.reporting.commands import readers, report, track
from orchestrator.weights.commands import weights_app
from search_spaces.errors import StudyError
from search_spaces.study import load_study

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(weights_app, name="weights")

USAGE_ERROR = 2
TASKS = "trainables:TASKS"


@app.command()
def plan(study: StudyFile, store: Store = Path("runs"), only: Only = "", arm: ArmName = "") -> None:
    """Print the cells, what is left out and why, the jobs, what is finished, and the time it will take."""
    from orchestrator.overview import print_plan

    print_plan(planned(study, store, only, arm), console, os.cpu_count() or 1)


@app.command()
def sweep(
    study: StudyFile,
    store: Store = Path("runs"),
    cluster: Annotated[str, typer.Option(help="local: Ray in this process; gpu: the cluster at ADDRESS")] = "local",
    address: Annotated[str, typer.Option(help="host:port of a running Ray cluster")] = "",
    gpus: Annotated[int | None, typer.Option(min=0, help="GPUs to use on this machine; 0 forbids them")] = None,
    only: Only = "",
    arm: ArmName = "",
    limit: Annotated[int | None, typer.Option(min=1, help="run at most so many jobs now")] = None,
    retry: Annotated[str, typer.Option(help="'failed': try jobs again that failed for good")] = "",
    tracking_uri: Annotated[str, typer.Option(envvar="MLFLOW_TRACKING_URI", help="MLflow server or database")] = "",
    tasks: Annotated[str, typer.Option(help="task families, as module:NAME; a package may bring its own")] = TASKS,
) -> None:
    """Run everything of the study that is not finished, then write the report."""
    from orchestrator.overview import print_problems
    from orchestrator.selection import parse_selection
    from orchestrator.sweep import Request
    from orchestrator.sweep import sweep as run_sweep
    from orchestrator.workspace import Workspace

    spec = load_study(study)
    if retry not in {"", "failed"}:
        raise StudyError(f"RETRY={retry}: allowed is 'failed', or nothing.")
    request = Request(
        selection=parse_selection(spec, only, arm),
        cluster=cluster,
        address=address or None,
        gpus=gpus,
        limit=limit,
        retry_failed=retry == "failed",
        tracking_uri=tracking_uri or None,
        tasks=tasks,
        command=f"osteogrid sweep {without_place(study)}",
    )
    outcome = run_sweep(Workspace(store, spec), request, console)
    print_problems(outcome.plan, outcome.schedule, console)
    if outcome.waits_for_others:
        console.print(
            f"Sealed: external predictions wait for {outcome.waits_for_others} locked replicates not run here."
        )
    console.print(f"Report: {outcome.report}", highlight=False, soft_wrap=True)
    if outcome.problems:
        raise typer.Exit(JOBS_FAILED)


@app.command()
def status(
    study: StudyFile,
    store: Store = Path("runs"),
    watching: Annotated[bool, typer.Option("--watch", help="stay and show the sweep until it ends")] = False,
    interval: Annotated[float, typer.Option(min=0.2, help="with --watch: seconds between two looks")] = 2.0,
) -> None:
    """Say who runs the study, what is done, and what failed and why."""
    from orchestrator.overview import print_status
    from orchestrator.progress.watching import watch

    if watching:
        watch(lambda: planned(study, store), console, interval)
    else:
        print_status(planned(study, store), console)


for command in (report, readers, paper, track, predict, bundle):
    app.command()(command)


@app.command()
def ui(
    store: Store = Path("runs"),
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 5000,
) -> None:
    """Open the MLflow UI on this machine."""
    from infra.tracking import pages, ui_command

    database = (store / "mlflow.db").resolve()
    if not database.exists():
        raise StudyError(f"{database}: there is no MLflow database yet; run `make sweep` first.")
    command = ui_command(f"sqlite:///{database}", host, port)
    console.print(f"MLflow: http://{host}:{port}", highlight=False)
    for name, page in pages(f"sqlite:///{database}", f"http://{host}:{port}").items():
        console.print(f"{name}: {page}", highlight=False, soft_wrap=True)
    os.execvp(command[0], command)


def main() -> None:
    """Run the command; a user's mistake is one sentence and exit code 2."""
    quiet_environment()
    try:
        app()
    except StudyError as error:
        Console(stderr=True).print(f"osteogrid: {error}", style="red", highlight=False, soft_wrap=True, markup=False)
        sys.exit(USAGE_ERROR)


if __name__ == "__main__":
    main()
