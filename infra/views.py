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

_TAG = "mlflow.sharedViewState."


def saved_views(metrics: Iterable[str], ranked_by: str) -> dict[str, str]:
    """Experiment tags of two views: cells ranked by a metric, and replicates grouped by what was varied."""
    places = sorted(name for name in set(metrics) if name.endswith("/auc") and name != ranked_by)
    interval = [name for name in (f"{ranked_by}_ci_low", f"{ranked_by}_ci_high") if name in set(metrics)]
    columns = [f"metrics.`{name}`" for name in (ranked_by, *interval, *places)]
    axes = ("backbone", "pretraining", "init")
    params = [f"params.`{axis}`" for axis in axes]
    cells = {
        "searchFilter": "tags.level = 'cell' and tags.superseded = 'false'",
        "orderByKey": f"metrics.`{ranked_by}`",
        "selectedColumns": [*params, *columns, "tags.`replicates`", "tags.`exploratory`"],
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
    return {
        f"{_TAG}osteogrid-cells": _view("Cells, best first", cells),
        f"{_TAG}osteogrid-replicates": _view("Replicates, grouped by cell", replicates),
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
