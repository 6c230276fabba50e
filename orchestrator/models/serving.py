"""The best cell of a study in MLflow's model registry, kept level as its runs are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from infra.privacy import as_words
from infra.records import TrackingError
from orchestrator.models.bundling import best_cell, bundle_of
from orchestrator.plan import Plan
from search_spaces.errors import StudyError

if TYPE_CHECKING:
    from trainables.bundles.bundle import Bundle, Limit

CODE = Path(__file__).with_name("pyfunc.py")


def register_best(plan: Plan, uri: str, say: Callable[[str], None]) -> str | None:
    """Register the cell that is best on the reserve, of those with all replicates; returns the version's number.

    None, without a word, while there is no such cell, and None with a word if MLflow cannot take it: like the runs,
    the registry is a view, and what failed here is made good by the next sweep or `make track`.
    """
    from infra.models import ModelRecord, register

    try:
        bundle = bundle_of(plan, best_cell(plan, complete=True))
    except StudyError:
        return None
    record = ModelRecord(
        study=bundle.study,
        digest=bundle.digest,
        tags=_tags(bundle),
        description=_description(bundle),
        rules=[limit.rule for limit in bundle.limits],
        code=CODE,
        write=bundle.write,
    )
    try:
        return register(record, uri)
    except TrackingError as error:
        say(f"The best cell was not registered as a model: {error} `make track` tries again.")
    return None


def _tags(bundle: Bundle) -> dict[str, str]:
    count = len(bundle.replicates)
    return {
        "study": bundle.study,
        "cell": bundle.cell,
        "replicates": f"{count}/{count + len(bundle.missing)}",
        "exploratory": str(bundle.exploratory).lower(),
        "licenses": "; ".join(f"{each.name}: {as_words(each.license)}" for each in bundle.terms) or "none",
        "commercial_use": bundle.commercial_use,
        "locked": bundle.plan_hash,
    }


def _description(bundle: Bundle) -> str:
    """What the version is, in a few lines; paths are nowhere in a bundle's facts but may be in a license's words."""
    count, planned = len(bundle.replicates), len(bundle.replicates) + len(bundle.missing)
    standing = "exploratory" if bundle.exploratory else f"of the plan locked as {bundle.plan_hash}"
    lines = [
        f"**{bundle.cell}**: the mean of {count} of {planned} replicates, {standing}.",
        f"It scores {'boxes that are given to it' if bundle.needs_boxes else 'whole radiographs'}; "
        f"positive: {', '.join(bundle.arm['labels']['positive'])}.",
        *(f"- {limit.rule}: {_threshold(limit, bundle.scale)}" for limit in bundle.limits),
        *(f"- trained from {each.name}: {as_words(each.license) or 'no license known'}" for each in bundle.terms),
        f"- commercial use: {bundle.commercial_use}",
    ]
    return "\n".join([*lines[:2], "", *lines[2:]])


def _threshold(limit: Limit, scale: str) -> str:
    if limit.value is None:
        return "the replicates vote, each by its own threshold"
    where = "on the reserve" if limit.source == "reserve" else f"by {limit.source}"
    return f"positive from a {scale} of {limit.value:.4g} on, chosen {where}"
