"""One detector, trained: from random weights, from a source's weights, or on a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ultralytics.nn.tasks import DetectionModel

from search_spaces.errors import StudyError
from search_spaces.hyperparameters import settings
from trainables.data import JobData
from trainables.detection.dataset import Film, films
from trainables.detection.network import WEIGHTS, build, read_source, transfer, write_model
from trainables.detection.recipe import Recipe, backbone, fitting_batch, seed_of
from trainables.detection.trainer import FilmTrainer
from trainables.task import Job, Run
from trainables.weights import LEAST_SHARE, fingerprint, sha256_of


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
    recipe = _recipe(job, len(training), ("target", "other") if negatives == "class" else ("target",))
    run.certify({"positives_without_box_left_out": len(everything) - len(training)})
    trainer = _train(recipe, job, (training, validation), data, run)
    auc, map50 = trainer.kept_rank or (-1.0, 0.0)
    value, metric = (map50, "validation/map50") if auc < 0 else (auc, "validation/auc")
    run.set_result({"value": value, "metric": metric, "epoch": trainer.kept_epoch})


def pretrain(job: Job, data: JobData, run: Run) -> None:
    """Train a detector of one class on every image of a corpus with boxes; leaves the last epoch's averaged weights."""
    corpus, name = films(data), job["corpus"]["name"]
    if not any(film.has_target for film in corpus):
        raise StudyError(
            f"Corpus {name!r} has no boxes, and a detector learns from boxes; add boxes.csv to its folder or leave it "
            "out of the detection arm's `pretraining`."
        )
    run.certify({"corpus": name})
    trainer = _train(_recipe(job, len(corpus), ("target",)), job, (corpus, []), data, run)
    run.set_result({"epoch": trainer.kept_epoch, "images": len(corpus)})


def _recipe(job: Job, images: int, classes: tuple[str, ...]) -> Recipe:
    size = (
        job["arm"]["image_size"]
        if job["kind"] != "pretrain"
        else _multiple_of_32(job["corpus"]["pretrain"]["image_size"])
    )
    return Recipe(
        backbone=backbone(job),
        image_size=size,
        epochs=job["epochs"],
        seed=seed_of(job["seed"], job["fold"]),
        classes=classes,
        batch_size=fitting_batch(images),
        frozen=_init(job) == "frozen",
        **settings("detection", job["hyperparameters"]),
    )


def _init(job: Job) -> str:
    return job["cell"]["init"] if job.get("cell") else "scratch"


def _train(recipe: Recipe, job: Job, parts: tuple[list[Film], list[Film]], data: JobData, run: Run) -> FilmTrainer:
    model = build(recipe.backbone, len(recipe.classes), recipe.seed)
    run.certify({"init": _init(job), "backbone": recipe.backbone, **_initialize(model, job, run)})
    trainer = FilmTrainer(recipe, model, parts, data.pixels, run)
    trainer.train()
    trainer.check_frozen()
    write_model(run.folder, model, trainer.kept, int(trainer.args.imgsz), recipe.classes)
    run.certify({"fingerprint_after": fingerprint(trainer.kept)})
    return trainer


def _initialize(model: DetectionModel, job: Job, run: Run) -> dict[str, Any]:
    """Fill the detector from the job's source, if it has one, and say what was taken."""
    init, source = _init(job), job.get("source")
    if (init == "scratch") != (source is None):
        raise RuntimeError(f"Init {init} with source {source}: scratch has none, all others need one.")
    if source is None:
        return {"source": None, "tensors_loaded": [], "share_loaded": 0.0}
    path = run.need(source["key"]) / WEIGHTS if source["kind"] == "corpus" else Path(source["path"])
    digest = _digest(path, source)
    # What a frozen backbone lacks would stay random for good.
    loaded = transfer(model, read_source(path), path, 1.0 if init == "frozen" else LEAST_SHARE)
    live = model.state_dict()
    if fingerprint({name: live[name] for name in loaded.loaded}) != loaded.fingerprint_source:
        raise RuntimeError(f"{path}: the model's tensors differ from the file's after loading.")
    return {"source": {"kind": source["kind"], "file": path.name, "sha256": digest}, **loaded.facts()}


def _digest(path: Path, source: dict[str, Any]) -> str:
    """The file's sha256, which for a file brought along must be the planned one."""
    if not path.is_file():
        raise StudyError(f"{path}: there is no such weights file; put it there or leave the source out of the grid.")
    found = sha256_of(path)
    if source["kind"] == "file" and found != source["sha256"]:
        raise StudyError(
            f"{path}: its sha256 is {found[:12]}…, the study was planned with {source['sha256'][:12]}…; "
            "bring the planned file back, or plan anew with this one."
        )
    return found


def _multiple_of_32(pixels: int) -> int:
    """The next input size that the detector's coarsest grid divides."""
    return (pixels + 31) // 32 * 32
