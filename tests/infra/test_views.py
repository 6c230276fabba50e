from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from infra.levelling import Known
from infra.views import TAG, saved_views

AXES = {"backbone": "resnet50", "pretraining": "chest", "init": "frozen", "task": "classification"}


def run(metrics: dict[str, float], params: dict[str, str] | None = None, **tags: str) -> Known:
    return Known(
        run_id="",
        name="",
        status="FINISHED",
        started_ms=0,
        ended_ms=None,
        deleted=False,
        tags={"superseded": "false", **tags},
        params=AXES | (params or {}),
        metrics=metrics,
        datasets=set(),
    )


CELL = run({"external/auc": 0.7, "external/auc_ci_low": 0.6, "external/auc_ci_high": 0.8}, level="cell")
CENTERS = [run({"auc": 0.7}, level="center", role="external", center=name) for name in ("center_c", "center_b")]
TRIALS = [
    run({"value": 0.7}, {"learning_rate": "0.1", "ema": "0"}, kind="tune", level="job"),
    run({"value": 0.7}, {"learning_rate": "0.1", "mosaic": "1"}, kind="tune", level="job"),
]


def view(key: str, *runs: Known) -> dict[str, Any]:
    packed = json.loads(saved_views(runs, "external/auc")[f"{TAG}{key}"])["state"].removeprefix("deflate;")
    return dict(json.loads(zlib.decompress(base64.b64decode(packed))))


def test_cells_show_what_was_varied_then_the_result_with_its_interval_then_the_centers() -> None:
    state = view("cells", CELL, *CENTERS)

    assert state["selectedColumns"][:8] == [
        *(f"params.`{axis}`" for axis in ("backbone", "pretraining", "init")),
        *(f"metrics.`external/{name}`" for name in ("auc", "auc_ci_low", "auc_ci_high")),
        "metrics.`center_b/auc`",
        "metrics.`center_c/auc`",
    ]
    assert set(state["selectedColumns"]) <= set(state["columnOrder"])


def test_cells_are_drawn_as_bars_by_center_and_center_against_center() -> None:
    cards = view("cells", CELL, *CENTERS)["compareRunCharts"]

    bars = [card["selectedMetricKeys"] for card in cards if card["type"] == "BAR"]
    (scatter,) = [card for card in cards if card["type"] == "SCATTER"]
    assert bars == [["external/auc"], ["center_b/auc", "center_c/auc"]]
    assert (scatter["xaxis"]["key"], scatter["yaxis"]["key"]) == ("center_b/auc", "center_c/auc")


def test_each_set_of_hyperparameters_gets_parallel_coordinates_of_its_own() -> None:
    cards = view("trials", *TRIALS)["compareRunCharts"]

    assert [card["selectedParams"] for card in cards] == [["ema", "learning_rate"], ["learning_rate", "mosaic"]]
    assert {card["type"] for card in cards} == {"PARALLEL"}
    assert {tuple(card["selectedMetrics"]) for card in cards} == {("value",)}


def test_centers_are_grouped_by_center_and_pretraining() -> None:
    keys = view("centers", *CENTERS)["groupBy"]["groupByKeys"]

    assert [(key["mode"], key["groupByData"]) for key in keys] == [("param", "center"), ("param", "pretraining")]


def test_views_do_not_depend_on_the_order_of_runs_and_leave_out_those_of_an_earlier_plan() -> None:
    gone = run({}, {"layer_decay": "1"}, kind="tune", level="job", superseded="true")
    runs = [CELL, *CENTERS, *TRIALS]

    assert saved_views(runs, "external/auc") == saved_views([*reversed(runs), gone], "external/auc")


def test_a_study_without_results_or_external_centers_has_all_views() -> None:
    assert len(saved_views([], "external/auc")) == 6
    assert len(saved_views([CELL], "external/auc")) == 6
