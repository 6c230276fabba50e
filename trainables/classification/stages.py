"""A backbone's stages: which tensors lie in which, and which of them an initialization leaves as they are."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import torch
from timm.models._manipulate import group_with_matcher

from search_spaces.errors import StudyError
from search_spaces.initialization import trained_stages
from trainables.classification.model import backbone_names

_NUMBERED = re.compile(r"\w+\.\d+(?=\.)")
"""`stages.2`: how architectures name their stages that do not say how to group them."""


def groups(model: torch.nn.Module) -> list[list[str]]:
    """Names of all tensors, batch-norm statistics too: the stem, then each stage, then neck and head.

    Stages are those of timm's coarse `group_matcher`: layer1 to layer4 of a ResNet, the blocks of a transformer.
    """
    names = list(model.state_dict())
    matcher = getattr(model, "group_matcher", None)
    grouped: dict[int, list[str]] = group_with_matcher(
        [(name, None) for name in names],
        _by_number(names) if matcher is None else matcher(coarse=True),
    )
    return [grouped[number] for number in sorted(grouped)]


def frozen_names(model: torch.nn.Module, init: str) -> frozenset[str]:
    """Tensors that an initialization never changes: none, the backbone, or what lies before the last k stages.

    Raises StudyError if the backbone has fewer than k stages.
    """
    trained = trained_stages(init)
    if trained is None:
        return frozenset()
    backbone = backbone_names(model)
    if trained == 0:
        return frozenset(backbone)
    stem, *stages, _ = groups(model)
    if trained > len(stages):
        raise StudyError(
            f"init {init}: {_name(model)} has {len(stages)} stages after its stem, which stays frozen; "
            f"allowed are partial_1 to partial_{min(len(stages), 9)}, or transfer to train all of it."
        )
    before = {name for stage in (stem, *stages[: len(stages) - trained]) for name in stage}
    return frozenset(before.intersection(backbone))


def freeze(model: torch.nn.Module, names: Collection[str]) -> None:
    """Leave all other parameters trainable; nothing before the first of them is recorded for the backward pass."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in names)


def start_training(model: torch.nn.Module, frozen: Collection[str]) -> None:
    """Training mode; modules that are frozen as a whole stay in evaluation mode, or batch norm would go on learning."""
    model.train()
    if not frozen:
        return
    for name, module in model.named_modules():
        own = [f"{name}.{tensor}" if name else tensor for tensor in module.state_dict()]
        if own and all(tensor in frozen for tensor in own):
            module.eval()


def _by_number(names: list[str]) -> Any:
    """A matcher for architectures without one: what comes before the first number is stem, after the last is neck."""
    found = dict.fromkeys(match.group() for name in names if (match := _NUMBERED.match(name)))
    numbers = {stage: number for number, stage in enumerate(found, start=1)}
    first = next((position for position, name in enumerate(names) if _NUMBERED.match(name)), len(names))
    stem = set(names[:first])

    def group(name: str) -> float:
        match = _NUMBERED.match(name)
        return numbers[match.group()] if match else 0 if name in stem else float("inf")

    return group


def _name(model: torch.nn.Module) -> str:
    known: Any = model.pretrained_cfg
    return str(known["architecture"])
