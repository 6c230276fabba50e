"""A Run that keeps everything a job says, in memory and in its folder, so that jobs run without a cluster."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from trainables.task import Run, Stop

_SHARED: dict[str, dict[str, Any]] = {}


class FakeRun:
    """Implements trainables.task.Run; after the job, `folder` can serve another job as a need.

    `needs` maps keys to folders. With `stop_after=n` the n-th epoch's report raises Stop, as a pruned or killed job
    would see it; a new FakeRun on the same folder finds the checkpoints that were left.
    """

    def __init__(
        self,
        folder: Path,
        *,
        needs: Mapping[str, Path] | None = None,
        device: str = "cpu",
        threads: int = 1,
        stop_after: int | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.device = device
        self.threads = threads
        self.needs = dict(needs or {})
        self.stop_after = stop_after
        self.reports: list[tuple[int, dict[str, float]]] = []
        self.certificate: dict[str, Any] = {}
        self.tables: dict[str, pl.DataFrame] = {}
        self.result: dict[str, Any] = {}

    def report(self, epoch: int, metrics: dict[str, float]) -> None:
        self.reports.append((epoch, dict(metrics)))
        if self.stop_after is not None and epoch >= self.stop_after:
            raise Stop

    def save_checkpoint(self, epoch: int, write: Callable[[Path], None]) -> None:
        unfinished = self.folder / "checkpoint" / "unfinished"
        unfinished.mkdir(parents=True)
        write(unfinished)
        unfinished.rename(unfinished.with_name(f"{epoch:06d}"))
        for old in self._checkpoints()[:-2]:
            shutil.rmtree(old)

    def newest_checkpoint(self) -> Path | None:
        return next(reversed(self._checkpoints()), None)

    def certify(self, facts: dict[str, Any]) -> None:
        json.dumps(facts)  # the real certificate is a JSON file
        self.certificate.update(facts)

    def write_table(self, name: str, table: pl.DataFrame) -> None:
        self.tables[name] = table
        table.write_parquet(self.folder / f"{name}.parquet")

    def set_result(self, values: dict[str, Any]) -> None:
        self.result.update(values)
        (self.folder / "result.json").write_text(json.dumps(self.result), encoding="utf-8")

    def need(self, key: str) -> Path:
        return self.needs[key]

    def shared(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """As if all runs of the process had one run store."""
        if name not in _SHARED:
            _SHARED[name] = json.loads(json.dumps(make()))
        return _SHARED[name]

    def _checkpoints(self) -> list[Path]:
        return sorted((self.folder / "checkpoint").glob("[0-9]*"))


def _is_a_run(fake: FakeRun) -> Run:
    return fake  # mypy compares the fake with the protocol here
