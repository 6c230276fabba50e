"""Phantom folders on disk: written beside their place, renamed when complete, never over anything else."""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol, TypeVar

from search_spaces.errors import StudyError

Item = TypeVar("Item")
Result = TypeVar("Result")
Stamp = dict[str, Any]
"""What a folder holds: version, kind, place and spec; equal stamps mean equal pixels."""

VERSION = 1
"""Of the pictures: raise it when the same spec would give other pixels."""

STAMP = "phantom.json"
BOX_COLUMNS = ("file", "x", "y", "width", "height")
WORTH_SHARING = 8_000_000
"""Pixels that take longer to draw than processes take to start."""

_SECONDS_PER_DAY = 86_400


class Mapper(Protocol):
    """Applies a function to items, in order, in one or several processes."""

    def __call__(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterable[Result]:
        """The results, in the order of the items."""


@contextmanager
def processes(workers: int, pixels: int) -> Iterator[Mapper]:
    """A mapper over `workers` processes, or this one if there are few pixels to draw."""
    if workers <= 1 or pixels < WORTH_SHARING:
        yield lambda function, items: map(function, items)
        return
    # Spawned, because the caller may already run threads that a fork would freeze.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        yield partial(executor.map, chunksize=4)


def is_finished(folder: Path, stamp: Stamp) -> bool:
    """Whether the folder already holds this phantom; raises StudyError if it holds anything else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    try:
        found = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise StudyError(
            f"{folder}: holds files that are not a phantom's (no readable {STAMP}), and they are never overwritten; "
            "remove `phantom` from the study to use them, or point `data` to another folder."
        ) from None
    if found != json.loads(json.dumps(stamp)):
        raise StudyError(
            f"{folder}: holds a phantom of another spec ({_difference(found, stamp)}); "
            "remove the folder to have it written anew, or point `data` to another folder."
        )
    return True


def publish(folder: Path, stamp: Stamp, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a hidden sibling folder and rename it to `folder` once it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=".part", dir=folder.parent))
    try:
        fill(part)
        (part / STAMP).write_text(json.dumps(stamp, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        part.chmod(0o755)
        os.replace(part, folder)  # noqa: PTH105 - Path.replace would hide that a folder is meant
    except OSError:
        # Somebody else may have finished the same folder meanwhile; theirs is as good.
        if not is_finished(folder, stamp):
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table as UTF-8 text with a header line."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _sweep(folder: Path) -> None:
    """Remove what runs that were killed more than a day ago left behind."""
    for part in folder.parent.glob(f".{folder.name}-*.part"):
        if time.time() - part.stat().st_mtime > _SECONDS_PER_DAY:
            shutil.rmtree(part, ignore_errors=True)


def _difference(found: Any, stamp: Stamp) -> str:
    if not isinstance(found, dict):
        return f"{STAMP} is no mapping"
    old, new = {**found, **(found.get("spec") or {})}, {**stamp, **stamp["spec"]}
    names = [name for name in sorted({*old, *new} - {"spec"}) if old.get(name) != new.get(name)]
    return ", ".join(f"{name} {old.get(name)!r}, the study says {new.get(name)!r}" for name in names)
