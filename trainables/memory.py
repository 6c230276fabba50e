"""Out of memory on a GPU: the same batch in smaller parts, instead of a lost job."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import torch

if TYPE_CHECKING:
    from trainables.task import Run

T = TypeVar("T")

PARTS = (1, 2, 4)
"""In how many parts a batch is computed, one after the other: twice halved, then it is given up."""


def with_smaller_parts(run: Run, train: Callable[[int], T]) -> T:
    """Call `train` with a number of parts, doubled when the device's memory is exhausted; certifies when that was.

    `train` gathers gradients over the parts, so that a step means the same, and goes on from the newest checkpoint.
    Raises torch.OutOfMemoryError if the smallest parts do not fit either.
    """
    exhausted: list[dict[str, Any]] = []
    for parts in PARTS[:-1]:
        try:
            return train(parts)
        except torch.OutOfMemoryError as error:
            exhausted.append({"parts": parts, "error": str(error).splitlines()[0]})
        # Not within `except`: until there the traceback keeps the tensors of the failed step alive.
        free()
        run.certify({"out_of_memory": exhausted})
    return train(PARTS[-1])


def free() -> None:
    """Give back what a failed step held on the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
