from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from evaluation.discrimination.delong import placements
from tests.trainables.detection_jobs import arm, cell, data, fit_job, predict_job
from tests.trainables.fakes import FakeRun
from trainables.certificate import verify
from trainables.detection import DetectionTask
from trainables.detection.quiet import import_ultralytics
from trainables.task import Stop
from trainables.weights.loading import sha256_of

pytestmark = pytest.mark.slow

import_ultralytics()

import torch  # noqa: E402

from trainables.detection.checkpoint import read_tensors  # noqa: E402

FILMS = data(9)
"""Six are trained on, three judge."""


def fitted(folder: Path, job: dict[str, Any], films: Any = FILMS, **options: Any) -> FakeRun:
    run = FakeRun(folder, **options)
    DetectionTask().fit(job, films, run)
    verify(job, run.certificate)
    return run


def ends(run: FakeRun) -> tuple[str, str]:
    """Of the best epoch that is published, and of the last: weights, averages and the optimizer's moments."""
    newest = run.newest_checkpoint()
    assert newest is not None
    return sha256_of(run.folder / "model.safetensors"), sha256_of(newest / "state.safetensors")


def card(run: FakeRun) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.folder / "model.json").read_text())
    return found


def steps_taken(run: FakeRun) -> int:
    newest = run.newest_checkpoint()
    assert newest is not None
    return int(max(value for name, value in read_tensors(newest)["optimizer"].items() if name.endswith(".step")))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    return fitted(tmp_path_factory.mktemp("undisturbed"), fit_job(epochs=3))


def test_a_training_that_pauses_at_a_rung_goes_on_as_if_it_had_not(undisturbed, tmp_path):
    paused = fitted(tmp_path, fit_job(epochs=3, kind="tune", until=1))
    first_value = paused.result["value"]

    finished = fitted(tmp_path, fit_job(epochs=3, kind="tune", until=3))

    assert first_value == undisturbed.reports[0][1]["validation/auc"]
    assert [paused.reports, finished.reports] == [undisturbed.reports[:1], undisturbed.reports[1:]]
    assert ends(finished) == ends(undisturbed)


def test_a_rung_that_is_reached_again_trains_nothing_and_gives_the_same_result(tmp_path):
    first = fitted(tmp_path, fit_job(epochs=3, kind="tune", until=1))

    again = fitted(tmp_path, fit_job(epochs=3, kind="tune", until=1))

    assert again.reports == []
    assert (again.result, again.certificate) == (first.result, first.certificate)


def test_patience_ends_a_training_that_stands_still_at_the_same_epoch_after_a_kill(tmp_path):
    # At a rate that teaches nothing in so few steps, the first epoch stays the best.
    job = fit_job(epochs=9, hyperparameters={"learning_rate": 1e-5}, arm=arm(fit={"patience": 1}))
    whole = fitted(tmp_path / "whole", job)
    with pytest.raises(Stop):
        fitted(tmp_path / "killed", job, stop_after=len(whole.reports))

    resumed = fitted(tmp_path / "killed", job)
    again = fitted(tmp_path / "killed", job)

    assert len(whole.reports) == whole.result["epoch"] + 1 < 9
    assert resumed.reports[-1] == whole.reports[-1]
    assert ends(resumed) == ends(whole)
    assert (again.reports, again.result) == ([], whole.result)


def test_trials_have_no_patience(tmp_path):
    job = fit_job(epochs=3, kind="tune", hyperparameters={"learning_rate": 1e-5}, arm=arm(fit={"patience": 1}))

    assert len(fitted(tmp_path, job).reports) == 3


@pytest.mark.parametrize(
    ("schedule", "last"),
    # After two of three epochs: 0.01 + 0.99 * (1 + cos(2 pi / 3)) / 2, or as at the start.
    [("cosine", 0.2575), ("constant", 1.0)],
)
def test_the_rate_follows_the_schedule_over_all_epochs(tmp_path, schedule, last):
    run = fitted(tmp_path, fit_job(epochs=3, hyperparameters={"schedule": schedule, "learning_rate": 0.001}))

    assert run.reports[-1][1]["learning_rate"] == pytest.approx(0.001 * last)


def test_an_epoch_takes_a_step_per_batch_however_small_the_cohort(tmp_path):
    whole = fitted(tmp_path / "four", fit_job())
    small = fitted(tmp_path / "two", fit_job(arm=arm(batch_size=2)))

    # Six films in batches of four, or of two.
    assert [steps_taken(whole), steps_taken(small)] == [2, 3]
    assert [run.certificate["batch_size"] for run in (whole, small)] == [4, 2]


def test_a_scaled_input_is_trained_on_published_and_predicted_on(tmp_path):
    job = fit_job(hyperparameters={"image_scale": "1.25"}, arm=arm(image_size=96))
    run = fitted(tmp_path, job)

    assert card(run)["image_size"] == run.certificate["image_size"] == 128


MANY = data(40)


@pytest.fixture(scope="module")
def halfway(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    """Four of six epochs: it finds some of the squares, so that its scores are neither noise nor all right."""
    job = fit_job(epochs=6, until=4, kind="tune", arm=arm(score="noisy_or"))
    return fitted(tmp_path_factory.mktemp("halfway"), job, MANY)


def test_noisy_or_chooses_the_epoch_and_is_read_from_the_published_model(halfway, tmp_path):
    predicted = FakeRun(tmp_path, needs={"fit-key": halfway.folder})
    DetectionTask().predict(predict_job(), MANY, predicted)  # the job's arm says max, the model noisy_or

    found = predicted.tables["detections"].filter(pl.col("class") == 0).group_by("image")
    both = found.agg(highest=pl.col("score").max(), any_right=1 - (1 - pl.col("score")).product())
    scores = predicted.tables["predictions"].join(both, on="image", how="left").fill_null(0.0)
    assert (scores["score"] - scores["any_right"]).abs().max() < 1e-6
    assert scores["score"].is_between(0, 1).all()
    labels = MANY.images.filter(pl.col("role") == "validation").select("image", "label").join(scores, on="image")
    of_noisy_or, of_max = (placements(labels["label"], labels[name]).auc for name in ("any_right", "highest"))
    assert of_max != of_noisy_or == pytest.approx(halfway.result["value"])


def test_bright_squares_are_learned_within_a_few_epochs(halfway, tmp_path):
    shutil.copytree(halfway.folder, tmp_path / "whole")

    run = fitted(tmp_path / "whole", fit_job(epochs=6, kind="tune", arm=arm(score="noisy_or")), MANY)

    assert run.result["value"] > 0.8


@contextmanager
def room_for(images: int) -> Iterator[None]:
    """A device whose memory is exhausted as soon as more images than that are trained at a time."""

    def allocate(module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        if module.training and isinstance(module, torch.nn.Conv2d) and len(inputs[0]) > images:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    hook = torch.nn.modules.module.register_module_forward_pre_hook(allocate)
    try:
        yield
    finally:
        hook.remove()


def test_a_batch_that_does_not_fit_is_computed_in_parts_and_stays_the_same_batch(undisturbed, tmp_path):
    with room_for(1):
        run = fitted(tmp_path, fit_job(epochs=1))

    facts = run.certificate
    assert (facts["parts"], facts["batch_size"], facts["steps_per_epoch"]) == (4, 4, 2)
    assert facts["weight_decay"] == undisturbed.certificate["weight_decay"]
    assert [each["parts"] for each in facts["out_of_memory"]] == [1, 2]
    assert steps_taken(run) == 2


def test_what_does_not_fit_in_four_parts_fails(tmp_path):
    with room_for(0), pytest.raises(torch.OutOfMemoryError):
        fitted(tmp_path, fit_job())


def test_a_training_in_parts_goes_on_after_a_kill_to_the_same_weights(tmp_path):
    job = fit_job(epochs=2)  # six films in halves of a batch: three parts, so that each epoch ends with a single one
    with room_for(2):
        whole = fitted(tmp_path / "whole", job)
        with pytest.raises(Stop):
            fitted(tmp_path / "killed", job, stop_after=2)  # its last checkpoint is of the epoch before
        resumed = fitted(tmp_path / "killed", job)

    assert ends(resumed) == ends(whole)


@pytest.mark.parametrize("backbone", ["yolov5n", "yolov8n", "yolo11n", "yolo26n"])
def test_every_family_trains_and_predicts_through_the_same_code(tmp_path, backbone):
    run = fitted(tmp_path / "fit", fit_job(cell=cell(backbone), hyperparameters={"learning_rate": 0.003}))
    predicted = FakeRun(tmp_path / "predict", needs={"fit-key": run.folder})
    DetectionTask().predict(predict_job(), FILMS, predicted)

    assert run.certificate["optimizer"] == "AdamW"
    labels = FILMS.images.filter(pl.col("role") == "validation").select("image", "label")
    scores = labels.join(predicted.tables["predictions"], on="image")
    assert placements(scores["label"], scores["score"]).auc == pytest.approx(run.result["value"])


def test_a_detector_of_two_heads_goes_on_after_a_kill_with_their_losses_weighed_as_before(tmp_path):
    job = fit_job(cell=cell("yolo26n"), epochs=2)
    whole = fitted(tmp_path / "whole", job)
    with pytest.raises(Stop):
        fitted(tmp_path / "killed", job, stop_after=2)  # its last checkpoint is of the epoch before

    resumed = fitted(tmp_path / "killed", job)

    assert resumed.reports == whole.reports[1:]
    assert ends(resumed) == ends(whole)
