"""The commands that use trained models: predict, bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.arguments import JOBS_FAILED, Store, StudyFile, console, planned, to_stderr
from search_spaces.errors import StudyError

if TYPE_CHECKING:
    from trainables.bundles.bundle import Bundle


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
    model = _read_bundle(bundle) if study is None else bundle_of_study(planned(study, store), cell, to_stderr)
    introduce(model, to_stderr)
    scores = answer(model, Question(tuple(names), boxes, single, overlays), to_stderr)
    for name, reason in scores.failed.items():
        to_stderr(f"{name}: no score, {reason}.")
    if output is None:
        console.print(as_table(scores))
    else:
        to_stderr(f"Written: {', '.join(str(path) for path in write_output(output, model, scores))}")
    if scores.failed:
        raise typer.Exit(JOBS_FAILED)


def bundle(
    study: StudyFile,
    output: Annotated[Path, typer.Option(help="new folder for the bundle")],
    cell: Annotated[str, typer.Option(help="arm/backbone-pretraining-init; the best on the reserve if left out")] = "",
    store: Store = Path("runs"),
) -> None:
    """Write the model of a cell as a folder that stands alone."""
    from orchestrator.models.predicting import bundle_of_study, introduce

    model = bundle_of_study(planned(study, store), cell, to_stderr)
    introduce(model, to_stderr)
    model.write(output)
    console.print(f"Bundle: {output} ({model.digest})", highlight=False, soft_wrap=True)


def _read_bundle(folder: Path | None) -> Bundle:
    from trainables.bundles.bundle import Bundle

    assert folder is not None, "without a study there is a bundle"
    return Bundle.read(folder)
