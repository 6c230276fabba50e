"""Saved views of the MLflow experiment page: the tables and charts that people open first.

MLflow keeps a view as an experiment tag, JSON whose `state` is deflated and base64-encoded page state (as of 3.17; a
page that does not understand a view shows its own default table).
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Collection, Iterable
from typing import Any

from infra.charts import bars, charts, parallel, scatter
from infra.levelling import Known
from infra.privacy import AXES

TAG = "mlflow.sharedViewState.osteogrid-"
FIRST = "cells"
"""The view to begin with."""

_AXES = ("backbone", "pretraining", "init")
_PRESENT = "tags.superseded = 'false'"

State = dict[str, Any]


def saved_views(runs: Collection[Known], ranked_by: str) -> dict[str, str]:
    """Experiment tags of the views, made for what the present runs hold; their order plays no part."""
    runs = [run for run in runs if run.tags.get("superseded") == "false"]
    views = {
        FIRST: _cells(runs, ranked_by),
        "pretraining": _effects(runs, ranked_by),
        "centers": _centers(),
        "replicates": _replicates(),
        "trials": _trials(runs),
        "failures": _failures(),
    }
    return {f"{TAG}{key}": _packed(name, state) for key, (name, state) in views.items()}


def _cells(runs: Collection[Known], ranked_by: str) -> tuple[str, State]:
    metrics = _metrics(runs)
    pooled = [name for name in (ranked_by, f"{ranked_by}_ci_low", f"{ranked_by}_ci_high") if name in metrics]
    centers = [f"{center}/auc" for center in _external(runs)]
    further = [name for name in ("reserve/auc", "validation/auc") if name in metrics]
    columns = [*_params(_AXES), *_of("metrics", [*pooled, *centers, *further])]
    columns += _of("tags", ["replicates", "near_bound", "exploratory"])
    cards = [bars([ranked_by])]
    if len(centers) > 1:
        cards += [bars(centers), scatter(*centers[:2])]
    if "reserve/auc" in metrics:
        cards += [scatter("reserve/auc", ranked_by)]
    cards += [parallel(_AXES, [*centers, ranked_by])]
    return "Cells, best first", {
        **_table(f"tags.level = 'cell' and {_PRESENT}", f"metrics.`{ranked_by}`", columns),
        **charts("Cells", cards),
    }


def _effects(runs: Collection[Known], ranked_by: str) -> tuple[str, State]:
    centers = [f"{center}/auc" for center in _external(runs)]
    columns = _of("metrics", [ranked_by, *centers])
    cards = [bars(names) for names in ([ranked_by], centers) if names]
    return "Pretraining and init, mean over backbones", {
        **_table(f"tags.level = 'cell' and {_PRESENT}", f"metrics.`{ranked_by}`", columns),
        **_grouped("pretraining", "init", "task"),
        **charts("Pretraining and init", cards),
    }


def _centers() -> tuple[str, State]:
    columns = [*_params(("center", *_AXES)), *_of("metrics", ["auc", "auc_ci_low", "auc_ci_high"])]
    columns += _of("metrics", ["n_positive", "n_negative"])
    return "Centers, grouped by center and pretraining", {
        **_table(f"tags.level = 'center' and tags.role = 'external' and {_PRESENT}", "metrics.`auc`", columns),
        **_grouped("center", "pretraining"),
        **charts("Centers", [bars(["auc"])]),
    }


def _replicates() -> tuple[str, State]:
    columns = [*_params(_AXES), *_of("metrics", ["validation/auc"]), *_of("tags", ["fold", "seed"])]
    return "Replicates, grouped by cell", {
        **_table(f"tags.kind = 'fit' and {_PRESENT}", "metrics.`validation/auc`", columns),
        **_grouped(*_AXES),
    }


def _trials(runs: Collection[Known]) -> tuple[str, State]:
    tried = _tried(runs)
    all_names = dict.fromkeys(name for names in tried for name in names)
    columns = [*_params(_AXES), *_of("tags", ["trial"]), *_of("metrics", ["value", "epochs_trained"])]
    columns += [*_of("tags", ["pruned"]), *_params(all_names)]
    cards = [parallel(names, ["value"]) for names in tried]
    return "Tuning trials, best first", {
        **_table(f"tags.kind = 'tune' and {_PRESENT}", "metrics.`value`", columns),
        "runsHiddenMode": "SHOW_ALL",
        **charts("Tuning", cards),
    }


def _failures() -> tuple[str, State]:
    columns = [*_of("tags", ["level", "kind", "error", "attempt", "status"]), *_params(_AXES)]
    return "Failed, newest first", _table(
        f"attributes.status = 'FAILED' and {_PRESENT}", "attributes.start_time", columns
    )


def _metrics(runs: Iterable[Known]) -> set[str]:
    return {name for run in runs if run.tags.get("level") == "cell" for name in run.metrics}


def _external(runs: Iterable[Known]) -> list[str]:
    return sorted({run.tags["center"] for run in runs if run.tags.get("role") == "external"})


def _tried(runs: Iterable[Known]) -> list[tuple[str, ...]]:
    """The sets of hyperparameters that trials have: a chart shows only runs that have all of its axes."""
    trials = [run for run in runs if run.tags.get("kind") == "tune"]
    return sorted({tuple(sorted(run.params.keys() - set(AXES))) for run in trials} - {()})


def _params(names: Iterable[str]) -> list[str]:
    return _of("params", names)


def _of(kind: str, names: Iterable[str]) -> list[str]:
    return [f"{kind}.`{name}`" for name in names]


def _table(search: str, order: str, columns: list[str]) -> State:
    return {
        "searchFilter": search,
        "orderByKey": order,
        "selectedColumns": columns,
        "columnOrder": ["attributes.`Run Name`", *columns, "runDateAndNestInfo", "duration"],
        "columnWidths": {"attributes.`Run Name`": 260},
    }


def _grouped(*names: str) -> State:
    keys = [{"mode": "param", "groupByData": name} for name in names]
    wide = {"attributes.`Run Name`": 420}  # a group is named by all that it has in common
    return {"groupBy": {"aggregateFunction": "average", "groupByKeys": keys}, "columnWidths": wide}


def _packed(name: str, page: State) -> str:
    # The page fills in nothing: what it saves itself has all of these.
    state = {
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "runsHiddenMode": "FIRST_20_RUNS",
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": False,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        **page,
    }
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    return json.dumps({"name": name, "createdAt": 0, "updatedAt": 0, "state": f"deflate;{packed}"})
