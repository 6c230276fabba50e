"""Weights from files: read without running their code, named, loaded, and certified tensor by tensor."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from search_spaces.errors import StudyError
from trainables.weights.layouts import timm_names
from trainables.weights.positions import positions_on_grid
from trainables.weights.refusals import some, why_foreign, why_no_weights_file

Tensors = dict[str, torch.Tensor]

LEAST_SHARE = 0.9
"""Of a backbone's tensors that a file must hold, and of a file's tensors that the backbone must use."""

COUNTERS = "num_batches_tracked"
"""Batch norm's step counters: they shape no output, and old files lack them, so shares are counted without."""

_WRAPPERS = ("state_dict", "model")
_POSITIONS = ("pos_embed", "relative_position_bias_table")
"""What transformers learn for one grid of patches."""
_DEEPEST = 8
"""Wrappers around one another that are looked into."""
UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
)


@dataclass(frozen=True)
class Loaded:
    """What became of a file's tensors; names are the backbone's, those left over the file's."""

    loaded: tuple[str, ...]
    reshaped: tuple[str, ...]
    """Loaded too, their three color channels summed to one, or their one channel spread over three."""
    missing: tuple[str, ...]
    left_over: tuple[str, ...]
    share: float
    """Of the backbone's tensors, batch norm's counters aside."""
    fingerprint_source: str
    """Of the tensors as they were handed over."""

    def facts(self) -> dict[str, Any]:
        """For the certificate."""
        return {
            "tensors_loaded": list(self.loaded),
            "tensors_reshaped": list(self.reshaped),
            "tensors_missing": list(self.missing),
            "tensors_left_over": list(self.left_over),
            "share_loaded": self.share,
            "fingerprint_source": self.fingerprint_source,
        }


def load_backbone(
    model: torch.nn.Module,
    path: Path,
    *,
    backbone: str,
    names: Collection[str],
    first_conv: str,
    least: float = LEAST_SHARE,
) -> Loaded:
    """Load a file into the tensors `names` of a model, all else of the model stays; raises StudyError if it misfits.

    `first_conv` is the layer whose kernels may be summed from three channels to one, or spread from one over three.
    Misfits are: a tensor of another shape, less than `least` of the names in the file, more than a tenth of the file
    unused (another, larger backbone), and what `why_foreign` recognizes.
    """
    return load_tensors(
        model, read_weights(path), path, backbone=backbone, names=names, first_conv=first_conv, least=least
    )


def load_tensors(
    model: torch.nn.Module,
    content: Tensors,
    path: Path,
    *,
    backbone: str,
    names: Collection[str],
    first_conv: str,
    least: float = LEAST_SHARE,
) -> Loaded:
    """As load_backbone, of the tensors that were read from `path` before."""
    wanted = set(names)
    live = {name: tensor for name, tensor in model.state_dict().items() if name in wanted}
    foreign = why_foreign(content, _shapes(live), path, backbone)
    if foreign:
        raise StudyError(foreign)
    found = _named(content, path, backbone)
    positions = positions_on_grid(found, model)
    handed, reshaped = _fitting({**found, **positions}, live, path, backbone, f"{first_conv}.weight")
    loaded = Loaded(
        loaded=tuple(handed),
        reshaped=(*reshaped, *positions),
        missing=tuple(name for name in live if name not in handed),
        left_over=tuple(name for name in found if name not in live),
        share=_counted(handed) / _counted(live),
        fingerprint_source=fingerprint(handed),
    )
    _check_shares(loaded, found, len(live), path, backbone, least)
    model.load_state_dict(handed, strict=False)
    _check_arrival(model, loaded, path)
    return loaded


def read_weights(path: Path) -> Tensors:
    """The tensors of a .safetensors, .pth or .pt file; pickles only with weights_only. Raises StudyError."""
    wrong = why_no_weights_file(path)
    if wrong:
        raise StudyError(wrong)
    try:
        content: dict[Any, Any] = load_file(path) if path.suffix == ".safetensors" else _load_pickle(path)
    except (SafetensorError, *UNREADABLE) as error:
        reason = " ".join(str(error).split())[:160]
        raise StudyError(
            f"{path}: cannot be read as weights ({reason}); allowed are .safetensors, and .pth or .pt files that hold "
            "a state_dict of plain tensors. Fetch the file anew, or bring a whole pickled model with "
            "`osteogrid weights add`, which reads its tensors only."
        ) from None
    for _ in range(_DEEPEST):  # a pickled dictionary can hold itself
        content = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), dict)), content)
    tensors = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise StudyError(f"{path}: holds no tensors; a state_dict or {{'state_dict': ...}} is expected.")
    return tensors


def write_weights(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Save tensors of any device and memory format."""
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(tensors: Mapping[str, torch.Tensor]) -> str:
    """Sha256 of names, types, shapes and bytes, whatever the order, device or memory format."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _load_pickle(path: Path) -> dict[Any, Any]:
    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}")
    return content


def _named(tensors: Tensors, path: Path, backbone: str) -> Tensors:
    names = timm_names(tensors, backbone)
    if len(set(names.values())) < len(names):
        taken: dict[str, str] = {}
        first, second = next((taken[new], old) for old, new in names.items() if taken.setdefault(new, old) != old)
        raise StudyError(f"{path}: {first!r} and {second!r} both mean {names[first]!r}; keep one model per file.")
    return {names[name]: tensor for name, tensor in tensors.items()}


def _fitting(found: Tensors, live: Tensors, path: Path, backbone: str, first: str) -> tuple[Tensors, tuple[str, ...]]:
    """The file's tensors in the backbone's shapes and types, and the names whose channels were summed or spread."""
    handed, reshaped = {}, []
    for name, target in live.items():
        if name not in found:
            continue
        tensor = found[name]
        if name == first and (changed := _other_channels(tensor, target)) is not None:
            tensor = changed
            reshaped.append(name)
        if tensor.shape != target.shape and name.endswith(_POSITIONS):
            raise StudyError(
                f"{path}: {name} has shape {tuple(tensor.shape)}, {backbone} has {tuple(target.shape)} there: its "
                "positions are those of another input size. Leave out image_size and image_scale, or bring a file of "
                "this size."
            )
        if tensor.shape != target.shape:
            raise StudyError(
                f"{path}: {name} has shape {tuple(tensor.shape)}, {backbone} has {tuple(target.shape)} there; "
                f"the file is of another backbone. Give the file of {backbone}."
            )
        handed[name] = as_weights(tensor, target, name, path)
    return handed, tuple(reshaped)


def as_weights(tensor: torch.Tensor, target: torch.Tensor, name: str, path: Path) -> torch.Tensor:
    """A file's tensor in the type of the network's own; StudyError for whole numbers in place of weights, NaN and inf.

    Whole numbers are what quantized files hold: without their scales, which have other names, they mean nothing.
    """
    if target.is_floating_point() and not tensor.is_floating_point():
        raise StudyError(
            f"{path}: {name} holds whole numbers ({tensor.dtype}), as a quantized network does; bring the file that "
            "was published before it was quantized."
        )
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        raise StudyError(f"{path}: {name} holds values that are not finite; fetch the file anew.")
    return tensor.to(target.dtype)


def _other_channels(tensor: torch.Tensor, target: torch.Tensor) -> torch.Tensor | None:
    """Kernels that answer a gray image as the file's would, for another number of channels; None if they need not."""
    if tensor.ndim != 4 or {tensor.shape[1], target.shape[1]} != {1, 3}:
        return None
    return tensor.sum(dim=1, keepdim=True) if target.shape[1] == 1 else tensor.repeat(1, 3, 1, 1) / 3


def _check_shares(loaded: Loaded, found: Tensors, total: int, path: Path, backbone: str, least: float) -> None:
    if loaded.share < least:
        raise StudyError(
            f"{path}: holds {len(loaded.loaded)} of the {total} tensors of {backbone}, {loaded.share:.0%} where "
            f"{least:.0%} are needed; missing are {some(loaded.missing)}, the file has {some(tuple(found))}. "
            f"Give a file of {backbone} in timm's, torchvision's or RadImageNet's names."
        )
    if len(loaded.left_over) > (1 - LEAST_SHARE) * len(found):
        raise StudyError(
            f"{path}: {len(loaded.left_over)} of its {len(found)} tensors have no place in {backbone}, such as "
            f"{some(loaded.left_over)}; the file is of a larger backbone. Give the file of {backbone}."
        )


def _check_arrival(model: torch.nn.Module, loaded: Loaded, path: Path) -> None:
    live = model.state_dict()
    if fingerprint({name: live[name] for name in loaded.loaded}) != loaded.fingerprint_source:
        raise RuntimeError(f"{path}: the model's tensors differ from the file's after loading.")


def _shapes(live: Tensors) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in live.items() if not name.endswith(COUNTERS)}


def _counted(tensors: Tensors) -> int:
    return sum(not name.endswith(COUNTERS) for name in tensors)
