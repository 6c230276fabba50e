"""What the report says of certificates: one row per cell, over all of its replicates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.journal import certificate_of
from orchestrator.plan import Plan
from orchestrator.reporting.licenses import terms, terms_of_cell, union
from search_spaces.hyperparameters import SPACES
from search_spaces.initialization import PROBE_THEN_TRANSFER, SCRATCH
from search_spaces.job import Job

__all__ = ["Training", "certificates", "checked", "summary", "terms", "trainings", "union"]

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Training:
    """One published training: its job, the hyperparameters it was given, and its certificate."""

    job: Job
    hyperparameters: Facts
    facts: Facts


def trainings(plan: Plan) -> list[Training]:
    """Every published trial and replicate of the plan that left a certificate, in the order of the study."""
    found = []
    for key, job in plan.jobs.items():
        record = plan.finished.get(key)
        if record is None or job.kind not in {"tune", "fit"}:
            continue
        facts = certificate_of(plan.workspace.run_store.attempts(key) / str(record["attempt"]))
        if facts is not None:
            found.append(Training(job, record["hyperparameters"], facts))
    return found


def certificates(plan: Plan, published: Sequence[Training]) -> Iterator[dict[str, Any]]:
    """One row per cell that has a published replicate, with the terms of all that it learned from."""
    for cell in plan.expansion.cells:
        fits = [each for each in published if each.job.cell == cell.id and each.job.kind == "fit"]
        if fits:
            of_source = terms_of_cell(plan.workspace.study, cell.pretraining, cell.backbone)
            yield {"cell": cell.id, "source": cell.pretraining, **summary(fits), **of_source}


def summary(fits: Sequence[Training]) -> dict[str, Any]:
    """The certificates of one cell's replicates in one row.

    Of a number the least favorable is taken: the fewest tensors loaded, the most missing. Texts that differ between
    replicates stand side by side. What no replicate certifies is left empty.
    """
    facts = [each.facts for each in fits]
    sources = [each.get("source") or {} for each in facts]
    return {
        "replicates": len(fits),
        "init": _texts(facts, "init"),
        "file": _texts(sources, "file"),
        "sha256": _texts(sources, "sha256"),
        "tensors_loaded": _worst(min, facts, "tensors_loaded"),
        "tensors_reshaped": _worst(max, facts, "tensors_reshaped"),
        "tensors_missing": _worst(max, facts, "tensors_missing"),
        "tensors_left_over": _worst(max, facts, "tensors_left_over"),
        "share": _worst(min, facts, "share_loaded"),
        "trainable_parameters": _worst(max, facts, "parameters_trainable"),
        "frozen_parameters": _worst(min, facts, "parameters_frozen"),
        "optimizer": _texts(facts, "optimizer"),
        "learning_rate": _worst(max, facts, "learning_rate"),
        "weight_decay": _worst(max, facts, "weight_decay"),
        "pixels": _distinct(map(_where, facts)),
        "precision": _distinct(map(_precision, facts)),
        "pace": _distinct(map(_pace, facts)),
        "out_of_memory": sum(len(each.get("out_of_memory") or ()) for each in facts),
        **checked(fits),
    }


def checked(fits: Sequence[Training]) -> dict[str, str]:
    """`checked`: what every replicate's certificate proves; `unproven`: what at least one of them does not."""
    proofs = [_proofs(each) for each in fits]
    names = dict.fromkeys(name for proof in proofs for name in proof)
    proven = [name for name in names if all(proof.get(name, True) for proof in proofs)]
    return {"checked": "; ".join(proven), "unproven": "; ".join(name for name in names if name not in proven)}


def _proofs(training: Training) -> dict[str, bool]:
    """What a certificate can prove of a training, by what is said of it, and whether it does."""
    facts, found = training.facts, {}
    if facts.get("init") == SCRATCH:
        found["nothing loaded"] = not facts.get("source") and not _count(facts.get("tensors_loaded"))
    if "converged" in facts:
        found["solver converged"] = bool(facts["converged"])
    if "learning_rate" in facts:
        found["rate read back"] = math.isclose(facts["learning_rate"], _asked_rate(training), rel_tol=1e-6)
    if "fingerprint_trained_after" in facts:
        moved = facts["fingerprint_trained_before"] != facts["fingerprint_trained_after"]
        found["trained weights moved"] = moved
    if before := facts.get("fingerprint_frozen_before"):
        kept = {facts["fingerprint_frozen_after"], facts["fingerprint_frozen_average"] or before}
        found["frozen bytes equal"] = kept == {before}
    if facts.get("init") == PROBE_THEN_TRANSFER:
        found["backbone equal after the probe"] = facts["fingerprint_probe"] == facts["fingerprint_before"]
    return found


def _asked_rate(training: Training) -> float:
    """The rate of the hyperparameters, or the default where none is tuned."""
    space = SPACES[training.job.task]
    asked = training.hyperparameters.get("learning_rate", space["learning_rate"].default)
    return float(asked)


def _where(facts: Facts) -> str:
    """Where the images lie while the network trains; a task that does not say reads them batch by batch."""
    return _distinct(part["where"] for part in (facts.get("pixels") or {}).values())


def _precision(facts: Facts) -> str:
    way = (facts.get("pace") or {}).get("way")
    return facts.get("autocast", "") if way is None else "bfloat16" if way["bfloat16"] else "float32"


def _pace(facts: Facts) -> str:
    way = (facts.get("pace") or {}).get("way") or {}
    return ", ".join(name.replace("_", " ") for name in ("channels_last", "compiled") if way.get(name))


def _texts(facts: Sequence[Facts], name: str) -> str:
    return _distinct(each.get(name) for each in facts)


def _distinct(values: Iterable[Any]) -> str:
    return "; ".join(dict.fromkeys(str(value) for value in values if value not in (None, "")))


def _worst(choose: Callable[[list[Any]], Any], facts: Sequence[Facts], name: str) -> Any:
    found = [count for each in facts if (count := _count(each.get(name))) is not None]
    return choose(found) if found else None


def _count(value: Any) -> Any:
    return len(value) if isinstance(value, list) else value
