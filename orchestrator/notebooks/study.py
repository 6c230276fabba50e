"""A study as it stands in a run store: cells, jobs, and the way to its results."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from orchestrator.lock import read_lock
from orchestrator.notebooks.results import Results
from orchestrator.plan import Plan
from orchestrator.reporting.results import cells
from search_spaces.errors import StudyError

_JOBS = {
    **dict.fromkeys(("key", "kind", "purpose", "name", "arm", "cell", "center"), pl.String()),
    **dict.fromkeys(("fold", "seed", "trial", "epochs"), pl.Int64()),
    "state": pl.String(),
}


def load_study(study: str | Path, store: str | Path = "runs") -> Study:
    """A study as it stands in a run store now; raises StudyError for a faulty file and for centers never ingested.

    Folders in the study file are relative to where Python was started, so start it where you sweep.
    """
    from orchestrator.arguments import planned

    made = planned(Path(study), Path(store))
    if made.not_ingested:
        raise StudyError(
            f"{study}: {', '.join(made.not_ingested)} not ingested in {store}; sweep first, name another store=, or "
            "start Python in the folder where you sweep: `data:` of the study file is relative to it."
        )
    return Study(made)


@dataclass(frozen=True, repr=False)
class Study:
    """A study file and what the run store holds of it, as of the moment when it was loaded."""

    made: Plan

    @property
    def name(self) -> str:
        """As the study file calls it."""
        return self.made.workspace.study.name

    @property
    def is_open(self) -> bool:
        """Whether results of external centers may be seen; until then no frame holds any."""
        return self.made.external_open

    @cached_property
    def cells(self) -> pl.DataFrame:
        """One row per cell: arm, task, backbone, pretraining, init, replicates planned and finished, exploratory."""
        finished = [self.made.jobs[key].cell for key in self.made.finished if self.made.jobs[key].kind == "fit"]
        counts = (
            pl.DataFrame({"cell": finished}, schema={"cell": pl.String})
            .group_by("cell")
            .agg(pl.len().cast(pl.Int64).alias("replicates_finished"))
        )
        known = cells(self.made, read_lock(self.made.workspace))
        return known.join(counts, on="cell", how="left", maintain_order="left").with_columns(
            pl.col("replicates_finished").fill_null(0)
        )

    def plan(self) -> pl.DataFrame:
        """One row per job: key, kind, purpose, name, arm, cell, center, fold, seed, trial, epochs, and its state.

        `state`: finished, failed (for good) or open.
        """
        rows = [
            [getattr(job, name) for name in list(_JOBS)[:-1]] + [self._state(job.key)]
            for job in self.made.jobs.values()
        ]
        return pl.DataFrame(rows, schema=_JOBS, orient="row")

    def results(self) -> Results:
        """What was found so far, as frames; each is computed when it is first asked for."""
        return Results(self.made, read_lock(self.made.workspace))

    def __repr__(self) -> str:
        seal = "external centers open" if self.is_open else "external centers sealed"
        done = f"{len(self.made.finished)} of {len(self.made.jobs)} jobs finished"
        return f"Study {self.name!r}: {len(self.made.expansion.cells)} cells, {done}, {seal}"

    def _state(self, key: str) -> str:
        return "finished" if key in self.made.finished else "failed" if key in self.made.failed else "open"
