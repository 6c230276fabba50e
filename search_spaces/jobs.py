"""The jobs of a study, what each needs, and the keys by which results are found again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from search_spaces.arms import Arm, RadiomicsArm
from search_spaces.errors import StudyError
from search_spaces.grid import Cell, Expansion
from search_spaces.pretraining import NONE, normalization, weights_file, weights_sha256
from search_spaces.recipes import (
    Fingerprints,
    cell_recipe,
    development_inputs,
    pretrain_recipe,
    region_inputs,
    split_recipe,
)
from search_spaces.study import StudySpec

RESULT_VERSION = 1
"""Raised when the code of a job changes what it computes; old results are then computed anew."""

Kind = Literal["features", "pretrain", "tune", "fit", "predict"]


@dataclass(frozen=True)
class Job:
    """One unit of work: plain values only, so that it can cross into Ray as a dict."""

    key: str
    kind: Kind
    name: str
    """Readable, from the grid only, unique within a study."""
    task: str
    arm: str
    cell: str | None
    """The cell's id; None for jobs that several cells share."""
    backbone: str
    pretraining: str
    init: str
    epochs: int
    needs: tuple[str, ...] = ()
    """Keys that must be finished before."""
    trials: tuple[str, ...] = ()
    """Tuning trials that must have ended before; at least one of them finished, the best is taken."""
    fold: int = 0
    seed: int = 0
    trial: int | None = None
    center: str | None = None
    sealed: bool = False
    """An external prediction: waits for every locked replicate."""
    recipe: dict[str, Any] = field(default_factory=dict, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The job as plain data."""
        return asdict(self)


def key_of(recipe: Mapping[str, Any]) -> str:
    """First 20 hex digits of the sha256 of a recipe in canonical JSON."""
    text = json.dumps({"version": RESULT_VERSION, **recipe}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


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
    shared = _features(study, arm, prints) if isinstance(arm, RadiomicsArm) else _pretrain(study, arm, cell, prints)
    yield from shared.values()
    develop = tuple(shared[name].key for name in study.cohort.development) if isinstance(arm, RadiomicsArm) else ()
    needs = develop or tuple(job.key for job in shared.values())
    base = {
        "cell": cell_recipe(arm, cell, _source(study, cell, shared)),
        "development": development_inputs(study, arm, prints),
        "split": split_recipe(study),
    }
    trials = list(_tune(arm, cell, base, needs))
    yield from trials
    for fold in range(study.split.folds):
        for seed in arm.fit.seeds:
            fit = _fit(arm, cell, base, fold, seed, needs, tuple(job.key for job in trials))
            yield fit
            for center in study.cohort.centers:
                features = (shared[center].key,) if isinstance(arm, RadiomicsArm) else ()
                yield _predict(study, arm, fit, center, features, prints)


def _source(study: StudySpec, cell: Cell, shared: Mapping[str, Job]) -> dict[str, Any] | None:
    """What identifies the initial weights: a pretraining job, or a file's hash and its normalization."""
    if cell.pretraining == NONE:
        return None
    if cell.pretraining in shared:
        return {"pretrain": shared[cell.pretraining].key}
    path = weights_file(study, cell.pretraining, cell.backbone)
    # Without its file a cell cannot run, but its jobs are counted, each under a key of its own.
    sha256 = f"{cell.pretraining}/{cell.backbone}, missing" if path is None else weights_sha256(path)
    return {"sha256": sha256, "normalization": normalization(cell.pretraining, cell.backbone)}


def _features(study: StudySpec, arm: RadiomicsArm, prints: Fingerprints) -> dict[str, Job]:
    """One extraction per center, shared by whatever needs radiomics features of it."""
    return {
        center: Job(
            key=key_of({"kind": "features", "margin": arm.margin, "input": region_inputs(arm, center, prints)}),
            kind="features",
            name=f"features-{center}",
            task=arm.task,
            arm=arm.name,
            cell=None,
            backbone="elasticnet",
            pretraining=NONE,
            init="scratch",
            epochs=0,
            center=center,
        )
        for center in study.cohort.centers
    }


def _pretrain(study: StudySpec, arm: Arm, cell: Cell, prints: Fingerprints) -> dict[str, Job]:
    """The one pretraining that a cell on a corpus needs; every cell of that corpus and backbone shares it."""
    corpus = study.corpora.get(cell.pretraining)
    if corpus is None:
        return {}
    recipe = pretrain_recipe(arm.task, cell, corpus, prints)
    return {
        cell.pretraining: Job(
            key=key_of({"kind": "pretrain", **recipe}),
            kind="pretrain",
            name=f"pretrain-{cell.backbone}-{cell.pretraining}",
            task=arm.task,
            arm=arm.name,
            cell=None,
            backbone=cell.backbone,
            pretraining=cell.pretraining,
            init="scratch",
            epochs=recipe["epochs"],
            seed=corpus.seed,
        )
    }


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
    arm: Arm, cell: Cell, base: dict[str, Any], fold: int, seed: int, needs: tuple[str, ...], trials: tuple[str, ...]
) -> Job:
    tune = None if isinstance(arm, RadiomicsArm) else arm.tune.model_dump()
    epochs = 1 if isinstance(arm, RadiomicsArm) else arm.fit.epochs
    recipe = {"kind": "fit", **base, "tune": tune, "epochs": epochs, "fold": fold, "seed": seed}
    options = {"needs": needs, "trials": trials, "fold": fold, "seed": seed}
    return _cell_job(arm, cell, "fit", recipe, f"f{fold}-s{seed}", epochs=epochs, **options)


def _predict(study: StudySpec, arm: Arm, fit: Job, center: str, features: tuple[str, ...], prints: Fingerprints) -> Job:
    recipe = {"kind": "predict", "fit": fit.key, "input": region_inputs(arm, center, prints), "variants": ["original"]}
    return Job(
        **{
            **_plain(fit),
            "key": key_of(recipe),
            "kind": "predict",
            "name": f"{fit.name}-{center}",
            "epochs": 0,
            "needs": (fit.key, *features),
            "trials": (),
            "center": center,
            "sealed": center in study.cohort.external,
            "recipe": recipe,
        }
    )


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


def _plain(job: Job) -> dict[str, Any]:
    return dict(vars(job))
