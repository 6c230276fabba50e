"""Rows of paths and boxes -> rows of scores: the shape in which other programs ask a bundle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cohorts.marking import Corners
from trainables.bundles.bundle import Bundle
from trainables.bundles.reading import File, Radiographs
from trainables.bundles.scoring import fastest_device

Row = dict[str, Any]
CORNERS = ("x0", "y0", "x1", "y1")


def answer_rows(bundle: Bundle, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """For each row its path, score, logit, positive or negative by each rule, and why there is none in `error`.

    Rows with the same path are boxes of one radiograph and get its score, the highest of them. A number that there is
    not is NaN, a decision that there is not an empty text.
    """
    boxes: dict[str, list[Corners]] = {}
    for row in rows:
        boxes.setdefault(str(row["path"]), []).extend(_box(row))
    files = [File(name, Path(name), tuple(marked)) for name, marked in boxes.items()]
    read = Radiographs.read(files, bundle.size, needs_boxes=bundle.needs_boxes)
    scores = bundle.predict(read, device=fastest_device())
    rules = [limit.rule for limit in bundle.limits]
    found = {row["file"]: row for row in scores.images.iter_rows(named=True)}
    return [_answer(str(row["path"]), found.get(str(row["path"])), rules, scores.failed) for row in rows]


def _box(row: Mapping[str, Any]) -> list[Corners]:
    corners = [row.get(name) for name in CORNERS]
    values = [float(value) for value in corners if value is not None and not math.isnan(value)]
    return [(values[0], values[1], values[2], values[3])] if len(values) == len(CORNERS) else []


def _answer(path: str, found: Mapping[str, Any] | None, rules: Sequence[str], failed: Mapping[str, str]) -> Row:
    if found is None:
        numbers = {"path": path, "score": math.nan, "logit": math.nan}
        return {**numbers, **dict.fromkeys(rules, ""), "error": failed[path]}
    logit = math.nan if found["logit"] is None else found["logit"]
    called = {rule: "positive" if found[rule] else "negative" for rule in rules}
    return {"path": path, "score": found["score"], "logit": logit, **called, "error": ""}
