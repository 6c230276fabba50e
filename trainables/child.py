"""Runs one job in a fresh process forked from a warm server, and relays what it says."""

from __future__ import annotations

import multiprocessing as mp
import sys
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from infra.store import RunStore
from trainables.attempt import work
from trainables.limits import Watch, record_excess

Message = dict[str, Any]
_CONTEXT = mp.get_context("forkserver")


def run_in_child(payload: dict[str, Any]) -> Iterator[Message]:
    """Yield what the job reports; the last message has `state` finished, paused, stopped, failed or lost.

    A fresh process per job gives clean library state, memory that returns to the system, and a job that can be killed
    without its worker. Lost means that the process ended without a word (a signal, or memory ran out). A job that goes
    over a limit of its arm is ended, and the failure recorded here, since it can no longer do so itself.
    """
    _CONTEXT.set_forkserver_preload(payload["preload"])  # read once, when the server starts with the first job
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=work, args=(payload, sender), daemon=True)
    watch, began, has_ended = Watch.of(payload), time.monotonic(), False
    with _no_main_module():
        process.start()
    sender.close()
    try:
        assert process.pid is not None, "a process that was started"
        with watch.over(process.pid):
            for message in _messages(receiver):
                has_ended = message["state"] != "running"
                yield message
            process.join()
    finally:
        if process.is_alive():
            process.kill()
            process.join()
        exitcode = process.exitcode
        process.close()
    if has_ended:
        return  # a process that is ended after its last word has lost nothing
    if watch.excess is not None:
        record_excess(RunStore(Path(payload["store"])), payload["job"], watch.excess, time.monotonic() - began)
        yield {"state": "failed", "error": watch.excess.sentence, "deterministic": False}
    elif exitcode:
        yield {"state": "lost", "error": f"the job's process ended with code {exitcode}"}


def _messages(receiver: Connection) -> Iterator[Message]:
    while True:
        try:
            yield receiver.recv()
        except EOFError:
            return


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Hide the worker's main module while a child starts: the child would import it again, half a second per job."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
