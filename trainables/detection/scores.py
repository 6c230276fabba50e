"""From the boxes of a radiograph to its one score."""

from __future__ import annotations

from typing import Literal, cast, get_args

import torch

from trainables.detection.dataset import TARGET

Score = Literal["max", "noisy_or"]


def score_named(name: str) -> Score:
    """The way to score that a study or a published model names; ValueError for any other word."""
    if name not in get_args(Score):
        raise ValueError(f"score {name!r} is none of {', '.join(get_args(Score))}")
    return cast("Score", name)


def image_score(confidences: torch.Tensor, classes: torch.Tensor, how: Score) -> float:
    """Score in [0, 1] from the boxes kept after suppression, 0 if none is of the target class.

    max: the highest confidence of the target class. noisy_or: 1 - product(1 - p), the probability that at least one
    box is right if each were right with its confidence p, independently of the others (Pearl, 1988).
    """
    of_target = confidences[classes == TARGET].double().clamp(0, 1)
    if not len(of_target):
        return 0.0
    # Summed logarithms: a product of a hundred numbers near 1 would lose what small confidences add.
    return float(of_target.max() if how == "max" else -torch.expm1(torch.log1p(-of_target).sum()))
