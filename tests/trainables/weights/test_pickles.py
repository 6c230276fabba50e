"""Pickled models of packages that are not there: their tensors are read, and nothing of the file is run."""

from __future__ import annotations

import builtins
import collections
import logging
import os
import pickle
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.weights.pickled_models import Runs, equal, foreign_class, pickle_model
from trainables.weights.pickles import ALLOWED, Stub, loads, tensors_of


class Block(torch.nn.Module):
    """Has all that a state_dict holds, and a buffer that it does not hold."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.conv = torch.nn.Conv2d(1, 2, 3, bias=False)
        self.inner = torch.nn.Sequential(torch.nn.BatchNorm2d(2), torch.nn.Identity(), torch.nn.Linear(2, 2))
        self.register_buffer("lasting", torch.arange(3))
        self.register_buffer("fleeting", torch.zeros(1), persistent=False)
        self.anything = {"a": [1, 2], "b": slice(1, 2)}


@pytest.mark.parametrize("zipped", [True, False])
def test_a_model_of_a_package_that_is_not_there_gives_its_state_dict(tmp_path: Path, zipped: bool) -> None:
    expected = pickle_model(tmp_path / "w.pt", Block(), "xrv.models", "DenseNet", zipped=zipped)

    assert equal(tensors_of(tmp_path / "w.pt"), expected)
    assert "fleeting" not in expected


def test_averaged_weights_go_before_the_last_ones(tmp_path: Path) -> None:
    averaged = Block(seed=1)
    with foreign_class("models.yolo", "DetectionModel", Block) as foreign:
        averaged.__class__ = foreign
        torch.save({"model": Block(seed=2), "ema": averaged}, tmp_path / "model.pt")
        torch.save({"model": Block(seed=2), "ema": (averaged, 7)}, tmp_path / "pair.pt")

    for name in ("model.pt", "pair.pt"):
        assert equal(tensors_of(tmp_path / name), averaged.state_dict())


def test_without_averaged_weights_the_last_ones_are_read(tmp_path: Path) -> None:
    expected = pickle_model(tmp_path / "w.pt", Block(), "models.yolo", "DetectionModel", ema=None, date="2022-08-17")

    assert equal(tensors_of(tmp_path / "w.pt"), expected)


def test_a_checkpoint_with_objects_beside_its_state_dict_is_read(tmp_path: Path) -> None:
    with foreign_class("gone", "Settings", collections.UserDict) as settings:
        torch.save({"epoch": 3, "state_dict": Block().state_dict(), "arguments": settings(a=1)}, tmp_path / "w.pth")

    assert equal(tensors_of(tmp_path / "w.pth"), Block().state_dict())


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("touch {marker}",)),
        (subprocess.check_call, (["touch", "{marker}"],)),
        (builtins.eval, ("open({marker!r}, 'w')",)),
        (builtins.exec, ("open({marker!r}, 'w')",)),
        (builtins.open, ("{marker}", "w")),
    ],
)
def test_a_file_made_to_run_code_is_refused_and_does_not_run(
    tmp_path: Path, function: Any, arguments: tuple[Any, ...], zipped: bool
) -> None:
    marker = tmp_path / "marker"
    filled = [
        [part.format(marker=marker) for part in each] if isinstance(each, list) else format_one(each, marker)
        for each in arguments
    ]
    content = {"model": Block().state_dict(), "extra": Runs(function, *filled)}
    torch.save(content, tmp_path / "w.pt", _use_new_zipfile_serialization=zipped)

    with pytest.raises(pickle.UnpicklingError, match="it is made to run code"):
        tensors_of(tmp_path / "w.pt")
    assert not marker.exists()


def format_one(text: str, marker: Path) -> str:
    return text.replace("{marker!r}", repr(str(marker))).replace("{marker}", str(marker))


def test_calls_that_no_list_names_stay_inert(tmp_path: Path) -> None:
    path = tmp_path / "marker"
    torch.save({"model": Block().state_dict(), "extra": Runs(logging.FileHandler, str(path))}, tmp_path / "w.pt")

    assert equal(tensors_of(tmp_path / "w.pt"), Block().state_dict())
    assert not path.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("torch.storage", "_load_from_bytes"),  # calls torch.load anew, without our Unpickler
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
        ("torch", "load"),
        ("builtins", "getattr"),
        ("numpy", "load"),
    ],
)
def test_only_exact_names_of_the_list_are_found(module: str, name: str) -> None:
    found = loads(b"\x80\x04" + b"".join(b"\x8c" + bytes([len(w)]) + w.encode() for w in (module, name)) + b"\x93.")

    assert issubclass(found, Stub)
    assert found.origin == f"{module}.{name}"
    assert (module, name) not in ALLOWED


def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    class Reaching:
        def __reduce__(self) -> Any:
            storage = torch.zeros(4).storage()
            return torch._utils._rebuild_tensor_v2, (storage, 2, (3,), (1,), False, collections.OrderedDict())

    torch.save({"a": Reaching()}, tmp_path / "w.pt")

    with pytest.raises(pickle.UnpicklingError, match="reaches beyond its storage"):
        tensors_of(tmp_path / "w.pt")


def test_modules_that_contain_themselves_are_refused(tmp_path: Path) -> None:
    model = Block()
    model._modules["itself"] = model
    torch.save(model, tmp_path / "w.pt")

    with pytest.raises(pickle.UnpicklingError, match="without end"):
        tensors_of(tmp_path / "w.pt")


def test_a_checkpoint_that_contains_itself_is_refused(tmp_path: Path) -> None:
    content: dict[str, Any] = {"w": torch.zeros(2)}
    content["model"] = content
    torch.save(content, tmp_path / "w.pt")

    with pytest.raises(pickle.UnpicklingError, match="without end"):
        tensors_of(tmp_path / "w.pt")
