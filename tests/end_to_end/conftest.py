"""One sweep of the tiny study, shared by all tests of the whole way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

TINY = Path(__file__).with_name("tiny.yaml")


@dataclass(frozen=True)
class Place:
    """A folder to run commands in, with the tiny study in it."""

    folder: Path

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command as a user would; output and errors together."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("osteogrid")), *arguments],
            cwd=self.folder,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "160", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=540,
            check=False,
        )

    @property
    def store(self) -> Path:
        """The run store of the tiny study."""
        return self.folder / "runs" / "tiny"

    def finished(self) -> dict[str, int]:
        """Published jobs and when their records were written."""
        return {path.stem: path.stat().st_mtime_ns for path in (self.store / "finished").glob("*.json")}


def new_place(folder: Path) -> Place:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(TINY, folder / "tiny.yaml")
    return Place(folder)


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The tiny study after one sweep."""
    place = new_place(tmp_path_factory.mktemp("whole-way"))
    done = place.run("sweep", "tiny.yaml")
    assert done.returncode == 0, done.stdout
    return place
