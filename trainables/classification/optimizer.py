"""The optimizer of a training: who decays, and how the learning rate falls from the head to the stem."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from trainables.classification.stages import groups

LONGEST_STEP = 1.0
"""Gradients are shortened to this norm, so that the upper end of the learning rates trains badly but does train."""


def optimizer_for(
    model: torch.nn.Module, learning_rate: float, weight_decay: float, layer_decay: float = 1.0
) -> torch.optim.AdamW:
    """AdamW over what is trainable; weights decay, biases, normalization layers and what timm exempts do not.

    The rate of the k-th stage before the head is learning_rate x layer_decay^k (Howard & Ruder, 2018; Clark et al.,
    2020); head and neck have k = 0. Each group keeps its factor as `scale`.
    """
    named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    scales = _scales(model, layer_decay) if layer_decay != 1.0 else dict.fromkeys(named, 1.0)
    exempt = _exempt(model)
    members: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in named.items():
        decay = 0.0 if parameter.ndim <= 1 or name in exempt else weight_decay
        members.setdefault((scales[name], decay), []).append(parameter)
    ordered = sorted(members.items(), key=lambda group: (-group[0][0], -group[0][1]))
    parts: list[dict[str, Any]] = [
        {"params": parameters, "weight_decay": decay, "lr": learning_rate * scale, "scale": scale}
        for (scale, decay), parameters in ordered
    ]
    optimizer = torch.optim.AdamW(parts, lr=learning_rate, fused=True)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]  # as torch's own schedulers do
    return optimizer


def set_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Let every group learn at its share of the head's rate."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["scale"]


def highest(optimizer: torch.optim.Optimizer, value: str) -> float:
    """Of the live groups: their `lr`, their `initial_lr` or their `weight_decay`."""
    return float(max(group[value] for group in optimizer.param_groups))


def shorten_and_step(optimizer: torch.optim.Optimizer) -> None:
    """Shorten the gradients that were gathered, and change the weights."""
    torch.nn.utils.clip_grad_norm_(_parameters(optimizer), LONGEST_STEP, foreach=True)
    optimizer.step()
    optimizer.zero_grad()


def _parameters(optimizer: torch.optim.Optimizer) -> Iterable[torch.Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _scales(model: torch.nn.Module, layer_decay: float) -> dict[str, float]:
    head_first = reversed(groups(model))
    return {name: layer_decay**distance for distance, stage in enumerate(head_first) for name in stage}


def _exempt(model: torch.nn.Module) -> set[str]:
    """Position and class tokens of transformers, say."""
    told = getattr(model, "no_weight_decay", None)
    return set() if told is None else {str(name) for name in told()}
