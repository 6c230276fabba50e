"""What stands beside a published detector: all that is needed to build it, to feed it and to read its scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from trainables.detection.scores import Score, score_named

DESCRIPTION = "model.json"
CODE_LICENSE = "AGPL-3.0"
"""Of Ultralytics' code, which every detector here is built from; its weights' licenses are their sources'."""


@dataclass(frozen=True)
class DetectorCard:
    """A detector's model.json."""

    architecture: Mapping[str, Any]
    """Ultralytics' model file, scaled."""
    names: tuple[str, ...]
    """Of the classes, in the order of the head's outputs."""
    image_size: int
    """Side of the square input in pixels."""
    score: Score
    """How the boxes of an image become its score."""
    code_license: str = CODE_LICENSE

    def write(self, folder: Path) -> None:
        """Leave model.json."""
        (folder / DESCRIPTION).write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The card of a published model."""
        values = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        return cls(**{**values, "names": tuple(values["names"]), "score": score_named(values["score"])})
