"""The model of a cell, gathered from the run store: its replicates, and thresholds chosen on the reserve alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from infra.environment import code_version, versions
from orchestrator.lock import Lock, read_lock
from orchestrator.plan import Plan
from orchestrator.reporting.licenses import terms_of_cell
from orchestrator.reporting.results import cells, labels
from search_spaces.arms import Arm
from search_spaces.errors import StudyError, nearest
from search_spaces.grid import Cell
from search_spaces.job import Job
from search_spaces.pretraining import NONE

if TYPE_CHECKING:
    from evaluation.comparison.panels import Panel
    from trainables.bundles.bundle import Bundle, Limit, Replicate, Terms


def bundle_of(plan: Plan, cell: Cell) -> Bundle:
    """The cell's usable replicates and how they decide; their files stay in the run store.

    Usable is a replicate that is published and has scored every development center, so that the thresholds are those
    of the very models in the bundle; with all replicates they are the comparison's. Raises StudyError if there is none.
    """
    from cohorts.radiograph import DECODING
    from trainables.bundles.bundle import Bundle

    fits = list(_usable(plan, cell.id))
    planned = [job for job in plan.jobs.values() if job.cell == cell.id and job.kind == "fit"]
    if not fits:
        raise StudyError(
            f"Cell {cell.id}: none of its {len(planned)} replicates is finished with its predictions of the "
            "development centers; run `make sweep` for this study first."
        )
    study, lock = plan.workspace.study, read_lock(plan.workspace)
    boards = _boards(plan, [cell.id], lock)
    return Bundle(
        study=study.name,
        cell=cell.id,
        backbone=cell.backbone,
        pretraining=cell.pretraining,
        init=cell.init,
        arm=_arm(plan, cell).model_dump(mode="json"),
        size=study.preprocessing.size,
        decoding=DECODING,
        scale="logit" if any(cell.id in board.logits for board in boards) else "score",
        replicates=tuple(_replicates(plan, cell.id, fits, boards)),
        missing=tuple(_name(job) for job in planned if job not in fits),
        limits=tuple(_limits(plan, cell.id, fits, boards)),
        terms=tuple(_terms(plan, cell)),
        exploratory=lock is not None and cell.id in lock.exploratory(plan.jobs.values()),
        plan_hash="" if lock is None else lock.plan_hash,
        locked_at="" if lock is None else lock.locked_at,
        code=code_version(),
        versions=versions(),
    )


def named_cell(plan: Plan, name: str) -> Cell:
    """A cell by its id, or by what follows the arm where one arm has it; raises StudyError for an unknown one."""
    found = [cell for cell in plan.expansion.cells if name in (cell.id, cell.id.split("/", 1)[1])]
    if len(found) == 1:
        return found[0]
    known = [cell.id for cell in plan.expansion.cells]
    if found:
        raise StudyError(f"--cell {name}: several arms have it, {', '.join(cell.id for cell in found)}; name one.")
    raise StudyError(f"--cell {name}: the study has no such cell.{nearest(name, known)} It has: {', '.join(known)}.")


def best_cell(plan: Plan, *, complete: bool = False) -> Cell:
    """The cell with the highest AUC on the reserve, of those with all replicates if there are any.

    External centers play no part in it. Raises StudyError if no cell was measured on a reserve, or, with
    `complete`, none that has all its replicates.
    """
    aucs = _reserve_aucs(plan)
    whole = {cell for cell in aucs if _is_complete(plan, cell)}
    candidates = whole if whole or complete else set(aucs)
    ranked = [cell for cell in plan.expansion.cells if cell.id in candidates]
    if not ranked:
        raise StudyError(
            f"Study {plan.workspace.study.name!r}: no cell has been measured on the reserve yet, so none is the best; "
            "name one with --cell, or run `make sweep` first."
        )
    return max(ranked, key=lambda cell: aucs[cell.id])


def _usable(plan: Plan, cell: str) -> Iterator[Job]:
    """Replicates that are published, with predictions of all development centers."""
    scored: dict[str, set[str | None]] = {}
    for job in _developed(plan, [cell]):
        scored.setdefault(job.needs[0], set()).add(job.center)
    everywhere = set(plan.workspace.study.cohort.development)
    for job in plan.jobs.values():
        if job.cell == cell and job.kind == "fit" and job.key in plan.finished and scored.get(job.key) == everywhere:
            yield job


def _developed(plan: Plan, of: list[str]) -> Iterator[Job]:
    """Finished scores of development centers; none of a sealed center, or of perturbed boxes, is ever looked at."""
    for job in plan.jobs.values():
        scores = job.kind == "predict" and job.purpose == "scores"
        if scores and job.cell in of and not job.sealed and job.key in plan.finished:
            yield job


def _is_complete(plan: Plan, cell: str) -> bool:
    planned = [job for job in plan.jobs.values() if job.cell == cell and job.kind == "fit"]
    return len(list(_usable(plan, cell))) == len(planned)


def _reserve_aucs(plan: Plan) -> dict[str, float]:
    names = [cell.id for cell in plan.expansion.cells]
    reserve = _reserve(_boards(plan, names, read_lock(plan.workspace)))
    if reserve is None:
        return {}
    cases = {cell: reserve.cases(cell) for cell in reserve.scores}
    return {cell: reserve.placements(cell, at).auc for cell, at in cases.items() if not at.one_class}


def _boards(plan: Plan, of: list[str], lock: Lock | None) -> list[Panel]:
    """Reserve and validation scores of some cells, made of their usable replicates only."""
    from evaluation.comparison.aggregation import image_scores, replicate_scores
    from evaluation.comparison.panels import panels
    from evaluation.tables import PREDICTIONS

    usable = {job.key for cell in of for job in _usable(plan, cell)}
    store = plan.workspace.run_store
    tables = [
        pl.read_parquet(store.published(job.key) / "predictions.parquet")
        for job in _developed(plan, of)
        if job.needs[0] in usable
    ]
    replicates = replicate_scores(
        pl.concat([pl.DataFrame(schema=PREDICTIONS), *tables]),
        labels(plan, open_external=False),
        cells(plan, lock),
        open_external=False,
    )
    return list(panels(image_scores(replicates), replicates))


def _reserve(boards: list[Panel]) -> Panel | None:
    return next((board for board in boards if board.role == "reserve" and board.pooled), None)


def _replicates(plan: Plan, cell: str, fits: list[Job], boards: list[Panel]) -> Iterator[Replicate]:
    from trainables.bundles.bundle import MODEL_FILES, Replicate

    aucs = _own_aucs(cell, boards)
    for job in fits:
        checksums = plan.finished[job.key]["checksums"]
        if MODEL_FILES[0] not in checksums:
            raise StudyError(f"{job.name}: left no {MODEL_FILES[0]}, so there is nothing to predict with.")
        yield Replicate(
            name=_name(job),
            fold=job.fold,
            seed=job.seed,
            key=job.key,
            reserve_auc=aucs.get((job.fold, job.seed)),
            checksums={name: checksums[name] for name in MODEL_FILES if name in checksums},
            folder=plan.workspace.run_store.published(job.key),
        )


def _own_aucs(cell: str, boards: list[Panel]) -> dict[tuple[int, int], float]:
    reserve = _reserve(boards)
    if reserve is None or cell not in reserve.scores or reserve.cases(cell).one_class:
        return {}
    replicates, placed = reserve.placed_models([cell], reserve.cases(cell))
    return dict(zip(replicates, placed[cell].auc.tolist(), strict=True)) if replicates else {}


def _limits(plan: Plan, cell: str, fits: list[Job], boards: list[Panel]) -> Iterator[Limit]:
    """The comparison's own carried thresholds, and beside them each replicate's, for those who use one alone."""
    from evaluation.comparison.calls import FOLDS, carried
    from evaluation.decisions.thresholds import choose_threshold, rule_name
    from trainables.bundles.bundle import Limit

    names = {(job.fold, job.seed): _name(job) for job in fits}
    for rule in plan.workspace.study.analysis.thresholds:
        by = carried(boards, cell, rule)
        if by is None:
            continue
        each = dict(by.by_replicate or {})
        reserve = _reserve(boards)
        if by.source != FOLDS and reserve is not None:
            cases = reserve.cases(cell)
            each = {
                replicate: choose_threshold(cases.labels, scores, rule)
                for replicate, scores in reserve.model_scores(cell, cases).items()
            }
        own = {names[replicate]: threshold for replicate, threshold in each.items()}
        yield Limit(rule_name(rule), by.source, None if by.by_replicate is not None else by.threshold, own)


def _terms(plan: Plan, cell: Cell) -> Iterator[Terms]:
    from trainables.bundles.bundle import Terms

    if cell.pretraining != NONE:
        yield Terms(cell.pretraining, **terms_of_cell(plan.workspace.study, cell.pretraining, cell.backbone))


def _arm(plan: Plan, cell: Cell) -> Arm:
    return next(arm for arm in plan.workspace.study.arms if arm.name == cell.arm)


def _name(job: Job) -> str:
    return f"f{job.fold}-s{job.seed}"
