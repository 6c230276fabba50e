"""What holds for every test."""

from __future__ import annotations

import gc

from hypothesis import settings

# The same examples in every run: what fails here fails for everyone, and a change is not blamed for luck.
settings.register_profile("fixed", derandomize=True)
settings.load_profile("fixed")


def pytest_collection_finish() -> None:
    """Spare what is imported every garbage collection: a pass over it takes a third of a second."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Leave as the interpreter expects it."""
    gc.unfreeze()
