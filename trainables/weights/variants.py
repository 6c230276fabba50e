"""Reads from a live network which variant of its architecture it is, for the certificate."""

from __future__ import annotations

import torch


def stride_variant(model: torch.nn.Module) -> str:
    """Where a ResNet's bottlenecks stride: "v1" in conv1, "v1.5" in conv2; "" where it has none that do.

    Both variants have the same tensors, so no weights file tells them apart (He et al., 2016; Goyal et al., 2017).
    RuntimeError for a network that mixes them.
    """
    found = {variant for module in model.modules() if (variant := _of_bottleneck(module))}
    if len(found) > 1:
        raise RuntimeError(f"The network's bottlenecks stride in different places: {', '.join(sorted(found))}.")
    return next(iter(found), "")


def _of_bottleneck(module: torch.nn.Module) -> str:
    convolutions = [getattr(module, name, None) for name in ("conv1", "conv2", "conv3")]
    if not all(isinstance(convolution, torch.nn.Conv2d) for convolution in convolutions):
        return ""
    first, second, third = convolutions
    if third.kernel_size != (1, 1) or first.kernel_size != (1, 1):  # type: ignore[union-attr]
        return ""
    if max(first.stride) > 1:  # type: ignore[union-attr]
        return "v1"
    return "v1.5" if max(second.stride) > 1 else ""  # type: ignore[union-attr]
