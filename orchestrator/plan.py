"""Jobs wanted minus jobs finished, and what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from infra.environment import code_version
from orchestrator.intake import Cohort
from orchestrator.lock import Lock, read_lock
from orchestrator.resources import Capacity, shape_of
from orchestrator.schedule import Schedule, close_over_needs
from orchestrator.selection import Selection
from orchestrator.tuning.halving import Halving
from orchestrator.workspace import Workspace
from search_spaces.errors import StudyError
from search_spaces.grid import Expansion, expand
from search_spaces.job import Job
from search_spaces.jobs import jobs_of
from search_spaces.study import StudySpec

Records = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Plan:
    """Everything a sweep will do, known before it starts."""

    workspace: Workspace
    cohort: Cohort
    expansion: Expansion
    jobs: Mapping[str, Job]
    """All jobs of the study, by key."""
    selected: Mapping[str, Job]
    """Those of this run: ONLY, ARM and what they need."""
    finished: Records
    """Published jobs of this plan: key -> record."""
    failed: Records
    """Jobs of this plan that failed for good: key -> record."""

    @property
    def not_ingested(self) -> list[str]:
        """Centers and corpora whose content is not known yet."""
        study = self.workspace.study
        wanted = [*study.cohort.centers, *study.used_corpora]
        return [name for name in wanted if name not in self.cohort.fingerprints]

    def schedule(self, capacity: Capacity, lock: Lock | None) -> Schedule:
        """The selected jobs as a schedule for this machine or cluster."""
        locked = [] if lock is None else lock.keys(self.jobs.values())
        whole = self.whole_schedule(lock)
        settled = [key for key in locked if key not in self.selected and whole.is_settled(key)]
        return self._schedule(self.selected, capacity, locked, settled)

    def whole_schedule(self, lock: Lock | None) -> Schedule:
        """All jobs of the study, whatever this run is restricted to."""
        locked = [] if lock is None else lock.keys(self.jobs.values())
        return self._schedule(self.jobs, Capacity(1), locked, [])

    def _schedule(self, jobs: Mapping[str, Job], capacity: Capacity, locked: list[str], settled: list[str]) -> Schedule:
        study = self.workspace.study
        return Schedule(
            jobs=jobs,
            shapes={key: shape_of(study, job, capacity) for key, job in jobs.items()},
            capacity=capacity,
            finished=set(self.finished),
            failed={key: f"{record['error']} (failed before, nothing changed)" for key, record in self.failed.items()},
            locked_fits=locked,
            settled_elsewhere=settled,
            halving=Halving(jobs, self.workspace.run_store),
        )

    def refreshed(self) -> Plan:
        """The same plan with what has finished and failed since."""
        finished, failed = _outcomes(self.workspace, self.jobs, retry_failed=False)
        return replace(self, finished=finished, failed=failed)

    @property
    def external_open(self) -> bool:
        """Whether every locked replicate is finished or failed for good, so that external results may be seen."""
        lock = read_lock(self.workspace)
        return lock is not None and not self.not_ingested and self.whole_schedule(lock).seal_is_open


def make_plan(workspace: Workspace, cohort: Cohort, selection: Selection, *, retry_failed: bool = False) -> Plan:
    """Expand the study and subtract what the run store holds."""
    expansion = expand(workspace.study)
    jobs = {job.key: job for job in jobs_of(workspace.study, expansion, cohort.fingerprints)}
    selection.check(jobs.values())
    wanted = [job for job in jobs.values() if selection.covers(job)]
    if not wanted:
        raise StudyError(
            f"{selection.describe()}: no job of study {workspace.study.name!r} matches; `make plan` lists the cells."
        )
    _check_primary(workspace.study, expansion)
    done, hopeless = _outcomes(workspace, jobs, retry_failed=retry_failed)
    return Plan(workspace, cohort, expansion, jobs, close_over_needs(wanted, jobs), done, hopeless)


def _outcomes(workspace: Workspace, jobs: Mapping[str, Job], *, retry_failed: bool) -> tuple[Records, Records]:
    """Published jobs of the plan, and those that failed for good: neither is run again."""
    store = workspace.run_store
    done = {key: record for key, record in store.finished().items() if key in jobs}
    hopeless = {
        key: record
        for key, record in store.failed().items()
        if key in jobs
        and key not in done
        and not retry_failed
        and record["deterministic"]
        and record["code"] == code_version()
    }
    return done, hopeless


def _check_primary(study: StudySpec, expansion: Expansion) -> None:
    """What is primary names cells that there are; better refused now than after all training."""
    from evaluation.comparison.effects import named_effects
    from evaluation.comparison.primary import primary_pairs

    columns = ("cell", "arm", "backbone", "init", "pretraining")
    rows = [(cell.id, cell.arm, cell.backbone, cell.init, cell.pretraining) for cell in expansion.cells]
    table = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    cells = table.with_columns(exploratory=pl.lit(False))
    primary_pairs(study.analysis, cells)
    found = {effect.kind for effect in named_effects(cells)}
    for kind in study.analysis.primary.effects:
        if kind not in found:
            raise StudyError(
                f"Study {study.name!r}: analysis.primary.effects names {kind!r}, but no arm has two cells that it "
                f"compares; its grids give {', '.join(sorted(found)) or 'no named effect'}. Add cells or leave it out."
            )
