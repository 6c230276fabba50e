from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from search_spaces.errors import StudyError
from tests.trainables.detection_jobs import BACKBONE, cell, data, fit_job
from tests.trainables.fakes import FakeRun
from trainables.certificate import verify
from trainables.detection import DetectionTask
from trainables.detection.quiet import import_ultralytics
from trainables.task import Stop
from trainables.weights.loading import sha256_of

pytestmark = pytest.mark.slow

import_ultralytics()

from trainables.detection.checkpoint import read_tensors  # noqa: E402
from trainables.detection.network import build, transfer  # noqa: E402
from trainables.detection.phases import Phase, left_over, phases  # noqa: E402
from trainables.weights.loading import read_weights, write_weights  # noqa: E402

Arrays = dict[str, np.ndarray[Any, Any]]
FILMS = data(9)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of another detector: one class, so that its head fits."""
    path = tmp_path_factory.mktemp("weights") / f"{BACKBONE}.safetensors"
    write_weights(path, build(BACKBONE, 1, seed=7).state_dict())
    return path


def job_from(path: Path, init: str, **changes: Any) -> dict[str, Any]:
    return fit_job(init, source={"kind": "file", "path": str(path), "sha256": sha256_of(path)}, **changes)


def fitted(folder: Path, job: dict[str, Any], **options: Any) -> FakeRun:
    run = FakeRun(folder, **options)
    DetectionTask().fit(job, FILMS, run)
    verify(job, run.certificate)
    return run


def published(run: FakeRun) -> Arrays:
    return load_file(run.folder / "model.safetensors")


def live(run: FakeRun) -> Arrays:
    """The last weights themselves, not their average."""
    newest = run.newest_checkpoint()
    assert newest is not None
    return {name: tensor.numpy() for name, tensor in read_tensors(newest)["model"].items()}


def layers_that_changed(before: Arrays, after: Arrays) -> set[int]:
    return {int(name.split(".")[1]) for name in before if not np.array_equal(before[name], after[name])}


def ends(run: FakeRun) -> tuple[str, str]:
    """Of the best epoch that is published, and of the last: weights, averages and the optimizer's moments."""
    newest = run.newest_checkpoint()
    assert newest is not None
    return sha256_of(run.folder / "model.safetensors"), sha256_of(newest / "state.safetensors")


@pytest.mark.parametrize(("init", "first_trained"), [("transfer", 0), ("partial_2", 5), ("partial_4", 1)])
def test_partial_trains_the_last_stages_and_leaves_those_before_with_their_statistics(
    source, tmp_path, init, first_trained
):
    run = fitted(tmp_path, job_from(source, init))

    assert min(layers_that_changed(load_file(source), published(run))) == first_trained
    assert bool(run.certificate["fingerprint_frozen_before"]) == (first_trained > 0)


def test_frozen_leaves_the_backbone_to_the_byte_in_the_live_and_in_the_averaged_copy(source, tmp_path):
    run = fitted(tmp_path, job_from(source, "frozen", epochs=2))

    assert min(layers_that_changed(load_file(source), published(run))) == 10
    facts = run.certificate
    assert facts["fingerprint_frozen_before"] == facts["fingerprint_before"] == facts["fingerprint_after"]
    assert facts["fingerprint_frozen_after"] == facts["fingerprint_frozen_average"] == facts["fingerprint_before"]


def test_more_stages_than_there_are_is_refused_with_their_number(source, tmp_path):
    with pytest.raises(StudyError, match=r"yolov5n\.yaml has 5 stages, so partial_1 to partial_4"):
        fitted(tmp_path, job_from(source, "partial_5"))


def test_a_probe_is_the_first_third_of_the_epochs_and_needs_one_more_for_the_transfer():
    model = build(BACKBONE, 1, seed=0)

    assert phases("probe_then_transfer", 20, model) == [Phase(0, 6, 10, is_last=False), Phase(6, 14, 0)]
    assert phases("probe_then_transfer", 2, model) == [Phase(0, 1, 10, is_last=False), Phase(1, 1, 0)]
    assert phases("partial_1", 20, model) == [Phase(0, 20, 7)]
    with pytest.raises(StudyError, match="train at least 2 epochs"):
        phases("probe_then_transfer", 1, model)


def test_a_training_enters_the_phases_it_has_not_done_and_always_the_one_it_ends_in():
    probe, rest = Phase(0, 6, 10, is_last=False), Phase(6, 14, 0)

    assert left_over([probe, rest], 0, 20) == [probe, rest]
    assert left_over([probe, rest], 6, 20) == left_over([probe, rest], 20, 20) == [rest]
    assert left_over([probe, rest], 0, 6) == left_over([probe, rest], 6, 6) == [probe]


@pytest.fixture(scope="module")
def probed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    """One epoch of probe, two of transfer."""
    return fitted(tmp_path_factory.mktemp("probed"), job_from(source, "probe_then_transfer", epochs=3))


def test_a_probe_leaves_the_backbone_and_the_transfer_after_it_trains_all(source, probed, tmp_path):
    run = fitted(tmp_path, job_from(source, "probe_then_transfer", epochs=3, until=1))

    assert min(layers_that_changed(load_file(source), live(run))) == 10
    assert min(layers_that_changed(load_file(source), live(probed))) == 0
    assert [facts["parameters_frozen"] > 1_000_000 for facts in (run.certificate, probed.certificate)] == [True, False]
    assert probed.certificate["fingerprint_probe"] == probed.certificate["fingerprint_before"]


def test_the_best_epoch_of_two_phases_is_one_of_the_second_even_if_the_probe_was_no_worse(source, tmp_path):
    # At a rate that teaches nothing in so few steps, no epoch is better than the first.
    job = job_from(source, "probe_then_transfer", epochs=2, hyperparameters={"learning_rate": 1e-5})

    run = fitted(tmp_path, job)

    probe, rest = (metrics["validation/auc"] for _, metrics in run.reports)
    assert probe >= rest
    assert run.result["epoch"] == 2
    assert run.certificate["fingerprint_after"] != run.certificate["fingerprint_before"]


def test_each_phase_has_a_schedule_of_its_own(probed):
    rates = [metrics["learning_rate"] for _, metrics in probed.reports]

    # Linear to a hundredth: one epoch at the full rate, then two epochs at 1 and 1 - 0.99 / 2 of it.
    assert rates == pytest.approx([0.002, 0.002, 0.00101])


@pytest.mark.parametrize("killed_in", [2, 3])
def test_a_probe_then_transfer_that_is_killed_goes_on_to_the_same_weights(source, probed, tmp_path, killed_in):
    job = job_from(source, "probe_then_transfer", epochs=3)
    with pytest.raises(Stop):
        fitted(tmp_path, job, stop_after=killed_in)

    resumed = fitted(tmp_path, job)

    assert [epoch for epoch, _ in resumed.reports] == list(range(killed_in, 4))
    assert ends(resumed) == ends(probed)
    assert (resumed.certificate, resumed.result) == (probed.certificate, probed.result)


LEGACY_HEAD = {
    "anchors": (3, 3, 2),
    **{f"m.{level}.weight": (255, width, 1, 1) for level, width in enumerate((64, 128, 256))},
    **{f"m.{level}.bias": (255,) for level in range(3)},
}
LAYERS_WITH_WEIGHTS = set(range(24)) - {11, 12, 15, 16, 19, 22}
"""Of YOLOv5: all but upsampling, concatenation and the head."""


def test_a_legacy_yolov5_file_gives_backbone_and_neck_and_its_head_of_anchors_is_left(tmp_path):
    path = tmp_path / "yolov5n.safetensors"
    body = {name: tensor.numpy() for name, tensor in build(BACKBONE, 80, seed=7).state_dict().items()}
    old = {f"model.24.{name}": np.ones(shape, np.float32) for name, shape in LEGACY_HEAD.items()}
    save_file({**{name: body[name] for name in body if not name.startswith("model.24.")}, **old}, path)
    model = build(BACKBONE, 1, seed=0)
    head = model.state_dict()["model.24.cv2.0.0.conv.weight"].clone()

    loaded = transfer(model, read_weights(path), path, "transfer")

    assert loaded.share == 1
    assert {int(name.split(".")[1]) for name in loaded.loaded} == LAYERS_WITH_WEIGHTS
    assert set(loaded.left_over) == set(old)
    assert model.state_dict()["model.24.cv2.0.0.conv.weight"].equal(head)


def test_a_file_may_lack_a_tensor_that_is_trained_and_none_that_is_frozen(source, tmp_path):
    tensors = load_file(source)
    gap = tmp_path / "gap.safetensors"
    save_file({name: tensors[name] for name in tensors if name != "model.3.conv.weight"}, gap)
    model = build(BACKBONE, 1, seed=0)

    assert transfer(model, read_weights(gap), gap, "transfer").share < 1
    assert transfer(model, read_weights(gap), gap, "partial_3").share < 1
    with pytest.raises(StudyError, match=r"9\d% of the frozen part's tensors fit yolov5n.yaml"):
        transfer(model, read_weights(gap), gap, "partial_2")


def test_a_quantized_file_is_refused(source):
    tensors = read_weights(source)
    tensors["model.3.conv.weight"] = (tensors["model.3.conv.weight"] * 100).to(torch.int8)

    with pytest.raises(StudyError, match=r"model\.3\.conv\.weight holds whole numbers \(torch\.int8\)"):
        transfer(build(BACKBONE, 1, seed=0), tensors, source, "transfer")


def test_rates_fall_with_the_distance_of_a_stage_from_the_head(source, tmp_path):
    settings = {"learning_rate": 0.01, "layer_decay": 0.5}

    whole = fitted(tmp_path / "whole", job_from(source, "transfer", hyperparameters=settings)).certificate
    part = fitted(tmp_path / "part", job_from(source, "partial_2", hyperparameters=settings)).certificate

    # Five stages, the first of them five steps from the neck; of partial_2 only two are trained.
    assert (whole["learning_rate"], whole["learning_rate_lowest"]) == (0.01, pytest.approx(0.01 / 32))
    assert (part["learning_rate"], part["learning_rate_lowest"]) == (0.01, pytest.approx(0.01 / 4))


def test_unknown_architectures_are_refused_and_so_is_rt_detr(tmp_path):
    with pytest.raises(StudyError, match="does not end in a YOLO detection head"):
        fitted(tmp_path, fit_job(cell=cell("rtdetr-l")))
