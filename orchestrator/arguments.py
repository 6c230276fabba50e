"""What commands share: their arguments, the plan of a study, and where they print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from search_spaces.errors import StudyError
from search_spaces.study import load_study

if TYPE_CHECKING:
    from orchestrator.plan import Plan

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="the study file, such as studies/demo.yaml")]
Store = Annotated[
    Path, typer.Option(envvar="STORE", help="folder of ingested centers, run stores and the MLflow database")
]
Only = Annotated[str, typer.Option(help="restrict to cells, such as 'backbone=resnet18 init=frozen,transfer'")]
ArmName = Annotated[str, typer.Option(help="restrict to one arm")]

JOBS_FAILED = 1
"""Exit code: some jobs failed, the rest was done and reported."""

console = Console(markup=False)  # file names and errors hold brackets


def planned(study: Path, store: Path, only: str = "", arm: str = "") -> Plan:
    """The plan of a study as far as its centers are ingested."""
    from orchestrator.intake import known
    from orchestrator.plan import make_plan
    from orchestrator.selection import parse_selection
    from orchestrator.workspace import Workspace

    spec = load_study(study)
    workspace = Workspace(store, spec)
    return make_plan(workspace, known(workspace), parse_selection(spec, only, arm))


def problems(made: Plan) -> dict[str, str]:
    """Failed and blocked jobs: key -> reason."""
    from orchestrator.lock import read_lock
    from orchestrator.resources import Capacity

    return dict(made.schedule(Capacity(1), read_lock(made.workspace)).reasons)


def need_ingested(missing: list[str], study: Path) -> None:
    """Refuse what needs centers that were never read."""
    if missing:
        raise StudyError(f"{study}: {', '.join(missing)} not ingested yet; run `make sweep STUDY={study}` first.")


def without_place(study: Path) -> Path:
    """As it was given, but for where it lies on this machine: reports go to MLflow."""
    return Path(study.name) if study.is_absolute() or ".." in study.parts else study


def to_stderr(text: str) -> None:
    """What a reader must know beside the scores, which alone go to the standard output."""
    Console(stderr=True).print(text, highlight=False, soft_wrap=True, markup=False)
