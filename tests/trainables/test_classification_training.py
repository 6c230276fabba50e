"""Budgets, averages, losses, batches in parts: what the recipe says is what happens."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import timm
import torch
from timm.models import register_model

from cohorts.regions import region_table
from tests.trainables.classification_jobs import data, fit_job, fitted, predict_job, published, weights
from tests.trainables.fakes import FakeRun
from trainables.classification import ClassificationTask
from trainables.classification.augmentation import Augmentation
from trainables.classification.checkpoint import Learner, Progress, Saver, restore_optimizer, restore_weights
from trainables.classification.examples import Batches, Examples
from trainables.classification.model import ModelCard, build
from trainables.classification.objective import Malignancy, malignancy
from trainables.classification.pace import PLAIN
from trainables.classification.recipe import Recipe
from trainables.classification.schedule import Phase
from trainables.classification.training import Trainer
from trainables.sampling import Normalization
from trainables.task import Stop
from trainables.weights.loading import fingerprint

slow = pytest.mark.slow


@slow
def test_a_trial_that_is_judged_on_the_way_goes_on_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    job = fit_job(epochs=5, kind="tune", trial=0)
    whole = fitted(tmp_path / "whole", job)

    judged = [fitted(tmp_path / "parts", {**job, "until": until}) for until in (2, 2, 3, 5)]

    assert [[epoch for epoch, _ in run.reports] for run in judged] == [[1, 2], [], [3], [4, 5]]
    assert judged[0].reports + judged[2].reports + judged[3].reports == whole.reports
    assert judged[0].result == judged[1].result
    assert judged[0].certificate["learning_rate"] == judged[1].certificate["learning_rate"] == 1e-3
    assert fingerprint(weights(judged[3])) == fingerprint(weights(whole))
    assert judged[3].result == whole.result


@slow
def test_patience_ends_a_fit_so_many_epochs_after_its_best_one_also_after_a_kill(tmp_path: Path) -> None:
    job = fit_job(epochs=40, hyperparameters={"learning_rate": 1e-5}, arm={"fit": {"patience": 3}})
    whole = fitted(tmp_path / "whole", job)
    last = whole.reports[-1][0]

    with pytest.raises(Stop):
        fitted(tmp_path / "parts", job, stop_after=last)
    resumed = fitted(tmp_path / "parts", job)
    again = fitted(tmp_path / "parts", job)

    assert last == whole.certificate["epochs_trained"] == whole.result["epoch"] + 3 < 40
    assert [epoch for epoch, _ in resumed.reports] == [last]
    assert again.reports == []
    assert fingerprint(weights(again)) == fingerprint(weights(resumed)) == fingerprint(weights(whole))
    trial = fitted(tmp_path / "trial", {**job, "kind": "tune", "epochs": last + 1})
    assert trial.reports[-1][0] == last + 1


@slow
def test_what_is_published_and_validated_is_the_average(tmp_path: Path) -> None:
    averaged, plain = (
        fitted(tmp_path / ema, fit_job(epochs=3, hyperparameters={"ema": ema})) for ema in ("0.9", "off")
    )
    run = FakeRun(tmp_path / "predict", needs={"fit-key": averaged.folder})
    ClassificationTask().predict(predict_job(), data(), run)

    scored = run.tables["predictions"].join(data().images.select("image", "label"), on="image")
    of_role = scored.filter(pl.col("role") == "validation")
    positive, negative = (of_role.filter(pl.col("label") == label)["logit"].to_numpy() for label in (1, 0))
    assert averaged.result["value"] == np.mean(positive[:, None] > negative[None, :])
    # Training itself goes the same way, only what is looked at differs.
    assert [metrics["train/loss"] for _, metrics in averaged.reports] == [
        metrics["train/loss"] for _, metrics in plain.reports
    ]
    assert fingerprint(weights(averaged)) != fingerprint(weights(plain))


@slow
def test_margin_and_size_stand_in_the_published_model(tmp_path: Path) -> None:
    chosen = {"margin": 0.6, "image_scale": "1.25"}
    tuned, plain = (fitted(tmp_path / str(n), fit_job(hyperparameters=h)) for n, h in enumerate((chosen, {})))

    assert (ModelCard.read(tuned.folder).margin, ModelCard.read(tuned.folder).image_size) == (0.6, 40)
    assert (ModelCard.read(plain.folder).margin, ModelCard.read(plain.folder).image_size) == (0.2, 32)


@slow
def test_a_smaller_batch_takes_more_steps_and_accumulation_is_not_a_smaller_batch(tmp_path: Path) -> None:
    runs = {
        name: fitted(tmp_path / name, fit_job(arm=arm))
        for name, arm in (("whole", {}), ("half", {"batch_size": 8}), ("parts", {"accumulate": 2}))
    }

    assert len({fingerprint(weights(run)) for run in runs.values()}) == 3
    assert runs["half"].certificate["batch"] == {"size": 8, "parts": 1}
    assert runs["parts"].certificate["batch"] == {"size": 32, "parts": 2}


def _register(fitting: int) -> str:
    """A small network on a device that has memory for so many inputs of a training step."""

    def forget(model: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        if model.training and len(inputs[0]) > fitting:
            raise torch.OutOfMemoryError(f"no memory for {len(inputs[0])} inputs")

    def forgetful(pretrained: bool = False, num_classes: int = 1, in_chans: int = 1, **_: object) -> torch.nn.Module:
        model: torch.nn.Module = timm.create_model("test_resnet", num_classes=num_classes, in_chans=in_chans)
        model.register_forward_pre_hook(forget)
        return model

    forgetful.__name__ = f"forgetful_{fitting}"
    register_model(forgetful)
    return forgetful.__name__


FORGETFUL = {fitting: _register(fitting) for fitting in (16, 8, 4, 2)}


@slow
@pytest.mark.parametrize(("fitting", "parts"), [(16, 1), (8, 2), (4, 4)])
def test_a_batch_without_memory_is_computed_in_parts_as_if_the_study_said_so(
    tmp_path: Path, fitting: int, parts: int
) -> None:
    cell = {**fit_job()["cell"], "backbone": FORGETFUL[fitting]}

    run = fitted(tmp_path / "run", fit_job(cell=cell))

    asked = fitted(tmp_path / "asked", fit_job(cell=cell, arm={"accumulate": parts}))
    assert [failure["parts"] for failure in run.certificate.get("out_of_memory", [])] == [1, 2][: parts // 2]
    assert run.certificate["batch"]["parts"] == parts
    assert fingerprint(weights(run)) == fingerprint(weights(asked))
    assert [epoch for epoch, _ in run.reports] == [1, 2]


@slow
def test_a_batch_that_never_fits_fails_the_job(tmp_path: Path) -> None:
    with pytest.raises(torch.OutOfMemoryError, match="no memory for 4 inputs"):
        fitted(tmp_path, fit_job(cell={**fit_job()["cell"], "backbone": FORGETFUL[2]}))


@pytest.mark.parametrize("parts", [2, 3, 8])
def test_a_batch_in_parts_has_the_gradient_of_the_whole_batch(parts: int) -> None:
    given = data(20, roles=("train",))
    card = ModelCard("test_convnext", 32, 1, Normalization(), "box", 0.2)
    examples = Examples.load(card, region_table(given.images, given.boxes, region="box", margin=0.2), given, "cpu")
    torch.manual_seed(0)
    model = build(card)
    recipe = Recipe(1, 1e-3, 1e-2, Augmentation.of_strength(0.0), (0, 0), until=1)
    whole = Trainer(model, Malignancy(1.5), examples, examples, recipe, (Phase(1, 1, frozenset()),), PLAIN, model, None)
    split = replace(whole, recipe=replace(recipe, batches=Batches(parts=parts)))
    inputs, labels = next(examples.shuffled(recipe.augmentation, np.random.default_rng(0), recipe.batches))

    found = []
    for trainer in (whole, split):
        model.zero_grad()
        loss = trainer.gather_gradient(inputs, labels)
        found.append([loss, *(each.grad.clone() for each in model.parameters() if each.grad is not None)])

    assert len(found[0]) > 10
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-6)


def test_a_restored_optimizer_steps_as_the_one_that_was_written_in_any_memory_format(tmp_path: Path) -> None:
    def stepped(optimizer: torch.optim.Optimizer, layer: torch.nn.Module) -> torch.Tensor:
        for parameter in layer.parameters():
            parameter.grad = (
                torch.linspace(-1, 1, parameter.numel())
                .view_as(parameter)
                .contiguous(memory_format=torch.channels_last)
            )
        optimizer.step()
        return next(layer.parameters()).detach().clone()

    torch.manual_seed(0)
    layer = torch.nn.Conv2d(3, 4, 3, bias=False).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, fused=True)
    stepped(optimizer, layer)
    Learner(layer, optimizer, None, lambda model: dict(model.state_dict())).write(tmp_path, Progress(1))
    other = torch.nn.Conv2d(3, 4, 3, bias=False).to(memory_format=torch.channels_last)
    restored = torch.optim.AdamW(other.parameters(), lr=0.1, fused=True)

    restore_weights(tmp_path, other, None)
    restore_optimizer(tmp_path, restored)

    assert torch.equal(stepped(restored, other), stepped(optimizer, layer))


def test_no_part_of_a_batch_holds_a_single_region() -> None:
    assert [Batches(parts=4).of_step(count) for count in (1, 2, 3, 7, 8, 32)] == [1, 1, 1, 3, 4, 4]


def test_smoothed_labels_cost_what_a_hand_calculation_says() -> None:
    logits, labels = torch.tensor([[2.0], [-1.0]]), torch.tensor([1, 0])

    loss = Malignancy(3.0, label_smoothing=0.2).loss(logits, labels)

    # Targets .9 and .1: -(3 t log p + (1 - t) log(1 - p)), with p = sigmoid(2) = .880797 and sigmoid(-1) = .268941.
    by_hand = -(
        3 * 0.9 * np.log(0.880797) + 0.1 * np.log(0.119203) + 3 * 0.1 * np.log(0.268941) + 0.9 * np.log(0.731059)
    )
    assert float(loss) == pytest.approx(by_hand / 2, abs=1e-5)


@pytest.mark.parametrize(("weighting", "weight"), [("balanced", 4.0), ("square_root", 2.0), ("none", 1.0)])
def test_a_rare_class_counts_as_much_as_the_weighting_says(weighting: str, weight: float) -> None:
    regions = pl.DataFrame({"label": [1, 0, 0, 0, 0]})

    assert malignancy(regions, regions, class_weighting=weighting).positive_weight == weight


@slow
@pytest.mark.parametrize(("weighting", "weight"), [("balanced", 4.0), ("none", 1.0)])
def test_the_chosen_weighting_is_the_one_in_the_loss(tmp_path: Path, weighting: str, weight: float) -> None:
    given = data()
    rare = given.images.filter((pl.col("label") == 0) | (pl.col("role") != "train") | (pl.col("image") < "a-006"))
    run = FakeRun(tmp_path)

    job = fit_job(hyperparameters={"class_weighting": weighting, "label_smoothing": 0.1})
    ClassificationTask().fit(job, replace(given, images=rare), run)

    assert run.certificate["objective"]["positive_weight"] == weight
    assert run.certificate["objective"]["label_smoothing"] == 0.1


def test_checkpoints_are_written_every_epoch_unless_the_disk_is_slow(tmp_path: Path) -> None:
    def written(seconds: float) -> list[int]:
        now, epochs = [0.0], list[int]()
        saver = Saver(FakeRun(tmp_path / str(seconds)), clock=lambda: now[0])
        for epoch in range(1, 9):
            now[0] += 10.0  # an epoch of training

            def write(folder: Path, epoch: int = epoch) -> None:
                now[0] += seconds
                epochs.append(epoch)

            saver.save(epoch, write, is_last=epoch == 8)
        return epochs

    assert written(0.2) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert written(1.0) == [1, 3, 5, 7, 8]  # a second is to be 5 % of the time from one checkpoint to the next
    assert written(30.0) == [1, 8]


@slow
@pytest.mark.parametrize(
    ("backbone", "size"), [("vit_tiny_patch16_224", 64), ("convnext_atto", 32), ("mobilenetv3_small_050", 32)]
)
def test_any_timm_model_fits_resumes_and_predicts(tmp_path: Path, backbone: str, size: int) -> None:
    _, source = published(tmp_path, backbone, **({"img_size": size} if backbone.startswith("vit") else {}))
    cell = {**fit_job()["cell"], "backbone": backbone, "init": "partial_1"}
    job = fit_job(cell=cell, source=source, arm={"image_size": size})
    whole = fitted(tmp_path / "whole", job)

    with pytest.raises(Stop):
        fitted(tmp_path / "parts", job, stop_after=2)
    resumed = fitted(tmp_path / "parts", job)
    run = FakeRun(tmp_path / "predict", needs={"fit-key": resumed.folder})
    ClassificationTask().predict(predict_job(cell=cell), data(6, labels=False), run)

    assert fingerprint(weights(resumed)) == fingerprint(weights(whole))
    assert run.tables["predictions"]["score"].is_between(0, 1).all()
    assert json.loads((resumed.folder / "model.json").read_text())["image_size"] == size
