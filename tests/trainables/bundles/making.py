"""A bundle of untrained networks, and radiographs as files: what predicting needs, without a study."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from cohorts.radiograph import DECODING
from tests.trainables.classification_jobs import BACKBONE
from trainables.bundles.bundle import MODEL_FILES, Bundle, Limit, Replicate, Terms
from trainables.classification.model import ModelCard, build, write_model
from trainables.sampling import Normalization

SIZE = 48
"""Longest stored side; the films written here are larger."""


def make_bundle(folder: Path, *, region: str = "box", count: int = 2, **changes: Any) -> Bundle:
    """Networks with random weights; the second one is the best on the reserve."""
    card = ModelCard(BACKBONE, 32, 1, Normalization(), region, 0.2 if region == "box" else 0.0)  # type: ignore[arg-type]
    values: dict[str, Any] = {
        "study": "tiny",
        "cell": f"classification/{BACKBONE}-chest-transfer",
        "backbone": BACKBONE,
        "pretraining": "chest",
        "init": "transfer",
        "arm": {"task": "classification", "name": "classification", "region": region},
        "size": SIZE,
        "decoding": DECODING,
        "scale": "logit",
        "replicates": tuple(_replicate(folder, card, number) for number in range(count)),
        "missing": (),
        "limits": (
            Limit("sensitivity>=0.90", "reserve", -1e9, {"f0-s0": -1e9, "f1-s0": math.inf}),
            Limit("specificity>=0.90", "reserve", math.inf, {"f0-s0": math.inf, "f1-s0": -1e9}),
        ),
        "terms": (Terms("chest", "radiographs, chest", "CC0-1.0", "unknown"),),
        "exploratory": False,
        "plan_hash": "abc",
        "locked_at": "2026-01-01",
        "code": "123",
        "versions": {"torch": "2"},
    }
    return Bundle(**{**values, **changes})


def write_films(folder: Path, names: Sequence[str] = ("a.png", "b.png", "c.png")) -> list[Path]:
    """Gray PNG films of noise, 64 x 96, no two alike."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        pixels = np.random.default_rng(number).integers(0, 65535, (96, 64), dtype=np.uint16)
        cv2.imwrite(str(folder / name), pixels)
    return [folder / name for name in names]


def _replicate(folder: Path, card: ModelCard, number: int) -> Replicate:
    place = folder / f"fit-{number}"
    place.mkdir(parents=True)
    torch.manual_seed(number)
    state = build(card).state_dict()
    state["fc.weight"].abs_()  # every feature speaks for the positive class, so that there is evidence to map
    write_model(place, card, state)
    checksums = {name: hashlib.sha256((place / name).read_bytes()).hexdigest() for name in MODEL_FILES}
    return Replicate(f"f{number}-s0", number, 0, f"key{number}", 0.5 + number / 10, checksums, place)
