"""The sub-commands of `osteogrid weights`: list, add, check."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Annotated, get_args

import typer
from pydantic import ValidationError
from rich.console import Console

from orchestrator.weights.adding import Added, Words, add
from orchestrator.weights.checking import Cells, WeightsFile, cells_of, files_in, files_of, problems
from orchestrator.weights.listing import lines_of
from search_spaces.errors import StudyError
from search_spaces.grid import MissingWeights
from search_spaces.parts import CommercialUse
from search_spaces.pretraining import expected_file
from search_spaces.starting_points import MeanAndDeviation
from search_spaces.study import StudySpec, load_study

weights_app = typer.Typer(no_args_is_help=True, help="Pretrained weights files: what is known, brought in, and there.")
console = Console()

UNUSABLE = 1
"""Exit code of `check` if a file cannot be used."""

Folder = Annotated[Path | None, typer.Option(help="folder of weights; as the study says, else 'weights'")]
Study = Annotated[Path | None, typer.Option(help="a study file, to say which of its cells can run")]


@weights_app.command("list")
def list_sources(weights: Folder = None, study: Study = None) -> None:
    """Say of every source where its files are published, what they may be used for, and which are there."""
    spec = _study(study)
    for line in lines_of(_folder(weights, spec), spec):
        _say(line)


@weights_app.command("add")
def add_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="the weights file as it was published")],
    source: Annotated[str, typer.Option("--as", help="its source, such as radimagenet, or a name of your own")],
    backbone: Annotated[str, typer.Option(help="the architecture; found by its tensors if left out")] = "",
    weights: Folder = None,
    study: Study = None,
    license_: Annotated[str | None, typer.Option("--license", help="under which the file may be used")] = None,
    commercial_use: Annotated[str | None, typer.Option(help="yes, no or unknown")] = None,
    modality: Annotated[str | None, typer.Option(help="of the images it was trained on, such as radiographs")] = None,
    anatomy: Annotated[str | None, typer.Option(help="on those images, such as chest")] = None,
    mean: Annotated[str, typer.Option(help="of its inputs in [0, 1]: one number, or three with commas")] = "",
    std: Annotated[str, typer.Option(help="likewise")] = "",
    prefix: Annotated[str, typer.Option(help="take only the tensors under this prefix, such as encoder.")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="put it in the place of a file that is there")] = False,
) -> None:
    """Read a file without running its code, convert it, try it on its backbone, and put it where studies look."""
    spec = _study(study)
    _check_free(source, spec)
    words = Words(license_, _commercial_use(commercial_use), modality, anatomy, _normalization(mean, std))
    added = add(file, source, _folder(weights, spec), words, backbone=backbone, prefix=prefix, again=replace)
    for line in described(added):
        _say(line)
    if spec is not None:
        _say_cells(spec, cells_of(spec), only=(source, added.record.backbone))


@weights_app.command()
def check(weights: Folder = None, study: Study = None) -> None:
    """Compare every file with its record, try it on its backbone, and say which cells of a study can run."""
    spec = _study(study)
    folder = _folder(weights, spec)
    files = files_in(folder)
    unusable = problems(files)
    for file in files:
        _say(unusable.get(file.path) or _fine(file))
    if not files:
        _say(f"{folder}: holds no weights files; `osteogrid weights list` says where to get them.")
    if spec is not None:
        _say_cells(spec, cells_of(spec))
    if unusable:
        raise typer.Exit(UNUSABLE)


def described(added: Added) -> list[str]:
    """What `add` prints of a file that it brought in."""
    record = added.record
    dropped = f"; left out: {_some(record.dropped)}" if record.dropped else ""
    hint = " (say it with --license)" if record.license == "unknown" else ""
    return [
        f"{added.path}: {record.tensors} tensors of {record.backbone}, {added.share:.0%} of it, from {record.origin} "
        f"({record.layout} layout){dropped}.",
        f"sha256 {record.sha256}",
        f"license: {record.license}{hint}; commercial use: {record.commercial_use}",
    ]


def _say(line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True, markup=False)


def _study(path: Path | None) -> StudySpec | None:
    return None if path is None else load_study(path)


def _folder(given: Path | None, study: StudySpec | None) -> Path:
    if given is not None and study is not None and given.resolve() != Path(study.weights).resolve():
        raise StudyError(
            f"--weights {given}: study {study.name!r} looks in {study.weights!r}; leave --weights out, or change the "
            "study's `weights`."
        )
    return given or Path(study.weights if study else StudySpec.model_fields["weights"].default)


def _check_free(source: str, study: StudySpec | None) -> None:
    """A study may use the word for something else than a folder of files."""
    if study is None:
        return
    if source in study.corpora:
        raise StudyError(f"--as {source}: study {study.name!r} trains on a corpus of that name; choose another one.")
    declared = study.sources.get(source)
    if declared is not None and declared.files is not None:
        raise StudyError(
            f"--as {source}: in study {study.name!r} it stands for the files of {declared.files!r}; add the file --as "
            f"{declared.files}."
        )


def _commercial_use(word: str | None) -> CommercialUse | None:
    for allowed in get_args(CommercialUse):
        if word == allowed:
            return allowed  # type: ignore[no-any-return]
    if word is not None:
        raise StudyError(f"--commercial-use {word}: allowed are {', '.join(get_args(CommercialUse))}.")
    return None


def _normalization(mean: str, std: str) -> MeanAndDeviation | None:
    if not mean and not std:
        return None
    try:
        return MeanAndDeviation(mean=_numbers(mean), std=_numbers(std))
    except (ValidationError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise StudyError(
            f"--mean {mean} --std {std}: give both, each one number or three with commas, std above 0 ({reason})."
        ) from None


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in text.split(","))


def _fine(file: WeightsFile) -> str:
    if file.record is None:
        return f"{file.path}: fits, has no record (put there by hand; its license is unknown)"
    return f"{file.path}: fits, sha256 as recorded, from {file.record.origin}; license: {file.record.license}"


def _say_cells(study: StudySpec, cells: Cells, only: tuple[str, str] | None = None) -> None:
    """What can run, with a mark where it is by the file of `only` (source, backbone), and what waits for which file."""

    def place(entry: MissingWeights) -> str:
        return str(expected_file(study, entry.cell.pretraining, entry.cell.backbone))

    for cell in cells.ready:
        now = only is None or only == (files_of(study, cell.pretraining), cell.backbone)
        _say(f"ready    {cell.id}" + ("" if only is None or not now else "  (now)"))
    for _, entries in groupby(sorted(cells.waiting, key=place), key=place):
        waiting = list(entries)
        _say(f"waiting  {', '.join(entry.cell.id for entry in waiting)}: {waiting[0].sentence}")


def _some(names: tuple[str, ...], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
