"""The command line: plan, sweep, status, track, report, predict, bundle, ui."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from infra.environment import quiet_environment
from orchestrator.weights.commands import weights_app
from search_spaces.errors import StudyError
from search_spaces.study import load_study

if TYPE_CHECKING:
    from orchestrator.plan import Plan
    from trainables.bundles.bundle import Bundle

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(weights_app, name="weights")
console = Console(markup=False)  # file names and errors hold brackets

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="the study file, such as studies/demo.yaml")]
Store = Annotated[
    Path, typer.Option(envvar="STORE", help="folder of ingested centers, run stores and the MLflow database")
]
Only = Annotated[str, typer.Option(help="restrict to cells, such as 'backbone=resnet18 init=frozen,transfer'")]
ArmName = Annotated[str, typer.Option(help="restrict to one arm")]

USAGE_ERROR = 2
JOBS_FAILED = 1
TASKS = "trainables:TASKS"


@app.command()
def plan(study: StudyFile, store: Store = Path("runs"), only: Only = "", arm: ArmName = "") -> None:
    """Print the cells, what is left out and why, the jobs, what is finished, and the time it will take."""
    from orchestrator.overview import print_plan

    print_plan(_planned(study, store, only, arm), console, os.cpu_count() or 1)


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
        command=f"osteogrid sweep {_without_place(study)}",
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
def status(study: StudyFile, store: Store = Path("runs")) -> None:
    """Say who runs the study, what is done, and what failed and why."""
    from orchestrator.overview import print_status

    print_status(_planned(study, store, "", ""), console)


@app.command()
def report(study: StudyFile, store: Store = Path("runs")) -> None:
    """Write the report again from what is published."""
    from orchestrator.reporting.report import report as write

    made = _planned(study, store, "", "")
    _need_ingested(made.not_ingested, study)
    page = write(made, _problems(made), f"osteogrid report {_without_place(study)}", None)
    console.print(f"Report: {page}", highlight=False, soft_wrap=True)


@app.command()
def track(
    study: StudyFile,
    store: Store = Path("runs"),
    tracking_uri: Annotated[str, typer.Option(envvar="MLFLOW_TRACKING_URI")] = "",
) -> None:
    """Make MLflow level with the run store."""
    from infra.lease import Lease
    from orchestrator.recording import Recorder
    from orchestrator.reporting.report import report as write

    made = _planned(study, store, "", "")
    _need_ingested(made.not_ingested, study)
    uri = tracking_uri or made.workspace.mlflow_uri
    recorder = Recorder(uri, lambda: made, None, lambda text: console.print(text))
    with Lease(made.workspace.lease):  # a sweep writes to MLflow too, and two writers would make runs twice
        write(made, _problems(made), f"osteogrid track {_without_place(study)}", recorder)
    if recorder.is_behind:
        raise typer.Exit(JOBS_FAILED)


@app.command()
def predict(
    names: Annotated[
        list[Path], typer.Argument(metavar="[STUDY] FILES...", help="the study file, then radiographs or folders")
    ],
    study: Annotated[Path | None, typer.Option(help="the study file, instead of the first name")] = None,
    bundle: Annotated[Path | None, typer.Option(help="folder of a bundle; then no study is needed")] = None,
    cell: Annotated[str, typer.Option(help="arm/backbone-pretraining-init; the best on the reserve if left out")] = "",
    boxes: Annotated[Path | None, typer.Option(help="boxes.csv, for cells that score boxes")] = None,
    single: Annotated[bool, typer.Option("--single", help="only the best replicate on the reserve")] = False,
    output: Annotated[Path | None, typer.Option(help="scores.csv or scores.json, instead of a table here")] = None,
    overlays: Annotated[Path | None, typer.Option(help="folder for a picture of each radiograph")] = None,
    store: Store = Path("runs"),
) -> None:
    """Score radiographs with a cell of a study: scores, decisions at its thresholds, boxes, saliency."""
    from orchestrator.models.output import as_table, check_folder, check_output, write_output
    from orchestrator.models.predicting import Question, answer, bundle_of_study, introduce

    if output is not None:
        check_output(output)
    if overlays is not None:
        check_folder("--overlays", overlays)
    if bundle is None and study is None:
        study, names = names[0], names[1:]
    if not names:
        raise StudyError("predict: no radiograph is named; give DICOM, PNG or JPEG files, or folders of them.")
    if bundle is not None and (cell or study is not None):
        raise StudyError("--bundle holds the one cell that it was made of; leave --study and --cell out.")
    model = _read_bundle(bundle) if study is None else bundle_of_study(_planned(study, store, "", ""), cell, _to_stderr)
    introduce(model, _to_stderr)
    scores = answer(model, Question(tuple(names), boxes, single, overlays), _to_stderr)
    for name, reason in scores.failed.items():
        _to_stderr(f"{name}: no score, {reason}.")
    if output is None:
        console.print(as_table(scores))
    else:
        _to_stderr(f"Written: {', '.join(str(path) for path in write_output(output, model, scores))}")
    if scores.failed:
        raise typer.Exit(JOBS_FAILED)


@app.command()
def bundle(
    study: StudyFile,
    output: Annotated[Path, typer.Option(help="new folder for the bundle")],
    cell: Annotated[str, typer.Option(help="arm/backbone-pretraining-init; the best on the reserve if left out")] = "",
    store: Store = Path("runs"),
) -> None:
    """Write the model of a cell as a folder that stands alone."""
    from orchestrator.models.predicting import bundle_of_study, introduce

    model = bundle_of_study(_planned(study, store, "", ""), cell, _to_stderr)
    introduce(model, _to_stderr)
    model.write(output)
    console.print(f"Bundle: {output} ({model.digest})", highlight=False, soft_wrap=True)


@app.command()
def ui(
    store: Store = Path("runs"),
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 5000,
) -> None:
    """Open the MLflow UI on this machine."""
    from infra.tracking import ui_command

    database = (store / "mlflow.db").resolve()
    if not database.exists():
        raise StudyError(f"{database}: there is no MLflow database yet; run `make sweep` first.")
    command = ui_command(f"sqlite:///{database}", host, port)
    console.print(f"MLflow: http://{host}:{port}", highlight=False)
    os.execvp(command[0], command)


def main() -> None:
    """Run the command; a user's mistake is one sentence and exit code 2."""
    quiet_environment()
    try:
        app()
    except StudyError as error:
        Console(stderr=True).print(f"osteogrid: {error}", style="red", highlight=False, soft_wrap=True, markup=False)
        sys.exit(USAGE_ERROR)


def _read_bundle(folder: Path | None) -> Bundle:
    from trainables.bundles.bundle import Bundle

    assert folder is not None, "without a study there is a bundle"
    return Bundle.read(folder)


def _without_place(study: Path) -> Path:
    """As it was given, but for where it lies on this machine: reports go to MLflow."""
    return Path(study.name) if study.is_absolute() or ".." in study.parts else study


def _to_stderr(text: str) -> None:
    """What a reader must know beside the scores, which alone go to the standard output."""
    Console(stderr=True).print(text, highlight=False, soft_wrap=True, markup=False)


def _planned(study: Path, store: Path, only: str, arm: str) -> Plan:
    from orchestrator.intake import known
    from orchestrator.plan import make_plan
    from orchestrator.selection import parse_selection
    from orchestrator.workspace import Workspace

    spec = load_study(study)
    workspace = Workspace(store, spec)
    return make_plan(workspace, known(workspace), parse_selection(spec, only, arm))


def _problems(made: Plan) -> dict[str, str]:
    from orchestrator.lock import read_lock
    from orchestrator.resources import Capacity

    return dict(made.schedule(Capacity(1), read_lock(made.workspace)).reasons)


def _need_ingested(missing: list[str], study: Path) -> None:
    if missing:
        raise StudyError(f"{study}: {', '.join(missing)} not ingested yet; run `make sweep STUDY={study}` first.")


if __name__ == "__main__":
    main()
