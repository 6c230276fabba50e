from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file, save_file

from evaluation.tables import DETECTIONS, PREDICTIONS, check
from search_spaces.errors import StudyError
from tests.trainables.detection_jobs import data, fit_job, predict_job, pretrain_job, two_classes
from tests.trainables.fakes import FakeRun
from trainables.data import JobData
from trainables.detection import DetectionTask
from trainables.task import Stop
from trainables.weights.loading import sha256_of

pytestmark = pytest.mark.slow

CORPUS_SOURCE = {"kind": "corpus", "key": "chest"}
TWICE = {"epochs": 2, "hyperparameters": {"mosaic": 0.5}}


def weights(run: FakeRun) -> dict[str, np.ndarray[Any, Any]]:
    return load_file(run.folder / "model.safetensors")


def equal(first: FakeRun, second: FakeRun) -> bool:
    ours, theirs = weights(first), weights(second)
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


def last_state(run: FakeRun) -> str:
    """Of weights, averages and the optimizer's moments at the end; the best epoch may lie before a kill."""
    newest = run.newest_checkpoint()
    assert newest is not None
    return sha256_of(newest / "state.safetensors")


def fitted(folder: Path, job: dict[str, Any], films: JobData | None = None, **options: Any) -> FakeRun:
    run = FakeRun(folder, **options)
    DetectionTask().fit(job, films or data(), run)
    return run


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    return fitted(tmp_path_factory.mktemp("scratch"), fit_job(**TWICE))


@pytest.fixture(scope="module")
def chest(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    run = FakeRun(tmp_path_factory.mktemp("chest"))
    DetectionTask().pretrain(pretrain_job(), data(16, corpus=True, seed=1), run)
    return run


@pytest.fixture(scope="module")
def predicted(scratch: FakeRun, tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    run = FakeRun(tmp_path_factory.mktemp("predicted"), needs={"fit-key": scratch.folder})
    unlabeled = data(labels=False)
    DetectionTask().predict(predict_job(), JobData(unlabeled.images, None, unlabeled.stores), run)
    return run


def test_scratch_starts_from_nothing_and_says_so(scratch):
    assert scratch.certificate["source"] is None
    assert scratch.certificate["tensors_loaded"] == []
    assert scratch.certificate["fingerprint_before"] != scratch.certificate["fingerprint_after"]


def test_optimizer_and_learning_rate_are_read_back_from_the_live_optimizer(scratch):
    assert scratch.certificate["optimizer"] == "AdamW"
    assert scratch.certificate["learning_rate"] == 0.002
    assert scratch.certificate["augmentation"]["Mosaic"]["p"] == 0.5


def test_every_epoch_is_reported_once_with_image_auc_and_map(scratch):
    assert [epoch for epoch, _ in scratch.reports] == [1, 2]
    for _, metrics in scratch.reports:
        assert {"train/box_loss", "train/cls_loss", "validation/map50", "validation/auc"} <= metrics.keys()


def test_result_is_the_highest_auc_with_map_breaking_ties(scratch):
    ranks = [(metrics["validation/auc"], metrics["validation/map50"]) for _, metrics in scratch.reports]

    assert scratch.result["value"] == max(ranks)[0]
    assert scratch.result["epoch"] == 1 + ranks.index(max(ranks))
    assert scratch.result["metric"] == "validation/auc"


def test_another_learning_rate_gives_other_weights(scratch, tmp_path):
    other = fitted(tmp_path, fit_job(epochs=2, hyperparameters={"mosaic": 0.5, "learning_rate": 0.01}))

    assert not equal(scratch, other)


def test_a_killed_job_goes_on_to_the_same_weights_and_certificate(scratch, tmp_path):
    with pytest.raises(Stop):
        fitted(tmp_path, fit_job(**TWICE), stop_after=2)

    resumed = fitted(tmp_path, fit_job(**TWICE))

    assert [epoch for epoch, _ in resumed.reports] == [2]
    assert equal(scratch, resumed)
    assert last_state(resumed) == last_state(scratch)
    assert resumed.result == scratch.result
    assert resumed.certificate == scratch.certificate


def test_a_job_killed_after_its_last_epoch_only_publishes(scratch, tmp_path):
    first = fitted(tmp_path, fit_job())

    again = fitted(tmp_path, fit_job())

    assert again.reports == []
    assert again.result == first.result


def test_transfer_from_a_corpus_takes_every_tensor_where_classes_agree(chest, tmp_path):
    run = fitted(tmp_path, fit_job("transfer", source=CORPUS_SOURCE), needs={"chest": chest.folder})

    assert run.certificate["share_loaded"] == 1
    assert run.certificate["fingerprint_before"] == chest.certificate["fingerprint_after"]
    assert run.certificate["tensors_missing"] == []


def test_frozen_backbone_is_unchanged_and_the_head_of_two_classes_is_new(chest, tmp_path):
    job = fit_job("frozen", arm=two_classes(), source=CORPUS_SOURCE)
    run = fitted(tmp_path, job, needs={"chest": chest.folder})

    before, after = weights(chest), weights(run)
    same = {name for name in before if np.array_equal(before[name], after.get(name))}
    backbone = {name for name in before if int(name.split(".")[1]) < 10}
    assert backbone <= same
    assert {name for name in before if name.startswith("model.13.") and name.endswith("weight")}.isdisjoint(same)
    assert all(name.startswith("model.24.") for name in run.certificate["tensors_missing"])
    assert run.certificate["parameters_frozen"] > 1_000_000


def test_weights_of_another_architecture_are_refused(chest, tmp_path):
    cell = {"id": "x", "backbone": "yolov8n", "pretraining": "chest", "init": "transfer"}
    job = fit_job(cell=cell, source=CORPUS_SOURCE)

    with pytest.raises(StudyError, match="of the backbone's tensors fit yolov8n"):
        fitted(tmp_path, job, needs={"chest": chest.folder})


def test_a_file_that_changed_since_the_plan_is_refused(chest, tmp_path):
    path = chest.folder / "model.safetensors"
    job = fit_job("transfer", source={"kind": "file", "path": str(path), "sha256": "0" * 64})

    with pytest.raises(StudyError, match="the study was planned with 000000000000"):
        fitted(tmp_path, job)


def test_a_training_that_diverges_at_once_fails_and_names_the_learning_rate(chest, tmp_path):
    tensors = weights(chest)
    save_file({**tensors, "model.0.conv.weight": tensors["model.0.conv.weight"] * 1e30}, tmp_path / "huge.safetensors")
    digest = hashlib.sha256((tmp_path / "huge.safetensors").read_bytes()).hexdigest()
    source = {"kind": "file", "path": str(tmp_path / "huge.safetensors"), "sha256": digest}

    with pytest.raises(RuntimeError, match=r"diverged in epoch 1 at learning rate 0\.002"):
        fitted(tmp_path / "run", fit_job("transfer", source=source))


def test_pretraining_leaves_a_model_of_one_class_at_a_multiple_of_32(chest):
    description = json.loads((chest.folder / "model.json").read_text())

    assert (description["names"], description["image_size"]) == (["target"], 64)
    assert chest.result == {"epoch": 1, "images": 16}


def test_jobs_that_cannot_be_are_refused_with_a_reason(tmp_path):
    without_boxes = JobData(data().images, None, {})
    cell = {"id": "x", "backbone": "yolov5q", "pretraining": "none", "init": "scratch"}

    with pytest.raises(StudyError, match="no features to share"):
        DetectionTask().features(fit_job(), data(), FakeRun(tmp_path))
    with pytest.raises(StudyError, match="Corpus 'chest' has no boxes"):
        DetectionTask().pretrain(pretrain_job(), without_boxes, FakeRun(tmp_path))
    with pytest.raises(StudyError, match="no training image has a box"):
        fitted(tmp_path, fit_job(), without_boxes)
    with pytest.raises(StudyError, match="'learning' is not a hyperparameter"):
        fitted(tmp_path, fit_job(hyperparameters={"learning": 1}))
    with pytest.raises(StudyError, match="yolov5q"):
        fitted(tmp_path, fit_job(cell=cell))


def test_predictions_are_one_score_per_image_and_boxes_lie_inside(predicted):
    identity = {"key": "k", "fit_key": "f", "cell": "c"}
    extra = [pl.lit(value).alias(name) for name, value in identity.items()] + [
        pl.lit(0, pl.Int64).alias(name) for name in ("fold", "seed")
    ]
    scores = check(predicted.tables["predictions"].with_columns(extra), PREDICTIONS, "predictions")
    boxes = check(predicted.tables["detections"].with_columns(extra), DETECTIONS, "detections")

    assert scores["image"].to_list() == data().images["image"].to_list()
    assert scores["region"].unique().to_list() == [-1]
    assert scores["logit"].null_count() == scores.height
    sized = boxes.join(data().images.select("image", "height", "width"), on="image")
    assert (
        sized.filter((pl.col("x0") < 0) | (pl.col("x1") > pl.col("width")) | (pl.col("x0") >= pl.col("x1"))).height == 0
    )
    assert sized.filter((pl.col("y0") < 0) | (pl.col("y1") > pl.col("height"))).height == 0


def test_the_score_is_the_highest_confidence_of_the_target_class(predicted):
    best = predicted.tables["detections"].filter(pl.col("class") == 0).group_by("image").agg(pl.col("score").max())
    both = predicted.tables["predictions"].join(best, on="image", how="left").fill_null(0.0)

    assert both.filter((pl.col("score") - pl.col("score_right")).abs() > 1e-6).height == 0


def test_prediction_repeats_the_validation_scores_of_the_best_epoch(scratch, predicted):
    from evaluation.discrimination.delong import placements

    validation = data().images.filter(pl.col("role") == "validation").select("image", "label")
    scored = validation.join(predicted.tables["predictions"], on="image")

    assert placements(scored["label"], scored["score"]).auc == pytest.approx(scratch.result["value"])
