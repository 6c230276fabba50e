"""What every task family can do, and what it may ask of the outside world while it works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import polars as pl

    from trainables.data import JobData

Job = dict[str, Any]
"""One job as plain data, the shape that crosses into Ray; see search_spaces/job.py."""


class Stop(Exception):  # noqa: N818 - a request to end, not an error
    """Raised by `Run.report` when the job shall end now; let it pass through."""


class Run(Protocol):
    """The job's only way to the outside: progress, checkpoints, results."""

    folder: Path
    """The attempt's own folder; model files go here."""
    device: str
    """`cpu` or `cuda:0`."""
    threads: int

    def report(self, epoch: int, metrics: dict[str, float]) -> None:
        """Write one finished epoch (counted from 1) to the journal; raises Stop."""

    def save_checkpoint(self, epoch: int, write: Callable[[Path], None]) -> None:
        """Let `write` fill a folder, then publish it; the newest two are kept."""

    def newest_checkpoint(self) -> Path | None:
        """The folder an earlier attempt of this job left, to go on from."""

    def certify(self, facts: dict[str, Any]) -> None:
        """Add facts, read back from live objects, to certificate.json."""

    def write_table(self, name: str, table: pl.DataFrame) -> None:
        """Publish a table of the result, such as `predictions`."""

    def set_result(self, values: dict[str, Any]) -> None:
        """Small values of the result: best metric and epoch, chosen settings."""

    def need(self, key: str) -> Path:
        """The folder of a published job that this one needs."""

    def shared(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What the first job that asked for this name made: plain values, the same for all jobs of the run store."""


class Task(Protocol):
    """One task family; heavy libraries are imported inside the methods."""

    def features(self, job: Job, data: JobData, run: Run) -> None:
        """Compute what several jobs share, once."""

    def pretrain(self, job: Job, data: JobData, run: Run) -> None:
        """Train a backbone on a corpus and leave `model.safetensors`."""

    def fit(self, job: Job, data: JobData, run: Run) -> None:
        """Train one replicate (or one tuning trial); sets `value`, `epoch` and leaves the model."""

    def predict(self, job: Job, data: JobData, run: Run) -> None:
        """Score every image of the data with a fitted replicate, for each variant of the job; writes `predictions`."""

    def explain(self, job: Job, data: JobData, run: Run) -> None:
        """Map what a fitted replicate's score of each image rests on; writes `saliency`."""
