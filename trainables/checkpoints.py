"""Where a job's training can go on from: the checkpoints of its attempts, and the journal up to there."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.store import replace
from trainables.task import Job

KEPT = 2


@dataclass(frozen=True)
class Checkpoints:
    """Of one attempt and of those before it."""

    job: Job
    folder: Path
    """The attempt's own."""
    earlier: Sequence[Path]

    def save(self, epoch: int, write: Callable[[Path], None]) -> None:
        """Let `write` fill a folder, publish it by renaming, keep the newest two."""
        final = self.folder / "checkpoint" / f"{epoch:06d}"
        draft = final.with_name(f".{final.name}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        write(draft)
        shutil.rmtree(final, ignore_errors=True)  # of this attempt, before it ran out of memory and began anew
        draft.rename(final)
        for old in sorted(final.parent.glob("[0-9]*"))[:-KEPT]:
            shutil.rmtree(old)

    def newest(self) -> Path | None:
        """The furthest that this attempt or an earlier one with the same settings came, this stage's end at most.

        The journal up to there is taken over.
        """
        alike = [attempt for attempt in (self.folder, *self.earlier) if self._is_alike(attempt)]
        found = [path for attempt in alike for path in (attempt / "checkpoint").glob("[0-9]*")]
        # A features job trains no epochs and has no end of a stage: its chunks are counted instead.
        end = self.job.get("until") or math.inf
        found = [path for path in found if int(path.name) <= end]
        if not found:
            return None
        newest = max(found, key=lambda path: path.name)
        source, own = newest.parent.parent / "journal", self.folder / "journal"
        for chunk in sorted(source.glob("[0-9]*.json")) if source != own else ():
            if chunk.stem <= newest.name:
                replace(own / chunk.name, chunk.read_bytes())
        return newest

    def remove(self) -> None:
        """Remove all of them, once the job is published (a kill before would cost the whole training) or refused."""
        for attempt in (*self.earlier, self.folder):
            shutil.rmtree(attempt / "checkpoint", ignore_errors=True)

    def remove_earlier(self) -> None:
        """Remove those of earlier attempts, if this one has its own of the epoch where its stage ends."""
        if (self.folder / "checkpoint" / f"{self.job['until']:06d}").exists():
            for attempt in self.earlier:
                shutil.rmtree(attempt / "checkpoint", ignore_errors=True)

    def _is_alike(self, attempt: Path) -> bool:
        """Whether an attempt trained with these hyperparameters; one that was cut off at its start has no record."""
        path = attempt / "job.json"
        return path.exists() and json.loads(path.read_text())["job"]["hyperparameters"] == self.job["hyperparameters"]
