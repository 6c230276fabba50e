"""What must be true of a training before it may be published: it started, learned and ended as its cell says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from search_spaces.hyperparameters import settings
from search_spaces.initialization import PROBE_THEN_TRANSFER, SCRATCH, trained_stages
from trainables.task import Job

OPTIMIZER = "AdamW"
"""Named in every recipe: Ultralytics' "auto" picks another one and a rate of its own."""
LEAST_SHARE = 0.9
"""Of a backbone's tensors that a file must give; all of them where a part stays frozen."""


class CertificateError(RuntimeError):
    """A training that is not what its cell says; it is recorded as failed and never published."""


def verify(job: Job, facts: Mapping[str, Any]) -> None:
    """Compare a network's facts, read back from live objects, with its job; raises CertificateError naming the first.

    Facts as in docs/data-formats.md, certificate.json.
    """
    found = next(_faults(job, facts), None)
    if found:
        raise CertificateError(f"Certificate of {job['name']}: {found}")


def _faults(job: Job, facts: Mapping[str, Any]) -> Iterator[str]:
    yield from _of_the_start(job["cell"]["init"], facts)
    yield from _of_the_optimizer(settings(job["task"], job["hyperparameters"]), facts)
    yield from _of_what_is_frozen(job["cell"]["init"], facts)
    yield from _of_what_is_trained(job, facts)


def _of_the_start(init: str, facts: Mapping[str, Any]) -> Iterator[str]:
    source, loaded, share = facts["source"], len(facts["tensors_loaded"]), facts["share_loaded"]
    if facts["init"] != init:
        yield f"it was initialized as {facts['init']}, the cell says {init}."
    if init == SCRATCH:
        if source is not None or loaded:
            yield f"it starts from scratch, and {loaded} tensors of {(source or {}).get('file')} were loaded."
        return
    if source is None:
        yield f"it starts as {init}, and no weights file was loaded."
    least = LEAST_SHARE if trained_stages(init) is None else 1.0
    if share < least:
        yield f"{share:.1%} of the backbone's tensors came from the file, {init} needs {least:.0%}."


def _of_the_optimizer(asked: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[str]:
    if facts["optimizer"] != OPTIMIZER:
        yield f"the live optimizer is {facts['optimizer']}, every recipe names {OPTIMIZER}."
    for name, word in (("learning_rate", "rate"), ("weight_decay", "weight decay")):
        if not math.isclose(facts[name], asked[name], rel_tol=1e-6):
            yield f"the optimizer was built with {word} {facts[name]:g}, {asked[name]:g} was asked for."


def _of_what_is_frozen(init: str, facts: Mapping[str, Any]) -> Iterator[str]:
    before = facts["fingerprint_frozen_before"]
    if trained_stages(init) is not None and not before:
        yield f"it is {init}, and no tensor was frozen."
    if facts["fingerprint_frozen_after"] != before:
        yield "frozen tensors changed in training, weights or batch norm's statistics."
    if facts["fingerprint_frozen_average"] not in {before, ""}:
        yield "frozen tensors of the averaged copy differ from those at the start."
    if init == PROBE_THEN_TRANSFER and facts["fingerprint_probe"] != facts["fingerprint_before"]:
        yield "the backbone changed during the probe, before it was to be trained."


def _of_what_is_trained(job: Job, facts: Mapping[str, Any]) -> Iterator[str]:
    if facts["fingerprint_trained_before"] == facts["fingerprint_trained_after"]:
        yield "the weights that were to be trained are what they were before step 0; nothing was learned."
    init = job["cell"]["init"]
    is_probing = init == PROBE_THEN_TRANSFER and job.get("until", job["epochs"]) < job["epochs"]
    # A new head always moves; where only it did, the cell is a frozen one under another name.
    if trained_stages(init) != 0 and not is_probing and facts["fingerprint_before"] == facts["fingerprint_after"]:
        yield f"it is {init}, and the backbone is what it was before step 0."
