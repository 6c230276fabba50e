"""Methods of models: arms, inits, pretraining sources, tuning and training, each as the plan says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from orchestrator.paper.words import Section, cite, counted, gap, listed, section
from orchestrator.tuning.proposals import space_of
from search_spaces.arms import Arm, ClassificationArm, DetectionArm, RadiomicsArm
from search_spaces.backbones import find
from search_spaces.hyperparameters import Choice, Float, settings
from search_spaces.initialization import INITIALIZATIONS, PROBE_THEN_TRANSFER
from search_spaces.pretraining import NONE, describe
from search_spaces.study import StudySpec

if TYPE_CHECKING:
    from evaluation.report.context import ReportContext


AUGMENTED = (
    "Classifiers were trained with binary cross entropy on randomly shifted, scaled, rotated and mirrored regions of "
    "random gamma, as far as the hyperparameter augmentation says (0: not at all)."
)


def models(study: StudySpec) -> Section:
    """Architectures and what they read."""
    return section("models", "Models", *(_arm(arm) for arm in study.arms))


def _arm(arm: Arm) -> str:
    if isinstance(arm, RadiomicsArm):
        return (
            f"{arm.name}: features of the box (margin {arm.margin:.0%} on every side) by mirp, which follows the IBSI "
            f"{cite('zwanenburg2020')}, and a logistic regression with an elastic-net penalty {cite('zou2005')}, whose "
            "strength and mixture were chosen by the AUC over inner folds of whole patients."
        )
    names = listed(
        f"{name}{f' ({found.note})' if (found := find(name)) and found.note else ''}" for name in _backbones(arm)
    )
    if isinstance(arm, DetectionArm):
        negatives = "a second class" if arm.negatives == "class" else "background"
        return (
            f"{arm.name}: detectors {names}, {arm.image_size} × {arm.image_size} pixels; boxes of the positive labels "
            f"are the target, those of negative labels are {negatives}."
        )
    size = f"{arm.image_size} × {arm.image_size} pixels" if arm.image_size else "the backbone's own input size"
    region = (
        f"the box of the lesion with a margin of {arm.margin:.0%} on every side"
        if arm.region == "box"
        else "the whole radiograph"
    )
    gray = (
        "one channel, the first layer's color channels summed"
        if arm.channels == 1
        else "the gray image in three channels"
    )
    return f"{arm.name}: classifiers {names} on {region}, {size}, {gray}."


def _backbones(arm: Arm) -> tuple[str, ...]:
    return () if isinstance(arm, RadiomicsArm) else arm.grid.backbone


def initializations(study: StudySpec) -> Section:
    """Every init of the study in words."""
    inits = dict.fromkeys(init for arm in study.arms if not isinstance(arm, RadiomicsArm) for init in arm.grid.init)
    words = [f"{init}: {_init(init)}" for init in inits]
    reference = f" {cite('kumar2022')}" if PROBE_THEN_TRANSFER in inits else ""
    return section("initialization", "Initialization", f"{'; '.join(words)}{reference}." if words else "")


def _init(init: str) -> str:
    if init.startswith("partial_"):
        return INITIALIZATIONS["partial_<k>"].replace(" k ", f" {init.removeprefix('partial_')} ")
    return INITIALIZATIONS[init].replace(" (Kumar et al., 2022, LP-FT)", "")


def pretraining(study: StudySpec, context: ReportContext) -> Section:
    """Every source that a grid names: what it was trained on, its license, and what the certificates say of it."""
    names = dict.fromkeys(
        source for arm in study.arms if not isinstance(arm, RadiomicsArm) for source in arm.grid.pretraining
    )
    told = [_source(study, context, name) for name in names if name != NONE]
    scratch = "Networks without pretraining started from random weights." if NONE in names else ""
    checked = (
        "Each training's certificate records which tensors were loaded from which file; a training that is not what "
        "its cell says is not published."
        if told
        else ""
    )
    return section("pretraining", "Pretraining sources", *told, scratch, checked)


def _source(study: StudySpec, context: ReportContext, name: str) -> str:
    terms = _terms(study, name)
    corpus = study.corpora.get(name)
    files = context.certificates.filter(pl.col("source") == name, pl.col("sha256") != "")["sha256"].unique().sort()
    known = f" ({counted(len(files), 'weights file')}, hashes in statement.md)" if len(files) else ""
    if corpus is None:
        return f"{name}: published weights, {terms}{known}."
    how = corpus.pretrain
    epochs = [f"{how.epochs} epochs"] + [f"{how.detection_epochs} for detectors"] * (how.detection_epochs is not None)
    synthetic = "synthetic images, " if corpus.phantom else ""
    seeds = counted(len(how.seeds), "pretraining seed")
    return (
        f"{name}: pretrained within this study ({synthetic}{terms}), {', '.join(epochs)} at {how.image_size} × "
        f"{how.image_size} pixels, {seeds}{known}."
    )


def _terms(study: StudySpec, name: str) -> str:
    found = study.corpora.get(name) or describe(study, name)
    words = [f"modality {found.modality}", f"anatomy {found.anatomy}", f"license {found.license}"]
    told = [word if not word.endswith(" unknown") else gap(f"{word.split()[0]} of {name}") for word in words]
    return ", ".join([*told, f"commercial use: {found.commercial_use}"])


def tuning(study: StudySpec) -> Section:
    """The budget that every cell of an arm had."""
    return section("tuning", "Hyperparameter search", *(text for arm in study.arms for text in _tuned(arm)))


def _tuned(arm: Arm) -> Iterator[str]:
    if isinstance(arm, RadiomicsArm):
        return
    tune = arm.tune
    if tune.trials:
        ranges = [f"{name} ({_range(entry)})" for name, entry in space_of(arm).items()]
        yield (
            f"{arm.name}: {counted(tune.trials, 'trial')} of {counted(tune.epochs, 'epoch')} for every cell alike, "
            f"proposed in batches of {tune.parallel} by a tree-structured Parzen estimator {cite('bergstra2011')} over "
            f"{listed(ranges)}; the first trial is the default point, and the trial with the best validation value "
            "gave the cell's hyperparameters."
        )
    else:
        yield f"{arm.name}: hyperparameters were not tuned."
    if tune.rungs:
        rungs = listed(tune.rungs)
        yield (
            f"After epochs {rungs} the best {tune.keep:.0%} of a batch went on (successive halving "
            f"{cite('jamieson2016')})."
        )
    rest = settings(arm.task, tune.fixed)
    given = [f"{name} {value}" for name, value in rest.items() if name not in space_of(arm) and value is not None]
    yield f"Not searched: {listed(given)}."


def _range(entry: Float | Choice) -> str:
    if isinstance(entry, Choice):
        return ", ".join(entry.options)
    return f"{entry.low:g} to {entry.high:g}{', log scale' if entry.log else ''}"


def training(study: StudySpec, context: ReportContext) -> Section:
    """Epochs, batches, replicates, and the optimizers that the certificates read back."""
    return section("training", "Training", *(text for arm in study.arms for text in _trained(study, arm, context)))


def _trained(study: StudySpec, arm: Arm, context: ReportContext) -> Iterator[str]:
    folds, seeds = study.split.folds, len(arm.fit.seeds)
    replicates = f"{counted(folds * seeds, 'replicate')} per cell ({counted(folds, 'fold')} × {counted(seeds, 'seed')})"
    if isinstance(arm, RadiomicsArm):
        yield f"{arm.name}: {replicates}."
        return
    patience = (
        f", stopped after {arm.fit.patience} epochs without a better validation value" if arm.fit.patience else ""
    )
    parts = f" in {arm.accumulate} parts" if isinstance(arm, ClassificationArm) and arm.accumulate > 1 else ""
    optimizers = context.certificates.filter(pl.col("cell").is_in(context.cells_of(arm.name)))["optimizer"]
    found = [name for name in optimizers.unique().sort() if name]
    if isinstance(arm, ClassificationArm):
        yield AUGMENTED
    yield (
        f"{arm.name}: {replicates}, each trained for at most {counted(arm.fit.epochs, 'epoch')}{patience}; the epoch "
        f"with the best validation value was kept; batches of {arm.batch_size}{parts}"
        f"{f'; optimizer as read back from the trainings: {listed(found)}' if found else ''}."
    )
