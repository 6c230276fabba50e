"""Who may work: numbered leases, created if absent, with a heartbeat."""

from __future__ import annotations

import _thread
import json
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from infra.store import create_if_absent, replace, to_json
from search_spaces.errors import StudyError

HEARTBEAT_SECONDS = 5.0
STALE_SECONDS = 60.0


@dataclass
class Lease:
    """The right to run a study, held by one driver at a time.

    Lease number n is the file <folder>/<n>.json. Taking the lease means creating the next number, which only one can
    do; the number is the fencing number. A holder that died (its process is gone, or it had no heartbeat for a
    minute) is succeeded.
    """

    folder: Path
    number: int = 0
    since: str = field(default_factory=lambda: time.strftime("%Y-%m-%d %H:%M:%S"))
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    _beat: threading.Thread | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        newest = newest_number(self.folder)
        if newest and _is_held(holder := self._read(newest)):
            raise StudyError(
                f"{self.folder.parent}: this study is being run by process {holder['pid']} on {holder['host']} since "
                f"{holder['since']}; wait for it, watch it with `make status`, or end it first."
            )
        if not create_if_absent(self._path(newest + 1), to_json(self._body())):
            raise StudyError(f"{self.folder.parent}: another sweep of this study started at this moment; wait for it.")
        self.number = newest + 1
        self._beat = threading.Thread(target=self._keep_alive, name="lease", daemon=True)
        self._beat.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._beat is not None:
            self._beat.join()
        replace(self._path(self.number), to_json({**self._body(), "released": True}))

    def _keep_alive(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            if newest_number(self.folder) > self.number:
                _thread.interrupt_main()  # somebody took us for dead and went on: two drivers would be worse than none
                return
            with suppress(OSError):  # a hiccup of the file system; the next beat is due in seconds
                replace(self._path(self.number), to_json(self._body()))

    def _body(self) -> dict[str, Any]:
        return {"pid": os.getpid(), "host": socket.gethostname(), "heartbeat": time.time(), "since": self.since}

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"

    def _read(self, number: int) -> dict[str, Any]:
        return dict(json.loads(self._path(number).read_text()))


def newest_number(folder: Path) -> int:
    """The highest number ever taken, 0 for none."""
    return max((int(path.stem) for path in folder.glob("[0-9]*.json")), default=0)


def holder_of(folder: Path) -> dict[str, Any] | None:
    """Who holds the lease now, None if nobody does."""
    newest = newest_number(folder)
    if not newest:
        return None
    body = dict(json.loads((folder / f"{newest:06d}.json").read_text()))
    return body if _is_held(body) else None


def was_released(folder: Path) -> bool:
    """Whether the last holder gave the lease back; a driver that was killed did not."""
    newest = newest_number(folder)
    return bool(newest) and bool(json.loads((folder / f"{newest:06d}.json").read_text()).get("released"))


def claim(folder: Path, owner: str) -> int:
    """Take the next number of a job's claim; every earlier worker of that job is stale from now on."""
    while True:
        number = newest_number(folder) + 1
        if create_if_absent(folder / f"{number:06d}.json", to_json({"owner": owner, "time": time.time()})):
            return number


def _is_held(body: dict[str, Any]) -> bool:
    if body.get("released"):
        return False
    if body["host"] == socket.gethostname():
        return _is_alive(int(body["pid"]))
    return time.time() - float(body["heartbeat"]) <= STALE_SECONDS


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
