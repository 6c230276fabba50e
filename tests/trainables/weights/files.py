"""Networks with random weights, and the files in which others publish theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
import torchvision

from trainables.weights.loading import Loaded, Tensors, load_backbone, write_weights

BACKBONE = "test_resnet"


def network(name: str = BACKBONE, seed: int = 0, **options: Any) -> torch.nn.Module:
    torch.manual_seed(seed)
    model: torch.nn.Module = timm.create_model(name, pretrained=False, **options)
    return with_random_statistics(model).eval()


def with_random_statistics(model: torch.nn.Module) -> torch.nn.Module:
    """Fresh batch norms all count from mean 0 and variance 1, so a swapped pair would go unnoticed."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.running_mean, module.running_var, module.weight.data, module.bias.data):
                assert tensor is not None
                tensor.uniform_(0.5, 1.5)
    return model


def load(model: torch.nn.Module, path: Path, name: str = BACKBONE, **options: Any) -> Loaded:
    published = dict(model.pretrained_cfg)  # type: ignore[arg-type]
    names = [key for key in model.state_dict() if not key.startswith(published["classifier"] + ".")]
    return load_backbone(model, path, backbone=name, names=names, first_conv=published["first_conv"], **options)


def saved(path: Path, tensors: Tensors) -> Path:
    write_weights(path, tensors) if path.suffix == ".safetensors" else torch.save(tensors, path)
    return path


def theirs(name: str, *, seed: int = 3, **options: Any) -> torch.nn.Module:
    """A model of torchvision with random weights and batch-norm statistics."""
    torch.manual_seed(seed)
    model: torch.nn.Module = getattr(torchvision.models, name)(weights=None, **options)
    return with_random_statistics(model).eval()


def numbered(model: torch.nn.Module, name: str, prefix: str = "backbone.") -> Tensors:
    """A torchvision model's children counted in an nn.Sequential, as RadImageNet's files have them."""
    children = list(model.children())
    count = {"resnet50": 8, "densenet121": 1}.get(name, len(children) - 3)
    state = torch.nn.Sequential(*children[:count]).state_dict()
    return {prefix + key: tensor for key, tensor in state.items()}


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a timm backbone's tensors, batch norm's counters aside."""
    with torch.device("meta"):
        model = timm.create_model(name, pretrained=False, num_classes=0)
    return {key: tuple(tensor.shape) for key, tensor in model.state_dict().items() if "num_batches" not in key}


def hollow(of: dict[str, tuple[int, ...]]) -> Tensors:
    """Tensors of these shapes without values, where only names and shapes matter."""
    return {name: torch.empty(shape, device="meta") for name, shape in of.items()}
