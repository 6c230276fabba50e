"""Chart cards of MLflow's run pages, as a saved view keeps them (as of 3.17). The page makes up their titles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

Card = dict[str, Any]

_MOST_RUNS = 100


def charts(title: str, cards: Sequence[Card]) -> dict[str, Any]:
    """State of a chart view: one section of ours on top; the page adds a section for every other metric below it."""
    section = _uuid(title)
    own = [{**card, "uuid": _uuid(title, card), "metricSectionId": section} for card in cards]
    shown = {"display": True, "isReordered": True, "columns": 2}
    return {
        "compareRunCharts": own,
        "compareRunSections": [{"uuid": section, "name": title, **shown}],
        "isAccordionReordered": True,  # else the page sorts sections by name
    }


def bars(metrics: Sequence[str]) -> Card:
    """One bar per run, or per run and metric."""
    return _card("BAR", metricKey=metrics[0], selectedMetricKeys=list(metrics), runsCountToCompare=_MOST_RUNS)


def scatter(across: str, up: str) -> Card:
    """One dot per run."""
    axes = {"xaxis": {"key": across, "type": "METRIC"}, "yaxis": {"key": up, "type": "METRIC"}}
    return _card("SCATTER", **axes, runsCountToCompare=_MOST_RUNS)


def parallel(params: Sequence[str], metrics: Sequence[str]) -> Card:
    """One line per run across params and metrics; runs that lack one are left out, the last metric gives the color."""
    return _card("PARALLEL", selectedParams=list(params), selectedMetrics=list(metrics), showAllRuns=True)


def _card(kind: str, **rest: Any) -> Card:
    return {"type": kind, "deleted": False, "isGenerated": False, **rest}


def _uuid(title: str, card: Card | None = None) -> str:
    """The same every time, so that a replay without news writes nothing."""
    return hashlib.sha256(f"{title} {json.dumps(card, sort_keys=True)}".encode()).hexdigest()[:12]
