"""Scores as a table on the terminal, as CSV files or as one JSON file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from infra.store import replace
from search_spaces.errors import StudyError

if TYPE_CHECKING:
    from rich.table import Table

    from trainables.bundles.bundle import Bundle
    from trainables.bundles.scoring import Scores


def check_output(path: Path) -> None:
    """Raise StudyError, before anything is computed, for a kind of file, or a place, that cannot be written."""
    if path.suffix not in (".csv", ".json"):
        raise StudyError(f"--output {path}: is written as .csv or .json; give it one of the two endings.")
    if path.is_dir():
        raise StudyError(f"--output {path}: is a folder; name a file.")
    check_folder("--output", path.parent)


def check_folder(option: str, folder: Path) -> None:
    """Make the folder that an option names; raises StudyError where none can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"cannot be made a folder ({error.strerror})"
        raise StudyError(f"{option}: {folder} {why}; name another place.") from None
    if not os.access(folder, os.W_OK):
        raise StudyError(f"{option}: {folder} cannot be written; name another place.")


def write_output(path: Path, bundle: Bundle, scores: Scores) -> list[Path]:
    """Write one JSON file, or CSV files: scores, and beside them `_regions` and `_boxes` where there are any."""
    if path.suffix == ".json":
        replace(path, (json.dumps(as_json(bundle, scores), indent=1) + "\n").encode())
        return [path]
    beside = {"_regions": scores.regions, "_boxes": scores.boxes}
    tables = {path: with_failed(scores)}
    tables |= {path.with_stem(path.stem + end): frame for end, frame in beside.items() if frame.height}
    for place, frame in tables.items():
        replace(place, frame.write_csv().encode())
    return list(tables)


def with_failed(scores: Scores) -> pl.DataFrame:
    """One row per file: scores and decisions, or in the last column the reason why there are none."""
    failed = pl.DataFrame(
        {"file": list(scores.failed), "error": list(scores.failed.values())},
        schema={"file": pl.String, "error": pl.String},
    )
    return pl.concat([scores.images, failed], how="diagonal")


def as_json(bundle: Bundle, scores: Scores) -> dict[str, Any]:
    """Everything: whose scores these are, by which thresholds, under which terms, and the rows."""
    return {
        "study": bundle.study,
        "cell": bundle.cell,
        "bundle": bundle.digest,
        "replicates": [each.name for each in bundle.replicates],
        "missing_replicates": list(bundle.missing),
        "thresholds": [
            {"rule": limit.rule, "source": limit.source, "scale": bundle.scale, "value": _plain(limit.value)}
            for limit in bundle.limits
        ],
        "sources": [vars(each) for each in bundle.terms],
        "commercial_use": bundle.commercial_use,
        "images": [_image(row, scores) for row in scores.images.iter_rows(named=True)],
        "failed": [{"file": name, "reason": reason} for name, reason in scores.failed.items()],
    }


def as_table(scores: Scores) -> Table:
    """For the terminal."""
    from rich.table import Table

    rules = scores.images.columns[3:]
    table = Table("file", "score", *rules)
    for row in scores.images.iter_rows(named=True):
        table.add_row(row["file"], f"{row['score']:.4f}", *(_called(row[rule]) for rule in rules))
    return table


def _image(row: dict[str, Any], scores: Scores) -> dict[str, Any]:
    name = row.pop("file")
    head = {"file": name, "score": row.pop("score"), "logit": row.pop("logit"), "decisions": row}
    parts = {"regions": scores.regions, "boxes": scores.boxes}
    return head | {
        part: frame.filter(pl.col("file") == name).drop("file").to_dicts()
        for part, frame in parts.items()
        if frame.height
    }


def _called(positive: bool | None) -> str:
    return "" if positive is None else "positive" if positive else "negative"


def _plain(value: float | None) -> float | str | None:
    return "inf" if value == float("inf") else value
