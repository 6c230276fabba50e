"""Random numbers that follow from the job alone, so that a training does not depend on its interruptions."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import torch


def random_numbers(*parts: int | str) -> np.random.Generator:
    """A generator for the job's numbers, a purpose and, say, an epoch."""
    return np.random.default_rng(_number(parts))


def seed_torch(*parts: int | str) -> None:
    """Seed torch on all devices likewise."""
    torch.manual_seed(_number(parts))


def be_deterministic(threads: int) -> None:
    """Use so many threads, and algorithms that give the same bits each time wherever torch has one."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # slow debugging aid
    torch.backends.cudnn.benchmark = False


def _number(parts: tuple[int | str, ...]) -> int:
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
