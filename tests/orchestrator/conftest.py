"""Folders for Ray, whose socket paths may have 107 bytes at most."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="og-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
