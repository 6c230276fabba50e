"""What each initialization trains and what it keeps, proven by the certificate, whole and after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from search_spaces.errors import StudyError
from tests.trainables.classification_jobs import data, file_source, fit_job, fitted, pretrain_job, published, weights
from tests.trainables.fakes import FakeRun
from trainables.certificate import verify
from trainables.classification import ClassificationTask
from trainables.classification.initialization import start
from trainables.task import Stop
from trainables.weights.loading import fingerprint, read_weights, sha256_of, write_weights

pytestmark = pytest.mark.slow  # networks are trained


def of(run: FakeRun, fact: str) -> Any:
    return run.certificate[f"fingerprint_{fact}"]


@pytest.mark.parametrize(
    ("init", "ema"),
    [
        ("scratch", "0.9"),
        ("transfer", "off"),
        ("transfer", "0.9"),
        ("frozen", "off"),
        ("frozen", "0.9"),
        ("partial_1", "off"),
        ("partial_3", "0.9"),
        ("probe_then_transfer", "off"),
        ("probe_then_transfer", "0.9"),
    ],
)
def test_every_init_holds_its_certificate(tmp_path: Path, init: str, ema: str) -> None:
    source = None if init == "scratch" else published(tmp_path)[1]
    job = fit_job(init, source=source, hyperparameters={"ema": ema})

    run = fitted(tmp_path / "run", job)

    verify(job, run.certificate)
    assert bool(of(run, "frozen_average")) == (ema != "off" and init in {"frozen", "partial_1", "partial_3"})


@pytest.mark.parametrize(
    ("init", "moved"), [("partial_1", {"layer4", "fc"}), ("partial_2", {"layer3", "layer4", "fc"})]
)
@pytest.mark.parametrize("ema", ["off", "0.9"])
def test_partial_moves_the_last_stages_and_the_head_only(tmp_path: Path, init: str, moved: set[str], ema: str) -> None:
    state, source = published(tmp_path, in_chans=1, num_classes=1)

    run = fitted(tmp_path / "run", fit_job(init, source=source, hyperparameters={"ema": ema}))

    changed = {name for name, value in weights(run).items() if not torch.equal(value, state[name])}
    assert {name.partition(".")[0] for name in changed} == moved
    assert any(name.endswith("running_mean") for name in changed)


def test_moved_statistics_of_batch_norm_are_no_learning(tmp_path: Path) -> None:
    began = start(fit_job(), FakeRun(tmp_path))

    began.model.train()(torch.rand(4, 1, 32, 32))

    facts = {**began.facts(), **began.finish(None)}
    assert facts["fingerprint_after"] != facts["fingerprint_before"]
    assert facts["fingerprint_trained_after"] == facts["fingerprint_trained_before"]


def test_a_probe_leaves_the_backbone_alone_until_its_own_end(tmp_path: Path) -> None:
    _, source = published(tmp_path)
    job = fit_job("probe_then_transfer", source=source, epochs=4)

    probe = fitted(tmp_path / "probe", {**job, "until": 1})
    whole = fitted(tmp_path / "whole", job)

    assert of(probe, "after") == of(probe, "probe") == of(probe, "before")
    assert of(whole, "probe") == of(whole, "before") != of(whole, "after")
    assert probe.certificate["parameters_frozen"] > 0
    assert whole.certificate["parameters_frozen"] == 0
    assert whole.reports[0] == probe.reports[0]


def test_the_best_epoch_of_two_phases_is_one_of_the_second_even_if_the_probe_was_better(tmp_path: Path) -> None:
    learned = fitted(tmp_path / "learned", fit_job(epochs=20, hyperparameters={"learning_rate": 0.01}))
    path = learned.folder / "model.safetensors"
    chosen = {"learning_rate": 0.1, "schedule": "constant"}
    source = file_source(path, sha256_of(path))
    job = fit_job("probe_then_transfer", source=source, epochs=5, hyperparameters=chosen, arm={"batch_size": 4})

    run = fitted(tmp_path / "run", job)

    best = min(run.reports, key=lambda report: (-report[1]["validation/auc"], report[1]["validation/loss"]))
    assert best[0] <= 2 < run.result["epoch"]


@pytest.mark.parametrize(
    ("init", "ema", "stopped"),
    [
        # Two of the five epochs are the probe: a kill within it, between the phases, and after.
        ("probe_then_transfer", "0.9", 2),
        ("probe_then_transfer", "0.9", 3),
        ("probe_then_transfer", "0.9", 4),
        ("partial_1", "0.9", 3),
        ("transfer", "off", 3),
    ],
)
def test_a_stopped_training_goes_on_to_the_same_bits(tmp_path: Path, init: str, ema: str, stopped: int) -> None:
    _, source = published(tmp_path)
    chosen = {"ema": ema, "layer_decay": 0.7, "schedule": "linear"}
    job = fit_job(init, source=source, epochs=5, hyperparameters=chosen)
    whole = fitted(tmp_path / "whole", job)

    with pytest.raises(Stop):
        fitted(tmp_path / "parts", job, stop_after=stopped)
    resumed = fitted(tmp_path / "parts", job)

    assert resumed.reports == whole.reports[stopped - 1 :]
    assert fingerprint(weights(resumed)) == fingerprint(weights(whole))
    assert resumed.result == whole.result
    verify(job, resumed.certificate)


def test_a_file_without_all_that_stays_frozen_is_refused(tmp_path: Path) -> None:
    _, source = published(tmp_path)
    path = Path(source["path"])
    write_weights(path, {name: each for name, each in read_weights(path).items() if name != "layer1.0.bn1.weight"})

    with pytest.raises(StudyError, match=r"100% are needed; missing are 'layer1\.0\.bn1\.weight'"):
        fitted(tmp_path / "run", fit_job("partial_1", source={**source, "sha256": sha256_of(path)}))


def test_three_channels_take_a_color_file_as_it_is(tmp_path: Path) -> None:
    state, source = published(tmp_path)
    run = fitted(tmp_path / "run", fit_job("frozen", source=source, arm={"channels": 3}))

    assert torch.equal(weights(run)["conv1.0.weight"], state["conv1.0.weight"])
    assert run.certificate["tensors_reshaped"] == []
    assert run.certificate["normalization"]["mean"] == [0.485, 0.456, 0.406]


def test_a_corpus_is_pretrained_with_the_channels_of_its_arm(tmp_path: Path) -> None:
    corpus = FakeRun(tmp_path / "corpus")
    ClassificationTask().pretrain(pretrain_job(arm={"channels": 3}), data(roles=("pretraining",)), corpus)
    job = fit_job("partial_1", source={"kind": "corpus", "key": "p"}, arm={"channels": 3})

    run = fitted(tmp_path / "fit", job, needs={"p": corpus.folder})

    assert weights(corpus)["conv1.0.weight"].shape[1] == weights(run)["conv1.0.weight"].shape[1] == 3
    verify(job, run.certificate)
