"""What a detector starts from: nothing, or the weights of a source, and the facts that prove it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ultralytics.nn.tasks import DetectionModel

from search_spaces.errors import StudyError
from search_spaces.initialization import SCRATCH
from trainables.detection.network import WEIGHTS, read_source, transfer
from trainables.detection.recipe import Recipe
from trainables.task import Job, Run
from trainables.weights.loading import Loaded, fingerprint, sha256_of


def initialize(model: DetectionModel, recipe: Recipe, job: Job, run: Run) -> dict[str, Any]:
    """Fill a detector from the job's source, if it has one; facts for the certificate.

    StudyError for a file that misfits.
    """
    facts = {"init": recipe.init, "backbone": recipe.backbone}
    source = job.get("source")
    if (recipe.init == SCRATCH) != (source is None):
        raise RuntimeError(f"Init {recipe.init} with source {source}: scratch has none, all others need one.")
    if source is None:
        return {**facts, "source": None, "tensors_loaded": [], "share_loaded": 0.0}
    path = run.need(source["key"]) / WEIGHTS if source["kind"] == "corpus" else Path(source["path"])
    digest = _digest(path, source)
    loaded = transfer(model, read_source(path), path, recipe.init)
    _check_arrival(model, loaded, path)
    return {
        **facts,
        "source": {"kind": source["kind"], "file": path.name, "sha256": digest},
        **loaded.facts(),
        "frozen_all_loaded": True,  # otherwise `transfer` has raised
    }


def _digest(path: Path, source: dict[str, Any]) -> str:
    """The file's sha256, which for a file brought along must be the planned one."""
    if not path.is_file():
        raise StudyError(f"{path}: there is no such weights file; put it there or leave the source out of the grid.")
    found = sha256_of(path)
    if source["kind"] == "file" and found != source["sha256"]:
        raise StudyError(
            f"{path}: its sha256 is {found[:12]}…, the study was planned with {source['sha256'][:12]}…; "
            "bring the planned file back, or plan anew with this one."
        )
    return found


def _check_arrival(model: DetectionModel, loaded: Loaded, path: Path) -> None:
    live = model.state_dict()
    if fingerprint({name: live[name] for name in loaded.loaded}) != loaded.fingerprint_source:
        raise RuntimeError(f"{path}: the model's tensors differ from the file's after loading.")
