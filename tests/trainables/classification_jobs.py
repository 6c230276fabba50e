"""Tiny radiographs with a planted sign, and the jobs over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import timm
import torch
from safetensors.torch import load_file

from tests.trainables.fakes import FakeRun
from trainables.classification import ClassificationTask
from trainables.data import JobData
from trainables.weights.loading import sha256_of, write_weights

SIDE = 48
BACKBONE = "test_resnet"


class Store:
    """Images in memory with the one method of a pixel store that jobs use."""

    def __init__(self, images: dict[str, npt.NDArray[np.uint16]]) -> None:
        self.images = images

    def read(self, image: str) -> npt.NDArray[np.uint16]:
        return self.images[image]


def radiograph(random: np.random.Generator, positive: bool, box: tuple[int, int, int, int]) -> npt.NDArray[np.uint16]:
    """Noise; a positive image has stripes within its box, a negative one a flat patch."""
    x0, y0, x1, y1 = box
    pixels = random.normal(0.4, 0.05, (SIDE, SIDE))
    stripes = np.where(np.arange(x0, x1) // 3 % 2, 0.9, 0.1)
    pixels[y0:y1, x0:x1] = stripes if positive else 0.5
    return (pixels.clip(0, 1) * 65535).astype(np.uint16)


def data(count: int = 24, *, roles: tuple[str, ...] = ("train", "train", "validation"), labels: bool = True) -> JobData:
    """Every second image positive, one patient and one box each; roles go round in pairs."""
    random = np.random.default_rng(7)
    names = [f"a-{number:03d}" for number in range(count)]
    corners = random.integers(2, 18, (count, 2))
    boxes = [(int(x), int(y), int(x) + 26, int(y) + 22) for x, y in corners]
    pixels = {
        name: radiograph(random, number % 2 == 1, box)
        for number, (name, box) in enumerate(zip(names, boxes, strict=True))
    }
    images = pl.DataFrame(
        {
            "image": names,
            "patient": [f"p{name}" for name in names],
            "center": "a",
            "height": SIDE,
            "width": SIDE,
            "role": [roles[number // 2 % len(roles)] for number in range(count)],
            "label": [number % 2 for number in range(count)],
        }
    )
    table = pl.DataFrame(boxes, schema=["x0", "y0", "x1", "y1"], orient="row").cast(pl.Float64)
    table = table.with_columns(image=pl.Series(names), box=pl.lit(0))
    return JobData(images if labels else images.drop("label"), table, {"a": Store(pixels)})  # type: ignore[dict-item]


def fit_job(
    init: str = "scratch", *, region: str = "box", arm: dict[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    return {
        "key": "fit-key",
        "name": "a fit",
        "kind": "fit",
        "purpose": "scores",
        "task": "classification",
        "arm": {
            "task": "classification",
            "region": region,
            "margin": 0.2,
            "image_size": 32,
            "channels": 1,
            "batch_size": 32,
            "accumulate": 1,
            "fit": {"patience": None},
            **(arm or {}),
        },
        "cell": {"id": "classification/x", "backbone": BACKBONE, "pretraining": "none", "init": init},
        "fold": 0,
        "seed": 0,
        "epochs": 2,
        "trial": None,
        "hyperparameters": {},
        "source": None,
        "needs": {"features": [], "pretrain": None, "fit": None},
        **changes,
    }


def pretrain_job(**changes: Any) -> dict[str, Any]:
    corpus = {"name": "chest", "pretrain": {"image_size": 32, "epochs": 2}}
    job = fit_job(**changes)
    return {**job, "kind": "pretrain", "cell": None, "backbone": BACKBONE, "corpus": corpus, "classes": ["a", "b"]}


def predict_job(**changes: Any) -> dict[str, Any]:
    needs = {"features": [], "pretrain": None, "fit": "fit-key"}
    return fit_job(**{"kind": "predict", "needs": needs, "recipe": {"variants": ["original"]}, **changes})


def file_source(path: Path, sha256: str, normalization: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"kind": "file", "path": str(path), "sha256": sha256, "normalization": normalization}


def fitted(folder: Path, job: dict[str, Any] | None = None, **options: Any) -> FakeRun:
    """A fit over the standard images, and all that it said."""
    run = FakeRun(folder, **options)
    ClassificationTask().fit(job or fit_job(), data(), run)
    return run


def weights(run: FakeRun) -> dict[str, torch.Tensor]:
    """What a run published."""
    return load_file(run.folder / "model.safetensors")


def published(folder: Path, backbone: str = BACKBONE, **changes: Any) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """A file as timm publishes it, three channels and an ImageNet head, and the source that names it."""
    torch.manual_seed(5)
    state = timm.create_model(backbone, pretrained=False, **changes).state_dict()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{backbone}.safetensors"
    write_weights(path, state)
    normalization = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    return state, file_source(path, sha256_of(path), normalization)
