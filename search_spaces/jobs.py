"""The jobs of a study, and what each needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from search_spaces.arms import Arm, RadiomicsArm
from search_spaces.errors import StudyError
from search_spaces.grid import Cell, Expansion
from search_spaces.job import Job, Kind, key_of
from search_spaces.predictions import Measured, predictions
from search_spaces.pretraining import NONE, normalization, weights_file, weights_sha256
from search_spaces.recipes import Fingerprints, cell_recipe, development_inputs, pretrain_recipe, split_recipe
from search_spaces.starting_points import Corpus
from search_spaces.study import StudySpec


def jobs_of(study: StudySpec, expansion: Expansion, prints: Fingerprints) -> list[Job]:
    """All jobs of a study, each once, in the order of the study file."""
    arms = {arm.name: arm for arm in study.arms}
    jobs: dict[str, Job] = {}
    for cell in expansion.cells:
        for job in _jobs_of_cell(study, arms[cell.arm], cell, prints):
            known = jobs.setdefault(job.key, job)
            if known.cell != job.cell:
                raise StudyError(
                    f"Study {study.name!r}: cells {known.cell} and {job.cell} are the same recipe under two names; "
                    "leave one of them out, or let the arms differ."
                )
    return list(jobs.values())


def _jobs_of_cell(study: StudySpec, arm: Arm, cell: Cell, prints: Fingerprints) -> Iterator[Job]:
    measured = Measured.of(study, arm, prints)
    pretrains = _pretrains(study, arm, cell, prints)
    yield from measured.jobs
    yield from pretrains
    features = measured.keys("scores", *study.cohort.development)
    base = {
        "cell": cell_recipe(arm, cell, _source(study, cell, pretrains)),
        "development": development_inputs(study, arm, prints),
        "split": split_recipe(study),
    }
    trials = list(_tune(arm, cell, base, features or tuple(job.key for job in pretrains[:1])))
    yield from trials
    for fold in range(study.split.folds):
        for number, seed in enumerate(arm.fit.seeds):
            own = pretrains[number % len(pretrains)].key if pretrains else None
            fit = _fit(arm, cell, base, fold, seed, features, own, tuple(job.key for job in trials))
            yield fit
            yield from predictions(study, arm, fit, measured, prints)


def _source(study: StudySpec, cell: Cell, pretrains: list[Job]) -> dict[str, Any] | None:
    """What identifies the initial weights: the first pretraining job, or a file's hash and its normalization."""
    if cell.pretraining == NONE:
        return None
    if pretrains:
        return {"pretrain": pretrains[0].key}
    path = weights_file(study, cell.pretraining, cell.backbone)
    # Without its file a cell cannot run, but its jobs are counted, each under a key of its own.
    sha256 = f"{cell.pretraining}/{cell.backbone}, missing" if path is None else weights_sha256(path)
    return {"sha256": sha256, "normalization": normalization(study, cell.pretraining, cell.backbone)}


def _pretrains(study: StudySpec, arm: Arm, cell: Cell, prints: Fingerprints) -> list[Job]:
    """One pretraining per seed for a cell on a corpus; every cell of that corpus and backbone shares them."""
    corpus = study.corpora.get(cell.pretraining)
    if corpus is None:
        return []
    return [_pretrain(arm, cell, corpus, seed, prints) for seed in corpus.pretrain.seeds]


def _pretrain(arm: Arm, cell: Cell, corpus: Corpus, seed: int, prints: Fingerprints) -> Job:
    recipe = {"kind": "pretrain", **pretrain_recipe(arm, cell, corpus, seed, prints)}
    suffix = f"-s{seed}" if len(corpus.pretrain.seeds) > 1 else ""
    return Job(
        key=key_of(recipe),
        kind="pretrain",
        name=f"pretrain-{cell.backbone}-{cell.pretraining}{suffix}",
        task=arm.task,
        arm=arm.name,
        cell=None,
        backbone=cell.backbone,
        pretraining=cell.pretraining,
        init="scratch",
        epochs=recipe["epochs"],
        seed=seed,
        recipe=recipe,
    )


def _tune(arm: Arm, cell: Cell, base: dict[str, Any], needs: tuple[str, ...]) -> Iterator[Job]:
    if isinstance(arm, RadiomicsArm):
        return  # its inner cross-validation tunes within each fit
    keys: list[str] = []
    for trial in range(arm.tune.trials):
        recipe = {"kind": "tune", **base, "tune": arm.tune.model_dump(), "trial": trial}
        # The sampler learns from batch to batch, so a trial waits for all of the batches before its own.
        before = tuple(keys[: trial - trial % arm.tune.parallel])
        job = _cell_job(
            arm, cell, "tune", recipe, f"t{trial}", epochs=arm.tune.epochs, needs=needs, trial=trial, trials=before
        )
        keys.append(job.key)
        yield job


def _fit(
    arm: Arm,
    cell: Cell,
    base: dict[str, Any],
    fold: int,
    seed: int,
    features: tuple[str, ...],
    pretrain: str | None,
    trials: tuple[str, ...],
) -> Job:
    recipe = {"kind": "fit", **base, "tune": None, "epochs": 1, "fold": fold, "seed": seed}
    if not isinstance(arm, RadiomicsArm):
        recipe |= {"tune": arm.tune.model_dump(), "epochs": arm.fit.epochs, "patience": arm.fit.patience}
    if pretrain is not None:
        recipe["pretrain"] = pretrain
    needs = features if pretrain is None else (pretrain,)
    options = {"needs": needs, "trials": trials, "fold": fold, "seed": seed}
    return _cell_job(arm, cell, "fit", recipe, f"f{fold}-s{seed}", epochs=recipe["epochs"], **options)


def _cell_job(arm: Arm, cell: Cell, kind: Kind, recipe: dict[str, Any], suffix: str, **rest: Any) -> Job:
    return Job(
        key=key_of(recipe),
        kind=kind,
        name=f"{cell.id}-{suffix}",
        task=arm.task,
        arm=arm.name,
        cell=cell.id,
        backbone=cell.backbone,
        pretraining=cell.pretraining,
        init=cell.init,
        recipe=recipe,
        **rest,
    )
