"""Expands a study into cells and the combinations left out, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from search_spaces.arms import Arm, DetectionArm, RadiomicsArm
from search_spaces.backbones import BACKBONES
from search_spaces.errors import StudyError, nearest
from search_spaces.initialization import why_invalid
from search_spaces.pretraining import NONE, SOURCES, expected_file, known_sources, weights_file
from search_spaces.study import StudySpec


@dataclass(frozen=True)
class Cell:
    """One point of an arm's grid."""

    arm: str
    task: str
    backbone: str
    pretraining: str
    init: str

    @property
    def id(self) -> str:
        """arm/backbone-pretraining-init."""
        return f"{self.arm}/{self.backbone}-{self.pretraining}-{self.init}"


@dataclass(frozen=True)
class LeftOut:
    """A combination that is not run, and why."""

    combination: str
    reason: str


@dataclass(frozen=True)
class MissingWeights:
    """A cell that waits for a weights file."""

    cell: Cell
    sentence: str


@dataclass(frozen=True)
class Expansion:
    """All of a study's grid."""

    cells: tuple[Cell, ...]
    left_out: tuple[LeftOut, ...]
    missing: tuple[MissingWeights, ...]


def expand(study: StudySpec) -> Expansion:
    """Cells of all arms in the order of the file; raises StudyError for words no catalogue knows."""
    _check_corpora(study)
    cells: list[Cell] = []
    left_out: list[LeftOut] = []
    for arm in study.arms:
        if isinstance(arm, RadiomicsArm):
            cells.append(Cell(arm.name, arm.task, "elasticnet", NONE, "scratch"))
            continue
        _check_words(study, arm)
        for backbone, source, init in product(arm.grid.backbone, arm.grid.pretraining, arm.grid.init):
            reason = why_invalid(source, init) or _why_no_weights(study, arm, backbone, source)
            cell = Cell(arm.name, arm.task, backbone, source, init)
            if reason:
                left_out.append(LeftOut(cell.id, reason))
            else:
                cells.append(cell)
    return Expansion(tuple(cells), tuple(left_out), tuple(_missing(study, cells)))


def _check_corpora(study: StudySpec) -> None:
    taken = sorted(set(study.corpora) & {NONE, *SOURCES})
    if taken:
        raise StudyError(
            f"Study {study.name!r}, corpora: {taken[0]!r} is the name of a known source; rename the corpus."
        )


def _check_words(study: StudySpec, arm: Arm) -> None:
    """Every word of the grid is in a catalogue and fits the arm's task."""
    assert not isinstance(arm, RadiomicsArm)
    of_task = sorted(name for name, backbone in BACKBONES.items() if backbone.task == arm.task)
    for backbone in arm.grid.backbone:
        if backbone not in of_task:
            raise StudyError(
                f"Study {study.name!r}, arm {arm.name!r}, grid.backbone: {backbone!r} is not a {arm.task} backbone."
                f"{nearest(backbone, of_task)} Allowed: {', '.join(of_task)}."
            )
    sources = known_sources(study)
    for source in arm.grid.pretraining:
        if source not in sources:
            raise StudyError(
                f"Study {study.name!r}, arm {arm.name!r}, grid.pretraining: {source!r} is no known source."
                f"{nearest(source, sources)} Allowed: {', '.join(sources)}, or a corpus named under `corpora`."
            )


def _why_no_weights(study: StudySpec, arm: Arm, backbone: str, source: str) -> str | None:
    """Reason why a source can never have weights for this backbone."""
    if source == NONE or source in study.corpora:
        return None
    if source == "coco" and not isinstance(arm, DetectionArm):
        return "coco weights are detectors, this arm classifies"
    published = SOURCES[source].backbones if source in SOURCES else None
    if published is not None and backbone not in published:
        return f"{source} has no weights for {backbone}, only for {', '.join(published)}"
    return None


def _missing(study: StudySpec, cells: list[Cell]) -> list[MissingWeights]:
    return [
        MissingWeights(
            cell,
            f"{expected_file(study, cell.pretraining, cell.backbone)}: the {cell.pretraining} weights for "
            f"{cell.backbone} are missing"
            f"{_published_at(cell.pretraining)}; put the file there, or leave the source out of the grid.",
        )
        for cell in cells
        if cell.pretraining != NONE
        and cell.pretraining not in study.corpora
        and weights_file(study, cell.pretraining, cell.backbone) is None
    ]


def _published_at(source: str) -> str:
    return f" (published as {SOURCES[source].where})" if source in SOURCES and SOURCES[source].where else ""
