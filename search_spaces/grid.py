"""Expands a study into cells and the combinations left out, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from search_spaces.arms import Arm, DetectionArm, RadiomicsArm
from search_spaces.backbones import find, names_of
from search_spaces.errors import StudyError, nearest
from search_spaces.initialization import why_invalid
from search_spaces.pretraining import NONE, SOURCES, describe, expected_file, known_sources, weights_file
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
    for kind, names in (("corpora", study.corpora), ("sources", study.sources)):
        taken = sorted(set(names) & {NONE, *SOURCES})
        if taken:
            raise StudyError(f"Study {study.name!r}, {kind}: {taken[0]!r} is the name of a known source; rename it.")
    for name, source in study.sources.items():
        known = known_sources(study)
        if source.files is not None and source.files not in set(known) - {NONE, *study.corpora, *study.sources}:
            raise StudyError(
                f"Study {study.name!r}, sources.{name}.files: {source.files!r} is no source with files of its own."
                f"{nearest(source.files, known)} Allowed: a source of the catalogue, or a folder under "
                f"{study.weights!r}."
            )


def _check_words(study: StudySpec, arm: Arm) -> None:
    """Every word of the grid is in a catalogue and fits the arm's task."""
    assert not isinstance(arm, RadiomicsArm)
    of_task = names_of(arm.task)
    for backbone in arm.grid.backbone:
        found = find(backbone)
        if found is None or found.task != arm.task:
            others = ", or any other model of timm by its name" if arm.task == "classification" else ""
            raise StudyError(
                f"Study {study.name!r}, arm {arm.name!r}, grid.backbone: {backbone!r} is not a {arm.task} backbone."
                f"{nearest(backbone, of_task)} Allowed: {', '.join(of_task)}{others}."
            )
        size = arm.image_size or found.input_size
        if size < found.smallest:
            raise StudyError(
                f"Study {study.name!r}, arm {arm.name!r}, image_size: {backbone} reads at least {found.smallest} "
                f"pixels on a side, not {size}; raise image_size or leave the backbone out."
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
    entry = describe(study, source)
    if entry.library == "ultralytics" and not isinstance(arm, DetectionArm):
        return f"{source} weights are detectors, this arm classifies"
    if entry.library == "timm" and isinstance(arm, DetectionArm):
        return f"{source} weights are classifiers, this arm detects"
    if entry.backbones is not None and backbone not in entry.backbones:
        return f"{source} has no weights for {backbone}, only for {', '.join(entry.backbones)}"
    return None


def _missing(study: StudySpec, cells: list[Cell]) -> list[MissingWeights]:
    return [
        MissingWeights(
            cell,
            f"{expected_file(study, cell.pretraining, cell.backbone)}: the {cell.pretraining} weights for "
            f"{cell.backbone} are missing"
            f"{_published_at(study, cell.pretraining)}; bring it with `osteogrid weights add FILE --as "
            f"{expected_file(study, cell.pretraining, cell.backbone).parent.name}`, or leave the source out of the "
            "grid.",
        )
        for cell in cells
        if cell.pretraining != NONE
        and cell.pretraining not in study.corpora
        and weights_file(study, cell.pretraining, cell.backbone) is None
    ]


def _published_at(study: StudySpec, source: str) -> str:
    where = describe(study, source).where
    return f" (published as {where})" if where else ""
