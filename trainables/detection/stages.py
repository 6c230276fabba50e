"""A detector by depth: its backbone's stages, and a learning rate for each."""

from __future__ import annotations

from itertools import pairwise

import torch
from ultralytics.nn.tasks import DetectionModel

_PROBE_SIDE = 64


def backbone_layers(model: DetectionModel) -> int:
    """How many of the first layers are the backbone; the rest are neck and head."""
    return len(model.yaml["backbone"])


def in_layers(name: str, first: int) -> bool:
    """Whether a tensor lies in one of the first so many layers; names look like model.7.conv.weight."""
    return int(name.split(".")[1]) < first


def stage_starts(model: DetectionModel) -> list[int]:
    """The backbone's layers at which a stage begins: those that halve the resolution."""
    sides = [_PROBE_SIDE, *_sides(model)]
    return [layer for layer, (before, after) in enumerate(pairwise(sides)) if after < before]


def decay_by_depth(optimizer: torch.optim.Optimizer, model: DetectionModel, decay: float) -> None:
    """Multiply the learning rate of the k-th stage from the neck by decay^k; neck and head keep theirs (k = 0)."""
    depths = _depths(model)
    groups, optimizer.param_groups = optimizer.param_groups, []
    for group in groups:
        for depth in sorted({depths[each] for each in group["params"]}):
            members = [each for each in group["params"] if depths[each] == depth]
            optimizer.add_param_group({**group, "params": members, "lr": group["lr"] * decay**depth})


def _depths(model: DetectionModel) -> dict[torch.nn.Parameter, int]:
    starts, neck = stage_starts(model), backbone_layers(model)
    by_layer = [1 + sum(start > layer for start in starts) for layer in range(neck)]
    return {
        parameter: by_layer[int(name.split(".")[1])] if in_layers(name, neck) else 0
        for name, parameter in model.named_parameters()
    }


@torch.no_grad()
def _sides(model: DetectionModel) -> list[int]:
    """Height of every backbone layer's output; training mode is left as it was."""
    found: list[int] = []
    layers = list(model.model)[: backbone_layers(model)]
    hooks = [layer.register_forward_hook(lambda _, __, out: found.append(int(out.shape[-2]))) for layer in layers]
    was_training = model.training
    weight = next(model.parameters())
    model.eval()(torch.zeros(1, 3, _PROBE_SIDE, _PROBE_SIDE, device=weight.device, dtype=weight.dtype))
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    return found
