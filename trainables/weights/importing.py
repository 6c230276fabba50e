"""Brings one file of unknown origin into the form that jobs read: `python -m trainables.weights.importing`.

Reads {path, tensors, draft, prefix, candidates} as JSON from standard input: `tensors` is where another process leaves
what it read from `path`, `draft` is where the backbone's tensors go under the backbone's own names, `candidates` are
[task, backbone] pairs. Answers {error} or the facts of `Imported`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import load_file

from infra.environment import quiet_environment
from search_spaces.errors import StudyError
from trainables.weights.fitting import Candidate, convert, fitting
from trainables.weights.loading import Tensors, write_weights
from trainables.weights.reader import read_apart


@dataclass(frozen=True)
class Imported:
    """What became of a file."""

    task: str
    backbone: str
    layout: str
    tensors: int
    """In the file that was written."""
    share: float
    """Of the backbone's tensors that the file held."""
    dropped: tuple[str, ...]
    """Tensors of the file that have no place in the backbone, such as a head, in the backbone's way of naming."""


def import_file(path: Path, tensors: Path, draft: Path, candidates: list[Candidate], prefix: str = "") -> Imported:
    """Read a file apart, find its backbone among the candidates, try it there and write the draft; or StudyError."""
    read_apart(path, tensors)
    content = part_under(load_file(tensors), prefix, path)
    task, backbone = fitting(content, path, candidates)
    kept, layout, loaded = convert(content, path, task, backbone)
    write_weights(draft, kept)
    dropped = tuple(name for name in loaded.left_over if name not in kept)
    return Imported(task, backbone, layout, len(kept), loaded.share, dropped)


def part_under(content: Tensors, prefix: str, path: Path) -> Tensors:
    """Those tensors whose names start with a prefix, without it; StudyError if there are none. All for no prefix."""
    if not prefix:
        return content
    dotted = prefix.removesuffix(".") + "."
    inside = {name.removeprefix(dotted): tensor for name, tensor in content.items() if name.startswith(dotted)}
    if not inside:
        first = next(iter(content))
        raise StudyError(f"{path}: --prefix {prefix}: no tensor's name starts so; the first one is {first!r}.")
    return inside


def _answer(asked: dict[str, object]) -> dict[str, object]:
    candidates = [(str(task), str(backbone)) for task, backbone in asked["candidates"]]  # type: ignore[attr-defined]
    paths = [Path(str(asked[name])) for name in ("path", "tensors", "draft")]
    try:
        return asdict(import_file(paths[0], paths[1], paths[2], candidates, str(asked["prefix"])))
    except StudyError as error:
        return {"error": str(error)}


if __name__ == "__main__":
    quiet_environment()
    json.dump(_answer(json.load(sys.stdin)), sys.stdout)
