"""The processes that touch weights: torch is imported there, never in this one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from search_spaces.errors import StudyError


def why_misfits(entries: list[dict[str, Any]]) -> list[str]:
    """Try files on their backbones, or networks on their inputs: a sentence each, empty for a fit.

    Each entry: {path, task, backbone, init, channels}, or path None and also image_size.
    """
    if not entries:
        return []
    return list(_ask("trainables.weights.check", entries, str(entries[0]["path"] or entries[0]["backbone"])))


def import_file(
    path: Path, candidates: list[tuple[str, str]], tensors: Path, draft: Path, prefix: str
) -> dict[str, Any]:
    """Read a file of unknown origin apart and leave the backbone's tensors in `draft`; StudyError if it is refused.

    The answer holds task, backbone, layout, tensors, share and dropped (see trainables.weights.importing.Imported).
    """
    places = {"path": str(path), "tensors": str(tensors), "draft": str(draft)}
    answer: dict[str, Any] = _ask(
        "trainables.weights.importing", {**places, "prefix": prefix, "candidates": candidates}, str(path)
    )
    if "error" in answer:
        raise StudyError(answer["error"])
    return answer


def _ask(module: str, question: Any, what: str) -> Any:
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=False)
    if done.returncode:
        raise StudyError(f"{what}: trying the weights ended with an error: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)
