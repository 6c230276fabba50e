"""The run store on a folder: the only truth about what is finished."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search_spaces.errors import StudyError


def create_if_absent(path: Path, content: bytes) -> bool:
    """Create a whole file at once; False if somebody else was first. Safe on local disks and NFS (hard link)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(path, content)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def replace(path: Path, content: bytes) -> None:
    """Write a file so that readers see the old or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _draft(path, content).replace(path)


def to_json(value: Any) -> bytes:
    """The store's JSON: sorted, readable, one trailing newline."""
    return (json.dumps(value, indent=1, sort_keys=True, default=str) + "\n").encode()


def _draft(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


@dataclass(frozen=True)
class RunStore:
    """Folder of one study's jobs.

    jobs/<key>/attempts/<id>/ holds what an attempt wrote; finished/<key>.json, created once, names the attempt that
    counts and the checksums of its files; failed/<key>.json holds the newest failure of a job. What is settled once
    and read by all has a folder of its own: rungs/<key>/<epoch>.json is how a tuning trial stood at a rung,
    bars/<batch>/<epoch>.json which of its batch went on, proposals/<key>.json what a trial tries, selections/ what a
    cell chose, shared/ what jobs compute for each other.
    """

    root: Path

    def probe(self) -> None:
        """Raise StudyError if the store cannot be written or cannot create a file exclusively."""
        trial = self.root / f".probe-{secrets.token_hex(4)}"
        try:
            first, second = create_if_absent(trial, b"1"), create_if_absent(trial, b"2")
        except OSError as error:
            raise StudyError(
                f"{self.root}: the run store cannot be written ({error.strerror}); "
                "make the folder writable or name another with STORE=<folder>."
            ) from None
        trial.unlink()
        if not first or second:
            raise StudyError(
                f"{self.root}: this file system cannot create a file exclusively; use another STORE=<folder>."
            )

    def finished(self) -> dict[str, dict[str, Any]]:
        """Every published job: key -> its record (attempt, checksums, result)."""
        return self._records("finished")

    def failed(self) -> dict[str, dict[str, Any]]:
        """The newest failure of each job that ever failed: key -> record."""
        return self._records("failed")

    def finished_record(self, key: str) -> dict[str, Any] | None:
        """The record of one published job, None while there is none."""
        path = self.root / "finished" / f"{key}.json"
        return dict(json.loads(path.read_text())) if path.exists() else None

    def published(self, key: str) -> Path:
        """Folder of the attempt that counts; raises StudyError if the job is not finished."""
        record = self.finished_record(key)
        if record is None:
            raise StudyError(f"{self.root}: job {key} has no published result; run the sweep again.")
        return self.attempts(key) / str(record["attempt"])

    def once(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The record <name>.json: of the first that made one, and the same for all who ask later."""
        held = self.kept_once(name)
        if held is None:
            create_if_absent(self.root / f"{name}.json", to_json(make()))
            held = self.kept_once(name)
            assert held is not None, "a record that was just created"
        return held

    def kept_once(self, name: str) -> dict[str, Any] | None:
        """A record of `once`, None while nobody made it."""
        path = self.root / f"{name}.json"
        return dict(json.loads(path.read_text())) if path.exists() else None

    def record_rung(self, key: str, epoch: int, record: dict[str, Any]) -> dict[str, Any]:
        """Keep how a trial stood at a rung; the first record counts and is returned."""
        return self.once(f"rungs/{key}/{epoch:06d}", lambda: {"key": key, "epoch": epoch, **record})

    def rungs(self, key: str) -> dict[int, dict[str, Any]]:
        """How a trial stood at each rung that it came to: epoch -> record."""
        paths = sorted((self.root / "rungs" / key).glob("[0-9]*.json"))
        return {int(path.stem): json.loads(path.read_text()) for path in paths}

    def attempts(self, key: str) -> Path:
        """Folder of all attempts of a job."""
        return self.root / "jobs" / key / "attempts"

    def attempts_so_far(self, key: str) -> list[Path]:
        """The attempts at a job in the order of their start, finished or not."""
        return sorted(path for path in self.attempts(key).glob("*") if path.is_dir())

    def newest_attempt(self, key: str) -> Path | None:
        """The attempt that started last."""
        return next(reversed(self.attempts_so_far(key)), None)

    def start_attempt(self, job: dict[str, Any], context: dict[str, Any]) -> Path:
        """A fresh folder for one try at a job; its name sorts by start."""
        name = f"{time.time_ns():020d}-{secrets.token_hex(3)}"
        folder = self.attempts(job["key"]) / name
        folder.mkdir(parents=True)
        replace(folder / "job.json", to_json({"job": job, **context}))
        return folder

    def publish(self, key: str, attempt: Path, record: dict[str, Any]) -> bool:
        """Make an attempt the job's result; False if another attempt already is, and then this one is discarded."""
        checksums = {path.name: file_sha256(path) for path in sorted(attempt.glob("*")) if path.is_file()}
        body = {"key": key, "attempt": attempt.name, "checksums": checksums, **record}
        return create_if_absent(self.root / "finished" / f"{key}.json", to_json(body))

    def record_failure(self, key: str, record: dict[str, Any]) -> None:
        """Keep the newest failure of a job beside its attempts."""
        replace(self.root / "failed" / f"{key}.json", to_json({"key": key, **record}))

    def _records(self, kind: str) -> dict[str, dict[str, Any]]:
        return {path.stem: json.loads(path.read_text()) for path in (self.root / kind).glob("[!.]*.json")}


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
