"""Runs one job in a fresh process forked from a warm server, and relays what it says."""

from __future__ import annotations

import multiprocessing as mp
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from trainables.attempt import work

Message = dict[str, Any]
_CONTEXT = mp.get_context("forkserver")


def run_in_child(payload: dict[str, Any]) -> Iterator[Message]:
    """Yield what the job reports; the last message has `state` finished, failed, or lost.

    A fresh process per job gives clean library state, memory that returns to the system, and a job that can be killed
    without its worker. Lost means that the process ended without a word (a signal, or memory ran out).
    """
    _CONTEXT.set_forkserver_preload(payload["preload"])  # read once, when the server starts with the first job
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=work, args=(payload, sender), daemon=True)
    with _no_main_module():
        process.start()
    sender.close()
    try:
        yield from _messages(receiver)
        process.join()
    finally:
        if process.is_alive():
            process.kill()
            process.join()
        exitcode = process.exitcode
        process.close()
    if exitcode:
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
