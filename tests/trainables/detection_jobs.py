"""Tiny radiographs with bright squares, and detection jobs over them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from trainables.data import JobData

SIDE = 64
BACKBONE = "yolov5n"


class Store:
    """Images in memory with the one method of a pixel store that jobs use."""

    def __init__(self, images: dict[str, npt.NDArray[np.uint16]]) -> None:
        self.images = images

    def read(self, image: str) -> npt.NDArray[np.uint16]:
        return self.images[image]


def data(count: int = 18, *, corpus: bool = False, labels: bool = True, seed: int = 0) -> JobData:
    """Positive: a bright square with a box; negative: a dark one with a box, or nothing. A third validates."""
    random = np.random.default_rng(seed)
    pixels, images, boxes = {}, [], []
    for number in range(count):
        name, sign = f"a-{number:03d}", ("bright", "dark", "bright", "none")[number % 4]
        height, width = SIDE, int(random.integers(44, SIDE + 1))
        film = random.normal(0.4, 0.05, (height, width))
        if sign != "none":
            x, y, side = int(random.integers(0, 28)), int(random.integers(0, 48)), int(random.integers(10, 16))
            film[y : y + side, x : x + side] = 0.9 if sign == "bright" else 0.1
            corners = {"x0": float(x), "y0": float(y), "x1": float(x + side), "y1": float(min(y + side, height))}
            boxes.append({"image": name, "box": 0, **corners, "target": int(sign == "dark" and not corpus)})
        pixels[name] = (film.clip(0, 1) * 65535).astype(np.uint16)
        role = "pretraining" if corpus else "validation" if number % 3 == 2 else "train"
        size = {"height": height, "width": width}
        label = {"label": int(sign == "bright")} if labels else {}
        images.append({"image": name, "patient": f"p{name}", "center": "a", **size, "role": role, **label})
    return JobData(pl.DataFrame(images), pl.DataFrame(boxes), {"a": Store(pixels)})  # type: ignore[dict-item]


def fit_job(init: str = "scratch", **changes: Any) -> dict[str, Any]:
    return {
        "key": "fit-key",
        "name": "detection/x-f0-s0",
        "kind": "fit",
        "purpose": "scores",
        "task": "detection",
        "arm": arm(),
        "cell": cell(init=init),
        "fold": 0,
        "seed": 0,
        "epochs": 1,
        "trial": None,
        "hyperparameters": {},
        "source": None,
        "needs": {"features": [], "pretrain": None, "fit": None},
        **changes,
    }


def arm(**changes: Any) -> dict[str, Any]:
    basics = {"task": "detection", "negatives": "background", "image_size": SIDE, "batch_size": 16, "score": "max"}
    return {**basics, "fit": {"epochs": 1, "seeds": [0], "patience": None}, **changes}


def cell(backbone: str = BACKBONE, init: str = "scratch") -> dict[str, Any]:
    return {"id": "detection/x", "backbone": backbone, "pretraining": "none", "init": init}


def two_classes() -> dict[str, Any]:
    return arm(negatives="class")


def pretrain_job(**changes: Any) -> dict[str, Any]:
    corpus = {"name": "chest", "pretrain": {"image_size": 50, "epochs": 1}}
    job = {**fit_job(), "kind": "pretrain", "cell": None, "backbone": BACKBONE, "corpus": corpus, "classes": ["a", "b"]}
    return {**job, **changes}


def predict_job() -> dict[str, Any]:
    return {**fit_job(), "kind": "predict", "needs": {"features": [], "pretrain": None, "fit": "fit-key"}}
