"""Saved views of the MLflow experiment page: the tables that people open first.

MLflow keeps a view as an experiment tag, JSON whose `state` is deflated and base64-encoded page state (as of 3.17; a
page that does not understand a view shows its own default table).
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable
from typing import Any

from search_spaces.hyperparameters import SEARCHED

_TAG = "mlflow.sharedViewState."
_TUNED = tuple(dict.fromkeys(name for names in SEARCHED.values() for name in names))


def saved_views(metrics: Iterable[str], ranked_by: str) -> dict[str, str]:
    """Experiment tags of three views: cells ranked by a metric, replicates grouped by what was varied, all trials."""
    places = sorted(name for name in set(metrics) if name.endswith("/auc") and name != ranked_by)
    interval = [name for name in (f"{ranked_by}_ci_low", f"{ranked_by}_ci_high") if name in set(metrics)]
    columns = [f"metrics.`{name}`" for name in (ranked_by, *interval, *places)]
    axes = ("backbone", "pretraining", "init")
    params = [f"params.`{axis}`" for axis in axes]
    cells = {
        "searchFilter": "tags.level = 'cell' and tags.superseded = 'false'",
        "orderByKey": f"metrics.`{ranked_by}`",
        "selectedColumns": [*params, *columns, "tags.`replicates`", "tags.`near_bound`", "tags.`exploratory`"],
        "groupBy": None,
    }
    replicates = {
        "searchFilter": "tags.kind = 'fit' and tags.superseded = 'false'",
        "orderByKey": "metrics.`validation/auc`",
        "selectedColumns": [*params, "metrics.`validation/auc`", "tags.`fold`", "tags.`seed`"],
        "groupBy": {
            "aggregateFunction": "average",
            "groupByKeys": [{"mode": "param", "groupByData": axis} for axis in axes],
        },
    }
    # In its chart view, "parallel coordinates" over the hyperparameters and `value` shows the search of a cell.
    trials = {
        "searchFilter": "tags.kind = 'tune' and tags.superseded = 'false'",
        "orderByKey": "metrics.`value`",
        "selectedColumns": [
            "tags.`cell`",
            "tags.`trial`",
            "metrics.`value`",
            "metrics.`epochs_trained`",
            "tags.`pruned`",
            *(f"params.`{name}`" for name in _TUNED),
        ],
        "groupBy": None,
    }
    return {
        f"{_TAG}osteogrid-cells": _view("Cells, best first", cells),
        f"{_TAG}osteogrid-replicates": _view("Replicates, grouped by cell", replicates),
        f"{_TAG}osteogrid-trials": _view("Tuning trials, best first", trials),
    }


def _view(name: str, page: dict[str, Any]) -> str:
    # The page fills in nothing: what it saves itself has all of these.
    state = {
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "columnOrder": [],
        "columnWidths": {},
        "runsHiddenMode": "FIRST_10_RUNS",
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": False,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupsExpanded": {},
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        **page,
    }
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    return json.dumps({"name": name, "createdAt": 0, "updatedAt": 0, "state": f"deflate;{packed}"})
