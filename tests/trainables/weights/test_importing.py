"""A published file becomes one that jobs read: apart from this process, in the backbone's names, tensors only."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from search_spaces.errors import StudyError
from tests.trainables.weights.files import (
    hollow,
    load,
    network,
    numbered,
    saved,
    shapes,
    theirs,
    with_random_statistics,
)
from tests.trainables.weights.pickled_models import Runs, pickle_model
from trainables.weights.check import misfit
from trainables.weights.fitting import convert, fitting
from trainables.weights.importing import import_file, part_under
from trainables.weights.pickles import tensors_of
from trainables.weights.reader import environment, read_apart

RADIMAGENET = [("classification", name) for name in ("resnet50", "inception_v3", "densenet121")]
SMALL = [("classification", "resnet10t"), ("classification", "test_resnet"), ("classification", "test_efficientnet")]
DETECTORS = [("detection", name) for name in ("yolov8n", "yolov5s", "yolov5n")]
FILE = Path("file.pt")


def detector(anchors: bool, classes: int = 80) -> torch.nn.Module:
    """yolov5nu, or with anchors in its head as a legacy yolov5n has them."""
    from trainables.detection.quiet import import_ultralytics

    import_ultralytics()
    from trainables.detection.network import build

    model: Any = with_random_statistics(build("yolov5n", classes, 0))
    if anchors:
        head = torch.nn.Module()
        head.m = torch.nn.ModuleList(torch.nn.Conv2d(width, 255, 1) for width in (64, 128, 256))
        head.register_buffer("anchors", torch.rand(3, 3, 2))
        model.model[24] = head
    return model  # type: ignore[no-any-return]


@pytest.mark.slow
def test_a_densenet_that_was_pickled_whole_is_found_and_computes_the_same(tmp_path: Path) -> None:
    publisher = theirs("densenet121", num_classes=18)
    publisher.features.conv0 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    path, draft = tmp_path / "nih-densenet121-d121-tw-lr001.pt", tmp_path / "draft.safetensors"
    pickle_model(path, publisher, "torchxrayvision.models", "DenseNet")

    facts = import_file(path, tmp_path / "tensors.safetensors", draft, [RADIMAGENET[2], RADIMAGENET[0]])

    assert (facts.task, facts.backbone, facts.tensors, facts.share) == ("classification", "densenet121", 725, 1.0)
    assert set(facts.dropped) == {"classifier.weight", "classifier.bias"}
    ours = network("densenet121", num_classes=18, in_chans=1)
    load(ours, draft, "densenet121", least=1.0)
    ours.get_classifier().load_state_dict(publisher.classifier.state_dict())  # type: ignore[operator, union-attr]
    image = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        assert torch.equal(ours(image), publisher(image))


@pytest.mark.slow
def test_radimagenets_inception_is_told_from_the_other_two_by_its_tensors() -> None:
    publisher = theirs("inception_v3", aux_logits=True, init_weights=False)
    content = numbered(publisher, "inception_v3")

    task, backbone = fitting(content, FILE, RADIMAGENET)
    kept, layout, loaded = convert(content, FILE, task, backbone)

    assert (task, backbone, layout, len(kept)) == ("classification", "inception_v3", "radimagenet", 564)
    assert len(loaded.left_over) == 14
    assert all(name.startswith("AuxLogits.") for name in loaded.left_over)
    assert all(torch.equal(tensor, publisher.state_dict()[name]) for name, tensor in kept.items())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("anchors", "zipped", "classes"),
    [(True, False, 80), (False, True, 80), (False, True, 1)],
    ids=["legacy", "u", "own"],
)
def test_a_yolov5_file_gives_backbone_and_neck_and_its_head_is_recorded(
    tmp_path: Path, anchors: bool, zipped: bool, classes: int
) -> None:
    state = pickle_model(
        tmp_path / "w.pt", detector(anchors, classes), "models.yolo", "DetectionModel", zipped=zipped, ema=None
    )
    content = tensors_of(tmp_path / "w.pt")

    task, backbone = fitting(content, FILE, DETECTORS)
    kept, layout, loaded = convert(content, FILE, task, backbone)

    assert (task, backbone, layout) == ("detection", "yolov5n", "yolov5" if anchors else "ultralytics")
    assert (len(kept), loaded.share) == (342, 1.0)
    assert set(loaded.left_over) == {name for name in state if name.startswith("model.24.")}
    assert all(torch.equal(tensor, state[name]) for name, tensor in kept.items())


def test_a_prefix_takes_that_part_and_nothing_else() -> None:
    one, other = network(seed=1).state_dict(), network(seed=2).state_dict()
    both = {f"encoder_{side}.{name}": part[name] for side, part in (("q", one), ("k", other)) for name in one}

    with pytest.raises(StudyError, match=r"'encoder_q\.', 'encoder_k\.'"):
        fitting(both, FILE, SMALL)
    taken = part_under(both, "encoder_k", FILE)

    assert fitting(taken, FILE, SMALL) == SMALL[1]
    assert torch.equal(taken["conv1.0.weight"], other["conv1.0.weight"])
    with pytest.raises(StudyError, match="--prefix momentum: no tensor's name starts so"):
        part_under(both, "momentum", FILE)


def test_a_file_that_fits_none_is_refused_with_those_that_were_tried() -> None:
    with pytest.raises(StudyError, match=r"fit none of resnet10t, test_resnet, test_efficientnet; .*--backbone"):
        fitting(network("test_vit").state_dict(), FILE, SMALL)


def test_a_file_that_fits_two_alike_is_taken_for_the_one_it_is_called_after() -> None:
    alike = [("classification", "resnetaa50"), ("classification", "resnet50")]  # they differ in where they blur only
    content = hollow(shapes("resnet50"))

    assert fitting(content, Path("ResNet50.pt"), alike) == alike[1]
    with pytest.raises(StudyError, match="fits 'resnetaa50', 'resnet50' alike; say which with --backbone resnetaa50"):
        fitting(content, FILE, alike)


def test_weights_that_answer_with_infinities_are_refused() -> None:
    state = network().state_dict()
    state["layer4.0.conv1.weight"] = state["layer4.0.conv1.weight"] * 1e38

    with pytest.raises(StudyError, match="answers an image with infinities"):
        convert(state, FILE, *SMALL[1])


@pytest.mark.slow
def test_a_file_that_would_run_code_is_refused_in_the_process_that_reads_it(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    torch.save({"model": network().state_dict(), "x": Runs(os.system, f"touch {marker}")}, tmp_path / "w.pt")

    with pytest.raises(StudyError, match=r"w\.pt: cannot be read as weights \(it calls posix\.system, .*run code\)"):
        read_apart(tmp_path / "w.pt", tmp_path / "tensors.safetensors")
    assert not marker.exists()
    assert not (tmp_path / "tensors.safetensors").exists()


@pytest.mark.slow
def test_a_small_file_that_unfolds_to_gigabytes_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1).expand(10_000_000_000)}, tmp_path / "w.pt")

    with pytest.raises(StudyError, match=r"w\.pt: "):
        read_apart(tmp_path / "w.pt", tmp_path / "tensors.safetensors")


@pytest.mark.slow
def test_half_of_a_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.safetensors", network().state_dict())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(StudyError, match=r"w\.safetensors: cannot be read as weights .*Fetch the file anew"):
        read_apart(path, tmp_path / "tensors.safetensors")


def test_the_reader_inherits_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    assert "secret" not in environment().values()
    assert "PATH" in environment()


@pytest.mark.parametrize(
    ("init", "reason"),
    [
        ("transfer", ""),
        ("frozen", r"100% are needed; missing are 'bn1\.bias'"),
        ("partial_1", r"100% are needed; missing are 'bn1\.bias'"),
        ("partial_9", r"test_resnet has \d stages"),
    ],
)
def test_a_file_is_tried_as_strictly_as_its_init_needs_it(tmp_path: Path, init: str, reason: str) -> None:
    state = network().state_dict()
    del state["bn1.bias"]

    sentence = misfit(saved(tmp_path / "w.safetensors", state), "classification", "test_resnet", init, 3)

    assert re.search(reason, sentence)
    assert bool(sentence) == bool(reason)


@pytest.mark.slow
def test_a_detectors_file_is_tried_on_the_detector(tmp_path: Path) -> None:
    path = saved(tmp_path / "yolov5n.safetensors", dict(detector(anchors=True).state_dict()))

    assert misfit(path, "detection", "yolov5n", "frozen", 3) == ""
    assert "fit yolov8n" in misfit(path, "detection", "yolov8n", "transfer", 3)


@pytest.mark.parametrize(
    ("backbone", "init", "size", "sentence"),
    [
        ("test_resnet", "transfer", 32, ""),
        ("test_resnet", "partial_9", 32, "stages"),
        ("test_vit", "transfer", 40, "'test_vit'"),
    ],
)
def test_a_network_is_tried_on_its_input_and_its_stages_before_anything_is_booked(backbone, init, size, sentence):
    found = misfit(None, "classification", backbone, init, 1, size)

    assert (sentence in found) if sentence else found == ""
