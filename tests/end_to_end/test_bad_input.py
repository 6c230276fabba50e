from __future__ import annotations

import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from infra.lease import Lease
from tests.end_to_end.conftest import new_place

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path):
    return new_place(tmp_path)


def edit(place, old: str, new: str) -> None:
    path = place.folder / "tiny.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def refused(place, *arguments: str, **environment: str) -> str:
    """The one sentence of a refused sweep; nothing of the study was written but its lease."""
    done = place.run("sweep", "tiny.yaml", *arguments, **environment)
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stdout
    left = {path.name for path in place.store.iterdir()} if place.store.exists() else set()
    assert left <= {"lease"}
    return done.stdout


def test_a_misspelt_key_is_refused_with_the_nearest_known_one(place):
    edit(place, "    region: box", "    regoin: box")

    assert "`arms.0.regoin` is not a known key. Did you mean 'region'?" in refused(place)


def test_a_primary_comparison_of_an_unknown_cell_is_refused_before_anything_is_trained(place):
    edit(place, "test_resnet-none-scratch]]", "test_resnet-none-scrach]]")

    assert "did you mean" in refused_late(place).lower()


def refused_late(place) -> str:
    """A refusal after the centers were taken in: they stay, but nothing is locked or run."""
    done = place.run("sweep", "tiny.yaml")
    assert done.returncode == 2, done.stdout
    assert not (place.store / "lock.json").exists()
    assert not (place.store / "jobs").exists()
    return done.stdout


def test_a_center_without_labels_is_refused_with_the_file_it_lacks(place):
    edit(place, "  phantom: {patients: 40, height: 96, difficulty: 0.3, prevalence: 0.4}\n", "")
    for name in ("center_a", "center_b", "center_c"):
        (place.folder / "data" / "centers" / name).mkdir(parents=True)

    text = refused(place)

    assert "labels.csv" in text
    assert "center_a" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--gpus", "3"), "GPUS=3: this machine shows 0 GPUs"),
        (("--cluster", "gpu"), "CLUSTER=gpu: no cluster is named"),
        (("--cluster", "gpuu"), "Did you mean 'gpu'?"),
        (("--address", "127.0.0.1:1"), "an address belongs to CLUSTER=gpu"),
    ],
)
def test_a_place_to_run_that_is_not_there_is_refused_at_once(place, arguments, sentence):
    assert sentence in refused(place, *arguments, CUDA_VISIBLE_DEVICES="", RAY_ADDRESS="")


def test_a_store_that_cannot_be_written_is_refused(place):
    (place.folder / "taken").write_text("a file where the store should be")

    assert "the run store cannot be written" in refused(place, "--store", "taken/store")


def test_a_second_sweep_of_a_study_that_is_being_run_is_refused(place):
    with Lease(place.store / "lease"):
        text = refused(place)

    assert f"is being run by process {os.getpid()}" in text


def test_weights_that_are_missing_are_named_with_where_to_put_them(place):
    edit(place, "pretraining: [none, chest]", "pretraining: [none, imagenet]")
    edit(place, "[[classification/test_resnet-chest-transfer, classification/test_resnet-none-scratch]]", "[]")

    text = refused_late(place)

    assert "weights/imagenet/test_resnet.safetensors" in text
    assert "osteogrid weights add FILE --as imagenet" in text


def test_a_weights_file_that_does_not_fit_is_refused_before_anything_is_booked(place):
    edit(place, "pretraining: [none, chest]", "pretraining: [none, imagenet]")
    edit(place, "[[classification/test_resnet-chest-transfer, classification/test_resnet-none-scratch]]", "[]")
    path = place.folder / "weights" / "imagenet" / "test_resnet.safetensors"
    path.parent.mkdir(parents=True)
    save_file({"some.other.weight": np.zeros((2, 2), dtype=np.float32)}, path)

    text = refused_late(place)

    assert "test_resnet.safetensors" in text
    assert "some.other.weight" in text
