"""What differs today from the locked plan, when that was first seen, and which results it makes exploratory."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import yaml

from infra.store import to_json
from orchestrator.lock import Lock, after_training, readers_hash

if TYPE_CHECKING:
    from orchestrator.plan import Plan

Values = Mapping[str, Any]

OF_EXTERNAL = (
    *("discrimination", "contrasts", "operating-points", "decisions", "calibration", "net-benefit", "localization"),
    *("stability", "saliency", "centers", "subgroups", "roc"),
)
"""Sections of the report with results of external centers."""
OF_ANALYSIS: dict[str, tuple[str, tuple[str, ...]]] = {
    "unit": ("all results", OF_EXTERNAL),
    "primary": ("the primary contrasts and their adjusted p values", ("contrasts",)),
    "adjust": ("all adjusted p values", ("contrasts", "decisions", "stability")),
    "thresholds": ("operating points, decisions and subgroups", ("operating-points", "decisions", "subgroups")),
    "mcnemar": ("p values of paired decisions", ("decisions",)),
    "bootstrap": ("bootstrap intervals", ("contrasts", "decisions", "net-benefit", "centers")),
    "net_benefit": ("differences in net benefit", ("net-benefit",)),
    "subgroups": ("subgroups", ("subgroups",)),
}
"""What a field of `analysis` decides, and the sections that show it."""
OF_ARM = {"robustness": ("stability", "stability"), "saliency": ("saliency", "saliency")}


@dataclass(frozen=True)
class Change:
    """One difference from the locked plan."""

    kind: str
    """cell | recipe | center | analysis | robustness | saliency | readers."""
    subject: str
    """The cell, center, field of the analysis or arm."""
    what: str
    exploratory: str
    """The results that it makes exploratory; empty where it makes none so."""
    sections: tuple[str, ...] = ()
    """Sections of the report that must say so; cells carry a tag of their own."""
    state: str = ""
    """What it is today, so that a second change of the same thing is another one."""

    @property
    def id(self) -> str:
        """By which it is found again in the run store."""
        return hashlib.sha256(to_json([self.kind, self.subject, self.what, self.state])).hexdigest()[:16]


def changes(plan: Plan, lock: Lock) -> list[Change]:
    """Everything that differs today from what was locked."""
    analysis = plan.workspace.study.analysis.model_dump(mode="json")
    found = (_cells(plan, lock), _centers(plan, lock), _analysis(lock.analysis, analysis))
    return [*(change for part in found for change in part), *_after_training(plan, lock), *_readers(plan, lock)]


def remember_changes(plan: Plan, lock: Lock) -> None:
    """Note each change with the time at which it was first seen; what was noted once is never written again."""
    store = plan.workspace.run_store
    seen = {"first_seen": time.strftime("%Y-%m-%d %H:%M:%S %z"), "opened": bool(lock.opened_at)}
    for change in changes(plan, lock):
        store.once(f"changes/{change.id}", lambda change=change: {**asdict(change), **seen})  # type: ignore[misc]


def change_rows(plan: Plan, lock: Lock | None) -> list[dict[str, Any]]:
    """The report's rows, oldest first: changes of today, and those that were noted and taken back since."""
    if lock is None:
        return []
    store = plan.workspace.run_store
    today = {change.id: change for change in changes(plan, lock)}
    noted = {path.stem: json.loads(path.read_text()) for path in (store.root / "changes").glob("[!.]*.json")}
    rows = [_row(asdict(change), noted.get(name), in_effect=True) for name, change in today.items()]
    rows += [_row(record, record, in_effect=False) for name, record in noted.items() if name not in today]
    return sorted(rows, key=lambda row: (row["when"] or "~", row["kind"], row["subject"], row["what"]))


def _row(change: Values, noted: Values | None, *, in_effect: bool) -> dict[str, Any]:
    return {
        "when": noted["first_seen"] if noted else "",
        "opened": noted["opened"] if noted else None,
        "kind": change["kind"],
        "subject": change["subject"],
        "what": change["what"],
        "in_effect": in_effect,
        "exploratory": change["exploratory"] if in_effect else "",
        "sections": ", ".join(change["sections"]) if in_effect else "",
    }


def _cells(plan: Plan, lock: Lock) -> Iterator[Change]:
    fits = [job for job in plan.jobs.values() if job.kind == "fit" and job.cell]
    today = dict.fromkeys(str(job.cell) for job in fits)
    changed = lock.changed(fits)
    late = lock.exploratory(fits)
    for cell in today:
        own = f"{cell} and every comparison with it"
        if cell not in lock.cells:
            yield Change("cell", cell, f"Cell {cell} was added.", own)
        elif cell in changed:
            state = _digest({job.name: job.key for job in fits if job.cell == cell})
            yield Change("recipe", cell, f"The recipe or the data of cell {cell} were changed.", own, state=state)
        elif cell in late:
            yield Change("cell", cell, f"Cell {cell} was not in the study when the external centers were opened.", own)
    for cell in lock.cells:
        if cell not in today:
            yield Change("cell", cell, f"Cell {cell} was locked and has left the study.", "")


def _centers(plan: Plan, lock: Lock) -> Iterator[Change]:
    cohort, prints = plan.workspace.study.cohort, plan.cohort.fingerprints
    for name in prints:
        locked = dict(lock.fingerprints.get(name, {}))
        what, names = _what_of_center(name, locked, dict(prints[name]))
        if what and name in cohort.external:
            at = f"results at {name} and pooled over the centers"
            yield Change("center", name, what, at, OF_EXTERNAL, _digest(names))
        elif what:
            yield Change("center", name, what, "the cells that are trained on it", state=_digest(names))
    for name in lock.fingerprints:
        if name not in {*cohort.centers, *plan.workspace.study.used_corpora}:
            # A corpus or development center that leaves changes the recipes of cells, which are named themselves.
            pooled = name in lock.external or not (lock.external or name in plan.workspace.study.corpora)
            results, sections = ("results pooled over the centers", OF_EXTERNAL) if pooled else ("", ())
            yield Change("center", name, f"{name} was locked and has left the study.", results, sections)


def _what_of_center(name: str, locked: Values, today: Values) -> tuple[str, Values]:
    if not locked:
        return f"{name} was added.", today
    parts = {part: print_ for part, print_ in today.items() if print_ != locked.get(part)}
    return (f"The {' and '.join(sorted(parts))} of {name} were changed.", parts) if parts else ("", {})


def _analysis(locked: Values, today: Values) -> Iterator[Change]:
    locked, today = json.loads(to_json(dict(locked))), json.loads(to_json(dict(today)))
    for field in dict.fromkeys([*today, *locked]):
        results, sections = OF_ANALYSIS.get(field, ("all results", OF_EXTERNAL))
        for place, before, after in _differences(f"analysis.{field}", locked.get(field), today.get(field)):
            more = ("stability", "saliency") if field == "thresholds" and _first(before) != _first(after) else ()
            new = [flow(value) for value in after if value not in before] if _are_lists(before, after) else []
            named = f"{results} by what was not locked ({', '.join(new)})" if new else results
            yield Change("analysis", place, _change_of(place, before, after), named, (*sections, *more))


def _after_training(plan: Plan, lock: Lock) -> Iterator[Change]:
    """A lock of a version without these blocks lacks them because no arm could have them."""
    study = plan.workspace.study
    locked_arms = {cell.partition("/")[0] for cell in lock.cells}
    for arm, blocks in after_training(study).items():
        if arm not in locked_arms:
            continue  # all its cells are named as added
        for block, (results, section) in OF_ARM.items():
            before = lock.after_training.get(arm, {}).get(block)
            for place, old, new in _differences(f"{arm}: {block}", before, json.loads(to_json(blocks[block]))):
                yield Change(block, arm, _change_of(place, old, new), f"{results} of {arm}", (section,))


def _readers(plan: Plan, lock: Lock) -> Iterator[Change]:
    today = readers_hash(plan.workspace)
    if today == lock.readers:
        return
    what = "was added" if not lock.readers else "was changed" if today else "was locked and has been taken out"
    results = "the reader study" if today else ""
    yield Change("readers", "readers", f"The reader study {what}.", results, ("readers",) if today else (), today)


def _differences(place: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Fields that differ; lists are compared as a whole, what is nested by its parts."""
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*after, *before]):
            yield from _differences(f"{place}.{name}", before.get(name), after.get(name))
    else:
        yield place, before, after


def _change_of(place: str, before: Any, after: Any) -> str:
    if before is None:
        return f"{place} was added: {flow(after)}."
    return f"{place} was {flow(before)}, {'has been taken out' if after is None else f'is {flow(after)}'}."


def _are_lists(*values: Any) -> bool:
    return all(isinstance(value, list) for value in values)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None


def flow(value: Any) -> str:
    """As a study file writes it, on one line; parts that are left empty are not told."""
    if isinstance(value, Mapping):
        value = {name: part for name, part in value.items() if part not in (None, [], {})}
    written: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False)
    # YAML would read a bare `on` as true, a reader would not.
    return written.removesuffix("\n...\n").strip().replace("'on'", "on")


def _digest(value: Mapping[str, Any] | Iterable[str]) -> str:
    return hashlib.sha256(to_json(value)).hexdigest()[:16]
