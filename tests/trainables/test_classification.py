"""Classification jobs on tiny images: they learn, resume to the same bits, and start from what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
import pytest
import torch

from evaluation.tables import PREDICTIONS, check
from search_spaces.errors import StudyError
from tests.trainables.classification_jobs import (
    data,
    fit_job,
    fitted,
    predict_job,
    pretrain_job,
    published,
    weights,
)
from tests.trainables.fakes import FakeRun
from trainables import TASKS
from trainables.certificate import CertificateError, verify
from trainables.classification.checkpoint import Best
from trainables.classification.model import ModelCard
from trainables.classification.schedule import Phase
from trainables.classification.training import Trainer
from trainables.task import Stop
from trainables.weights.loading import fingerprint

pytestmark = pytest.mark.slow  # networks are trained

task = TASKS["classification"]()


FEW = {"batch_size": 8}
"""Regions per step, so that even the first epoch has two steps and the schedule is felt."""


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    """A fit with the default hyperparameters."""
    return fitted(tmp_path_factory.mktemp("default"), fit_job(arm=FEW))


class Diverge(Protocol):
    def __call__(self, *, in_epoch: int) -> None: ...


@pytest.fixture
def diverge(monkeypatch: pytest.MonkeyPatch) -> Diverge:
    """The gradients of one epoch turn the weights into NaN."""
    honest = Trainer.train_epoch

    def let(*, in_epoch: int) -> None:
        def dishonest(trainer: Trainer, phase: Phase, optimizer: torch.optim.Optimizer, epoch: int) -> float:
            loss = honest(trainer, phase, optimizer, epoch)
            if epoch == in_epoch:
                torch.nn.init.constant_(next(iter(trainer.model.parameters())), torch.nan)
            return loss

        monkeypatch.setattr(Trainer, "train_epoch", dishonest)

    return let


@pytest.mark.parametrize("region", ["box", "image"])
def test_a_planted_sign_is_learned(tmp_path: Path, region: str) -> None:
    run = fitted(tmp_path, fit_job(region=region, epochs=20, hyperparameters={"learning_rate": 0.01}))

    assert run.result["value"] == 1.0
    assert run.reports[-1][1]["train/loss"] < run.reports[0][1]["train/loss"]


def test_every_epoch_is_reported_with_the_same_four_metrics(tmp_path: Path) -> None:
    run = fitted(tmp_path)

    assert [epoch for epoch, _ in run.reports] == [1, 2]
    assert set(run.reports[0][1]) == {"train/loss", "validation/loss", "validation/auc", "learning_rate"}
    assert run.result["value"] == max(metrics["validation/auc"] for _, metrics in run.reports)


@pytest.mark.parametrize("stopped", [1, 2, 3])
@pytest.mark.parametrize("init", ["scratch", "frozen"])
def test_a_stopped_fit_goes_on_to_the_same_bits(tmp_path: Path, stopped: int, init: str) -> None:
    source = published(tmp_path)[1] if init == "frozen" else None
    job = fit_job(init, epochs=3, source=source)
    whole = fitted(tmp_path / "whole", job)

    with pytest.raises(Stop):
        fitted(tmp_path / "parts", job, stop_after=stopped)
    resumed = fitted(tmp_path / "parts", job)

    # The epoch in which it was stopped has no checkpoint yet and is done again.
    assert [epoch for epoch, _ in resumed.reports] == list(range(stopped, 4))
    assert resumed.reports == whole.reports[stopped - 1 :]
    assert fingerprint(weights(resumed)) == fingerprint(weights(whole))
    assert resumed.result == whole.result


def test_equal_seeds_give_equal_weights_and_others_do_not(tmp_path: Path) -> None:
    first, again, other = (
        fingerprint(weights(fitted(tmp_path / name, fit_job(seed=seed))))
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    )

    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 1e-4),
        ("weight_decay", 0.1),
        ("augmentation", 1.0),
        ("layer_decay", 0.5),
        ("schedule", "linear"),
        ("label_smoothing", 0.2),
        ("ema", "0.9"),
        ("margin", 0.9),
        ("image_scale", "0.75"),
    ],
)
def test_each_hyperparameter_changes_the_weights(
    default: FakeRun, tmp_path: Path, name: str, value: float | str
) -> None:
    changed = fitted(tmp_path, fit_job(hyperparameters={name: value}, arm=FEW))

    assert fingerprint(weights(changed)) != fingerprint(weights(default))


@pytest.mark.parametrize("rows", [3, 5])
def test_rows_in_another_order_give_the_same_weights(tmp_path: Path, rows: int) -> None:
    given = data()
    assert given.boxes is not None
    shuffled = type(given)(
        given.images.sample(fraction=1, shuffle=True, seed=rows), given.boxes.reverse(), given.stores
    )
    run = FakeRun(tmp_path / "shuffled")

    task.fit(fit_job(), shuffled, run)

    assert fingerprint(weights(run)) == fingerprint(weights(fitted(tmp_path / "sorted")))


def test_a_higher_value_wins_then_a_lower_loss_then_the_earlier_epoch() -> None:
    first = Best(0.8, 0.5, 1, {})

    assert Best(0.9, 0.9, 2, {}).beats(first)
    assert Best(0.8, 0.4, 2, {}).beats(first)
    assert not Best(0.8, 0.5, 2, {}).beats(first)
    assert not Best(0.7, 0.1, 2, {}).beats(first)


def test_a_later_epoch_that_diverges_ends_the_training_at_the_best_so_far(tmp_path: Path, diverge: Diverge) -> None:
    diverge(in_epoch=2)

    run = fitted(tmp_path, fit_job(epochs=3))

    assert [epoch for epoch, _ in run.reports] == [1]
    assert run.certificate["diverged_in_epoch"] == 2
    assert run.result["epoch"] == 1


def test_a_first_epoch_that_diverges_fails_the_job(tmp_path: Path, diverge: Diverge) -> None:
    diverge(in_epoch=1)

    with pytest.raises(RuntimeError, match=r"not finite in the first epoch at learning rate 0\.001"):
        fitted(tmp_path)


def test_an_unknown_hyperparameter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"'learning_rat' is not a hyperparameter\. Did you mean 'learning_rate'"):
        fitted(tmp_path, fit_job(hyperparameters={"learning_rat": 0.1}))


def test_one_class_alone_in_a_role_is_refused(tmp_path: Path) -> None:
    given = data()
    images = given.images.filter((pl.col("role") == "train") | (pl.col("label") == 0))

    with pytest.raises(StudyError, match="Role validation holds 4 regions, 0 of them positive"):
        task.fit(fit_job(), type(given)(images, given.boxes, given.stores), FakeRun(tmp_path))


def test_scratch_starts_from_timms_random_weights(tmp_path: Path) -> None:
    run = fitted(tmp_path)

    assert run.certificate["source"] is None
    assert run.certificate["tensors_loaded"] == []
    assert run.certificate["share_loaded"] == 0
    assert run.certificate["parameters_frozen"] == 0
    assert run.certificate["fingerprint_before"] != run.certificate["fingerprint_after"]


def test_scratch_with_a_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="scratch has none"):
        fitted(tmp_path, fit_job("scratch", source=published(tmp_path)[1]))


def test_transfer_without_a_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="all others need one"):
        fitted(tmp_path, fit_job("transfer"))


def test_transfer_starts_from_exactly_the_sources_tensors(tmp_path: Path) -> None:
    state, source = published(tmp_path, in_chans=1)
    run = fitted(tmp_path / "run", fit_job("transfer", source=source))

    certificate = run.certificate
    backbone = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}
    assert certificate["fingerprint_before"] == certificate["fingerprint_source"] == fingerprint(backbone)
    assert certificate["fingerprint_after"] != certificate["fingerprint_before"]
    assert certificate["share_loaded"] == 1.0
    assert sorted(certificate["tensors_loaded"]) == sorted(backbone)
    assert certificate["tensors_left_over"] == ["fc.bias", "fc.weight"]
    assert certificate["tensors_missing"] == certificate["tensors_reshaped"] == []
    assert certificate["source"]["sha256"] == source["sha256"]
    assert certificate["parameters_frozen"] == 0


def test_transfer_from_a_color_file_sums_the_first_layers_channels(tmp_path: Path) -> None:
    _, source = published(tmp_path)
    run = fitted(tmp_path / "run", fit_job("transfer", source=source))

    assert run.certificate["tensors_reshaped"] == ["conv1.0.weight"]
    assert run.certificate["normalization"] == {
        "kind": "fixed",
        "mean": [pytest.approx(0.449)],
        "std": [pytest.approx(0.226)],
    }


def test_a_frozen_backbone_keeps_weights_and_batch_norm_while_the_head_learns(tmp_path: Path) -> None:
    _, source = published(tmp_path)
    run = fitted(tmp_path / "run", fit_job("frozen", source=source))

    assert run.certificate["fingerprint_after"] == run.certificate["fingerprint_before"]
    assert run.certificate["parameters_trainable"] == weights(run)["fc.weight"].numel() + 1
    losses = [metrics["train/loss"] for _, metrics in run.reports]
    assert losses[0] != losses[1]


def test_a_frozen_backbone_that_moves_fails_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, source = published(tmp_path)
    monkeypatch.setattr("trainables.classification.training.start_training", lambda model, frozen: model.train())
    job = fit_job("frozen", source=source)

    run = fitted(tmp_path / "run", job)

    with pytest.raises(CertificateError, match="frozen tensors changed in training"):
        verify(job, run.certificate)


def test_a_file_that_was_exchanged_after_planning_is_refused(tmp_path: Path) -> None:
    _, source = published(tmp_path)

    with pytest.raises(StudyError, match=r"test_resnet\.safetensors: its sha256 is .* planned with 000000000000"):
        fitted(tmp_path / "run", fit_job("transfer", source={**source, "sha256": "0" * 64}))


def test_a_pretraining_leaves_a_backbone_that_transfer_starts_from(tmp_path: Path) -> None:
    corpus = FakeRun(tmp_path / "corpus")
    task.pretrain(pretrain_job(), data(roles=("pretraining",)), corpus)
    job = fit_job("transfer", source={"kind": "corpus", "key": "p"})

    run = fitted(tmp_path / "fit", job, needs={"p": corpus.folder})

    assert not any(name.startswith("fc.") for name in weights(corpus))
    assert ModelCard.read(corpus.folder).outputs == 0
    assert set(corpus.reports[0][1]) == {"train/loss", "validation/loss", "validation/accuracy", "learning_rate"}
    assert run.certificate["fingerprint_before"] == corpus.certificate["fingerprint_after"]
    assert run.certificate["tensors_left_over"] == []
    assert run.certificate["normalization"] == corpus.certificate["normalization"] == {"kind": "per image"}


def test_a_pretraining_does_not_depend_on_how_patients_are_called(tmp_path: Path) -> None:
    corpus = data(roles=("pretraining",))
    renamed = replace(corpus, images=corpus.images.with_columns(pl.col("patient").str.reverse()))
    runs = [FakeRun(tmp_path / name) for name in ("hashed", "hashed otherwise")]

    for run, images in zip(runs, (corpus, renamed), strict=True):
        task.pretrain(pretrain_job(), images, run)

    assert runs[0].certificate["fingerprint_after"] == runs[1].certificate["fingerprint_after"]


def test_predictions_are_one_checked_row_per_region_without_labels(tmp_path: Path) -> None:
    fit = fitted(tmp_path / "fit")
    run = FakeRun(tmp_path / "predict", needs={"fit-key": fit.folder})
    external = data(6, roles=("external",), labels=False)

    task.predict(predict_job(), external, run)

    table = run.tables["predictions"]
    assert table["image"].to_list() == external.images["image"].to_list()
    assert table["region"].unique().to_list() == [0]
    np.testing.assert_allclose(table["score"], 1 / (1 + np.exp(-table["logit"])))
    texts = {name: pl.lit("x") for name in ("key", "fit_key", "cell")}
    check(table.with_columns(**texts, fold=pl.lit(0), seed=pl.lit(0)), PREDICTIONS, "predictions")


def test_predicting_the_validation_images_gives_the_value_of_the_best_epoch(tmp_path: Path) -> None:
    fit = fitted(tmp_path / "fit", fit_job(epochs=3))
    run = FakeRun(tmp_path / "predict", needs={"fit-key": fit.folder})

    task.predict(predict_job(), data(), run)

    scored = run.tables["predictions"].join(data().images.select("image", "label"), on="image")
    validation = scored.filter(pl.col("role") == "validation")
    positive, negative = (validation.filter(pl.col("label") == label)["logit"].to_numpy() for label in (1, 0))
    assert fit.result["value"] == np.mean(positive[:, None] > negative[None, :])


def test_an_image_counts_by_its_highest_region(tmp_path: Path) -> None:
    from trainables.classification.objective import Malignancy

    regions = pl.DataFrame({"image": ["i", "i", "j"], "label": [1, 1, 0]})

    value = Malignancy(1.0).value(np.array([[-5.0], [2.0], [0.0]]), regions)

    assert value == 1.0


def test_features_jobs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no features jobs"):
        task.features(fit_job(), data(), FakeRun(tmp_path))
