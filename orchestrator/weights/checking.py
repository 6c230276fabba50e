"""What lies in the folder of weights, whether it is what its records say, and which cells of a study it serves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.weights.adding import SUFFIXES
from orchestrator.weights.process import why_misfits
from search_spaces.arms import ClassificationArm
from search_spaces.backbones import BACKBONES, find
from search_spaces.errors import StudyError
from search_spaces.grid import Cell, MissingWeights, expand
from search_spaces.initialization import SCRATCH
from search_spaces.pretraining import NONE, weights_file, weights_sha256
from search_spaces.recipes import image_size
from search_spaces.study import StudySpec
from search_spaces.weights_record import WeightsRecord, read_record


@dataclass(frozen=True)
class WeightsFile:
    """One file of a source."""

    path: Path
    source: str
    backbone: str
    record: WeightsRecord | None
    """None: somebody put it there by hand."""


@dataclass(frozen=True)
class Cells:
    """Cells of a study that start from files."""

    ready: list[Cell]
    waiting: list[MissingWeights]


def files_in(folder: Path) -> list[WeightsFile]:
    """Every weights file under a folder, by source and backbone; StudyError for a broken record."""
    found = sorted(path for suffix in SUFFIXES for path in folder.glob(f"[!.]*/[!.]*{suffix}"))
    return [WeightsFile(path, path.parent.name, path.stem, read_record(path)) for path in found]


def check_record(path: Path) -> None:
    """Raise StudyError if a file is not the one that its record was written for."""
    record = read_record(path)
    if record is None or record.sha256 == (found := weights_sha256(path)):
        return
    raise StudyError(
        f"{path}: its sha256 is {found[:12]}…, its record says {record.sha256[:12]}…: the file was changed "
        f"after it was added. Add it again with `osteogrid weights add FILE --as {record.source} --replace`."
    )


def problems(files: list[WeightsFile]) -> dict[Path, str]:
    """Files that no study can use, each with the reason; all are tried on their backbones for transfer."""
    found: dict[Path, str] = {}
    entries = []
    for file in files:
        backbone = find(file.backbone)
        if backbone is None:
            found[file.path] = f"{file.path}: no backbone is called {file.backbone!r}; a file is called after its own."
            continue
        try:
            check_record(file.path)
        except StudyError as error:
            found[file.path] = str(error)
            continue
        entries.append(_transfer(file.path, backbone.task, file.backbone, channels=1))
    sentences = why_misfits(entries)
    return found | {Path(str(entry["path"])): text for entry, text in zip(entries, sentences, strict=True) if text}


def cells_of(study: StudySpec) -> Cells:
    """Which cells of a study have the weights file they start from, and which wait for it."""
    expansion = expand(study)
    waiting = {entry.cell.id for entry in expansion.missing}
    from_files = [cell for cell in expansion.cells if starts_from_file(study, cell)]
    return Cells([cell for cell in from_files if cell.id not in waiting], list(expansion.missing))


def files_of(study: StudySpec | None, source: str) -> str:
    """The source whose files are read: another one where the study says so."""
    declared = None if study is None else study.sources.get(source)
    return source if declared is None or declared.files is None else declared.files


def starts_from_file(study: StudySpec, cell: Cell) -> bool:
    """Whether a cell reads a weights file: it has a source, and the study does not train it itself."""
    return cell.init != SCRATCH and cell.pretraining != NONE and cell.pretraining not in study.corpora


def trial_of(study: StudySpec, cell: Cell) -> dict[str, object]:
    """What has to be tried for a cell whose file is there."""
    path = weights_file(study, cell.pretraining, cell.backbone)
    assert path is not None
    return {**network_of(study, cell), "path": str(path)}


def is_unusual(cell: Cell) -> bool:
    """Whether nobody has tried a cell's network yet: of no catalogue, or with a number of stages of its own."""
    return cell.task != "radiomics" and (cell.backbone not in BACKBONES or cell.init.startswith("partial_"))


def network_of(study: StudySpec, cell: Cell) -> dict[str, object]:
    """What has to be tried of a cell's network, on an input of its size."""
    arm = next(arm for arm in study.arms if arm.name == cell.arm)
    shape = {"channels": 3, "image_size": 0}
    if isinstance(arm, ClassificationArm):
        shape = {"channels": arm.channels, "image_size": image_size(arm, cell.backbone)}
    return {"path": None, "task": cell.task, "backbone": cell.backbone, "init": cell.init, **shape}


def _transfer(path: Path, task: str, backbone: str, channels: int) -> dict[str, object]:
    return {"path": str(path), "task": task, "backbone": backbone, "init": "transfer", "channels": channels}
