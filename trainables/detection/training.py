"""One detector, trained: from random weights, from a source's weights, or on a corpus."""

from __future__ import annotations

from search_spaces.errors import StudyError
from search_spaces.initialization import PROBE_THEN_TRANSFER
from trainables.data import JobData
from trainables.detection.best import Best
from trainables.detection.card import DetectorCard
from trainables.detection.certificate import backbone_print, facts_after, facts_before
from trainables.detection.checkpoint import read_values
from trainables.detection.dataset import TrainingFilms, films
from trainables.detection.initialization import initialize
from trainables.detection.network import build, write_model
from trainables.detection.phases import left_over, phases
from trainables.detection.recipe import Recipe, recipe_of
from trainables.detection.trainer import FilmTrainer
from trainables.memory import with_smaller_parts
from trainables.task import Job, Run


def fit(job: Job, data: JobData, run: Run) -> None:
    """Train one replicate or tuning trial; leaves the best epoch's averaged weights.

    Best is the highest AUC of the image scores among the validation films, then the highest mAP at IoU 0.5, then the
    earliest epoch. The result holds value (that AUC, or the mAP where one class is missing), metric and epoch.
    """
    negatives = job["arm"]["negatives"]
    everything, validation = films(data, ["train"], negatives), films(data, ["validation"], negatives)
    # A positive film whose lesion nobody marked would teach that lesions are background.
    training = [film for film in everything if film.has_target or film.label != 1]
    if not any(film.has_target for film in training):
        raise StudyError(
            f"Job {job['key']}: no training image has a box of a positive label; detection needs boxes.csv with the "
            "lesions of the arm's `labels: positive`, so add boxes or leave the arm out."
        )
    if not validation:
        raise StudyError(f"Job {job['key']}: no validation image is left; give the split a larger validation part.")
    recipe = recipe_of(job, len(training), ("target", "other") if negatives == "class" else ("target",))
    run.certify({"positives_without_box_left_out": len(everything) - len(training)})
    run.set_result(_train(recipe, job, TrainingFilms(training, validation, data.pixels), run).result())


def pretrain(job: Job, data: JobData, run: Run) -> None:
    """Train a detector of one class on every image of a corpus with boxes; leaves the last epoch's averaged weights."""
    corpus, name = films(data), job["corpus"]["name"]
    if not any(film.has_target for film in corpus):
        raise StudyError(
            f"Corpus {name!r} has no boxes, and a detector learns from boxes; add boxes.csv to its folder or leave it "
            "out of the detection arm's `pretraining`."
        )
    run.certify({"corpus": name})
    best = _train(recipe_of(job, len(corpus), ("target",)), job, TrainingFilms(corpus, [], data.pixels), run)
    run.set_result({"epoch": best.epoch, "images": len(corpus)})


def _train(recipe: Recipe, job: Job, material: TrainingFilms, run: Run) -> Best:
    return with_smaller_parts(run, lambda parts: _train_in_parts(recipe, job, material, run, parts))


def _train_in_parts(recipe: Recipe, job: Job, material: TrainingFilms, run: Run, parts: int) -> Best:
    """From the initialization to the published model, every batch in so many parts."""
    model = build(recipe.backbone, len(recipe.classes), recipe.seed)
    plan = phases(recipe.init, recipe.epochs, model)
    run.certify({**initialize(model, recipe, job, run), **facts_before(model, plan[-1].frozen)})
    newest = run.newest_checkpoint()
    done = read_values(newest)["epoch"] if newest else 0
    best: Best | None = None
    for phase in left_over(plan, done, recipe.until):
        trainer = FilmTrainer(recipe, phase, model, material, run, parts=parts, newest=newest)
        trainer.train()
        best, newest = trainer.best_so_far, None
        if trainer.diverged:
            break
    assert best is not None, "a phase that diverges in its first epoch raises"
    run.certify(facts_after(model, best.tensors, plan[-1].frozen))
    if recipe.init == PROBE_THEN_TRANSFER:
        run.certify({"fingerprint_probe": trainer.backbone_at_start if trainer.phase.first else backbone_print(model)})
    card = DetectorCard(model.yaml, recipe.classes, int(trainer.args.imgsz), recipe.score)
    write_model(run.folder, card, best.tensors)
    return best
