"""Reads a file of unknown origin in a process of its own, and hands over its tensors as safetensors, nothing else.

The process gets none of this one's environment and open files, and limits itself in time, memory and file size before
it opens the file: `python -m trainables.weights.reader FILE TENSORS`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from search_spaces.errors import StudyError
from trainables.weights.loading import UNREADABLE
from trainables.weights.pickles import tensors_of
from trainables.weights.refusals import why_no_weights_file

SECONDS = 300
"""Of processor time for one file, and of patience for its process."""

_ROOT = Path(__file__).resolve().parents[2]
_KEPT = ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")
_MEGABYTE = 1 << 20


def read_apart(path: Path, tensors: Path) -> None:
    """Write all tensors of `path` to the safetensors file `tensors`; floating-point ones as float32.

    Raises StudyError if the file is refused, broken, or wants more time or memory than weights of its size need.
    """
    command = [sys.executable, "-m", "trainables.weights.reader", str(path.resolve()), str(tensors.resolve())]
    try:
        done = subprocess.run(
            command,
            cwd=_ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise StudyError(f"{path}: was not read within {SECONDS} seconds; no weights file takes so long.") from None
    if done.returncode < 0:
        raise StudyError(
            f"{path}: reading it was stopped by signal {-done.returncode}, as it asked for more time, memory or space "
            "than a weights file of its size needs. Fetch the file anew from where it was published."
        )
    if done.returncode:
        raise RuntimeError(f"{path}: the process that reads it ended with {done.stderr.strip()[-500:]}")
    answer = json.loads(done.stdout)
    if answer:
        raise StudyError(answer.replace(str(path.resolve()), str(path)))


def environment() -> dict[str, str]:
    """All that the reading process is told of this one's environment: no tokens, keys or addresses."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {"OMP_NUM_THREADS": "1"}


def _main(path: Path, tensors: Path) -> str:
    """Why the file cannot be read, empty if its tensors are written."""
    _limit(path.stat().st_size if path.is_file() else 0)
    wrong = why_no_weights_file(path)
    if wrong:
        return wrong
    try:
        found = load_file(path) if path.suffix == ".safetensors" else tensors_of(path)
        plain = {name: _plain(tensor) for name, tensor in found.items()}
    except (*UNREADABLE, SafetensorError, MemoryError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        return f"{path}: cannot be read as weights ({reason}). Fetch the file anew from where it was published."
    if not plain:
        return f"{path}: holds no tensors; a state_dict or a whole model of PyTorch is expected."
    save_file(plain, tensors)
    return ""


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """A copy that shares its memory with no other; in float32, as some files are published in half precision."""
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to(dtype).contiguous().clone()


def _limit(size: int) -> None:
    """Bound what reading a file of `size` bytes may take, beyond the libraries that are loaded by now.

    Memory is bounded where /proc says how much is in use.
    """
    limits = {
        resource.RLIMIT_CPU: SECONDS,
        resource.RLIMIT_FSIZE: 4 * size + 16 * _MEGABYTE,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_NPROC: 0,  # no further process or thread; root is not held by it
    }
    statistics = Path("/proc/self/statm")
    if statistics.exists():
        taken = int(statistics.read_text().split()[0]) * resource.getpagesize()
        limits[resource.RLIMIT_AS] = taken + 12 * size + 512 * _MEGABYTE
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))


if __name__ == "__main__":
    json.dump(_main(Path(sys.argv[1]), Path(sys.argv[2])), sys.stdout)
