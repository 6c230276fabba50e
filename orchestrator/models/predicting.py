"""Radiographs that a user names -> scores, decisions, boxes and overlays, by a cell of a study or by a bundle."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from orchestrator.models.bundling import best_cell, bundle_of, named_cell
from orchestrator.plan import Plan
from search_spaces.errors import StudyError

if TYPE_CHECKING:
    from trainables.bundles.bundle import Bundle
    from trainables.bundles.reading import File, Radiographs
    from trainables.bundles.scoring import Scores

Say = Callable[[str], None]
Corners = tuple[float, float, float, float]

AT_ONCE = 256
"""Files whose pixels are in memory together."""


@dataclass(frozen=True)
class Question:
    """What a user asked for."""

    files: tuple[Path, ...]
    boxes: Path | None = None
    single: bool = False
    overlays: Path | None = None


def bundle_of_study(plan: Plan, cell: str, say: Say) -> Bundle:
    """The bundle of a named cell, or of the best on the reserve, with what must be known about it said."""
    chosen = named_cell(plan, cell) if cell else best_cell(plan)
    if not cell:
        say(f"Cell {chosen.id}: the best of the study by the AUC on the reserve.")
    found = bundle_of(plan, chosen)
    if not plan.external_open:
        say("The external centers are still sealed: this cell has not been tested outside its development centers.")
    return found


def introduce(bundle: Bundle, say: Say) -> None:
    """Say which models answer, how they decide, and what they may be used for."""
    used = ", ".join(each.name for each in bundle.replicates)
    of = f" of {len(bundle.replicates) + len(bundle.missing)}" if bundle.missing else ""
    say(f"{bundle.study}, {bundle.cell}: {len(bundle.replicates)}{of} replicates ({used}).")
    if bundle.missing:
        say(f"Not used, because not finished: {', '.join(bundle.missing)}. Scores will change once they are.")
    if bundle.exploratory:
        say("This cell is exploratory: it was added or changed after the plan was locked.")
    if not bundle.limits:
        say("No thresholds: neither the reserve nor a fold has enough cases of both classes. Scores only.")
    elif any(limit.value is None for limit in bundle.limits):
        say("The reserve is small: each replicate decides by the threshold of its own fold, and the majority counts.")
    else:
        say("Thresholds were chosen on the reserve of the development centers; external centers play no part in them.")
    for each in bundle.terms:
        use = f"commercial use: {each.commercial_use}"
        say(f"Starts from {each.name} ({each.trained_on}), license: {each.license}; {use}.")
    say("For research only: this is not a medical device. osteogrid is under the AGPL-3.0-or-later license.")


def answer(bundle: Bundle, question: Question, say: Say) -> Scores:
    """Scores of all files in the order they were given; raises StudyError for what stops everything."""
    files = given_files(question)
    if bundle.needs_boxes and question.boxes is None:
        raise StudyError(
            f"Cell {bundle.cell} scores boxes, so name them with --boxes boxes.csv (columns file, x, y, width, height "
            "in pixels of the file, as in a center's boxes.csv)."
        )
    if question.boxes is not None and not bundle.needs_boxes:
        say(f"{question.boxes}: cell {bundle.cell} reads whole radiographs, its boxes are only drawn on overlays.")
    used = bundle.alone() if question.single else bundle
    if question.single:
        say(f"Only {used.best.name}, the best replicate on the reserve (AUC {used.best.reserve_auc:.3f}).")
    device = _device()
    parts = list(_chunks(used, files, question.overlays, device, say))
    return _joined(parts, [file.name for file in files])


def given_files(question: Question) -> list[File]:
    """One entry per radiograph: files as they are, folders with all images in them, each with its boxes."""
    from trainables.bundles.reading import File

    named = list(dict.fromkeys(_named(question.files)))
    marked = {} if question.boxes is None else _boxes_of(question.boxes, named)
    # A file that is given by its folder and by its name is one file.
    return [File(str(path), path, tuple(marked.get(path, ()))) for path in dict.fromkeys(path for path, _ in named)]


def _named(given: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Path, and the name by which a boxes.csv may call it: inside its folder, or as it was given."""
    from cohorts.sources.listing import image_files

    for path in given:
        if path.is_dir():
            inside = image_files(path)
            if not inside:
                raise StudyError(f"{path}: holds no DICOM, PNG or JPEG image; name files, or another folder.")
            yield from ((path / name, name) for name in inside)
        else:
            yield path, str(path)


def _boxes_of(table: Path, named: Sequence[tuple[Path, str]]) -> dict[Path, list[Corners]]:
    """Boxes by path; a row names its file as seen from the folder of the table, or as it was given."""
    from cohorts.sources.folder import read_boxes

    if not table.is_file():
        raise StudyError(f"{table}: there is no such file; name a boxes.csv with --boxes.")
    by_place = {path.resolve(): path for path, _ in named}
    by_name: dict[str, list[Path]] = {}
    for path, name in named:
        by_name.setdefault(name, []).append(path)
    found: dict[Path, list[Corners]] = {}
    for row in read_boxes(table).iter_rows(named=True):
        seen = by_place.get((table.parent / row["file"]).resolve())
        called = by_name.get(row["file"], []) if seen is None else [seen]
        if len(called) > 1:
            raise StudyError(
                f"{table}, line {row['row']}: `file` is {row['file']!r}, which {len(called)} of the given folders "
                "have; predict them one after another."
            )
        for path in called:
            corners = row["x"], row["y"], row["x"] + row["width"], row["y"] + row["height"]
            found.setdefault(path, []).append(corners)
    return found


def _chunks(bundle: Bundle, files: Sequence[File], overlays: Path | None, device: str, say: Say) -> Iterator[Scores]:
    from trainables.bundles.reading import Radiographs
    from trainables.bundles.scoring import in_chunks

    cores = os.cpu_count() or 1
    drawn = _Drawer(overlays, device, say) if overlays is not None else None
    for part in in_chunks(len(files), AT_ONCE):
        read = Radiographs.read(files[part], bundle.size, needs_boxes=bundle.needs_boxes, workers=cores)
        scores = bundle.predict(read, device=device, threads=cores)
        if drawn is not None:
            drawn.draw(bundle, read, scores)
        yield scores


@dataclass
class _Drawer:
    """Writes one PNG per radiograph into a folder; what is there already is written over."""

    folder: Path
    device: str
    say: Say
    said: str = ""
    written: set[str] = field(default_factory=set)

    def draw(self, bundle: Bundle, read: Radiographs, scores: Scores) -> None:
        """Pictures of one chunk."""
        import cv2

        from trainables.bundles.overlays import Overlays

        found = Overlays.of(bundle, read, self.device)
        if found.reason and not self.said:
            self.said = found.reason
            self.say(f"Overlays without heat map: {found.reason}.")
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, picture in found.draw(bundle, read, scores):
            path = self.folder / overlay_name(name, self.written)
            path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())


def overlay_name(name: str, taken: set[str]) -> str:
    """A file's path as one name that is not taken: `films/knee.dcm` becomes films_knee.dcm.png; it is taken then."""
    stem = "_".join(part for part in Path(name).parts if part not in ("/", "..", "."))
    numbered = (f"{stem}-{number}.png" for number in itertools.count(2))
    free = next(each for each in itertools.chain([f"{stem}.png"], numbered) if each not in taken)
    taken.add(free)
    return free


def _joined(parts: Sequence[Scores], order: Sequence[str]) -> Scores:
    from trainables.bundles.scoring import Scores

    images = pl.concat([part.images for part in parts])
    places = pl.DataFrame({"file": list(order)}).with_row_index("place")
    return Scores(
        images=images.join(places, on="file").sort("place").drop("place"),
        regions=pl.concat([part.regions for part in parts]),
        boxes=pl.concat([part.boxes for part in parts]),
        failed={name: part.failed[name] for name in order for part in parts if name in part.failed},
    )


def _device() -> str:
    from trainables.bundles.scoring import fastest_device

    return fastest_device()
