"""One radiograph as every reader returns it: gray values over the full 16-bit range, and what was done to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, np.dtype[np.uint16]]

FULL = 65535
"""The largest stored gray value."""

DECODING = 1
"""Counts changes of the way from file to stored pixels; part of the fingerprint of images."""

MAX_VALUES = 200_000_000
"""Rows x columns x frames x samples that an image may hold: guards against decompression bombs."""


@dataclass(frozen=True)
class Radiograph:
    """A decoded radiograph at the size of its file.

    `values`: uint16, shape (height, width), bone bright. `window` says how gray values came about and why;
    `spacing_mm` is the pixel pitch of the file, from the tag `spacing_source`. Nothing else of a header leaves it.
    """

    values: Pixels
    window: str
    transfer_syntax: str
    inverted: bool = False
    spacing_mm: float | None = None
    spacing_source: str = "none"
    view: str | None = None
    age: float | None = None
    sex: str | None = None


class UnreadableError(ValueError):
    """An image that goes to quarantine: a category to count by and a detail without patient data."""

    def __init__(self, category: str, detail: str) -> None:
        super().__init__(f"{category}: {detail}")
        self.category = category
