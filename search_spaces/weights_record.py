"""What is known of a weights file that `osteogrid weights add` brought in; lies beside it as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from search_spaces.errors import StudyError
from search_spaces.parts import CommercialUse, Part
from search_spaces.starting_points import MeanAndDeviation


class WeightsRecord(Part):
    """Where a file came from, what it may be used for, and what became of its tensors."""

    source: str
    backbone: str
    task: str
    sha256: str
    """Of the safetensors file beside the record."""
    origin: str
    """Name of the file that was brought, without its folder."""
    origin_sha256: str
    layout: str
    """How the file named its tensors, such as `radimagenet` or `timm`."""
    tensors: int
    dropped: tuple[str, ...] = ()
    """Tensors of the file that have no place in the backbone, such as a head."""
    modality: str = "unknown"
    anatomy: str = "unknown"
    license: str = "unknown"
    commercial_use: CommercialUse = "unknown"
    normalization: MeanAndDeviation | None = None
    """None: as the catalogue says of the source, or each image by itself."""
    added: str
    """Date and time, UTC."""


def record_path(weights: Path) -> Path:
    """Where the record of a weights file lies."""
    return weights.with_suffix(".json")


def read_record(weights: Path) -> WeightsRecord | None:
    """The record of a weights file, None for a file that somebody put there by hand; StudyError for a broken one."""
    path = record_path(weights)
    if not path.exists():
        return None
    try:
        return WeightsRecord.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise StudyError(
            f"{path}: is no record of a weights file ({reason}); remove it and add the file again with "
            "`osteogrid weights add`."
        ) from None
