from __future__ import annotations

import contextlib
import csv
import json
import sqlite3
from pathlib import Path

import polars as pl
import pytest

from orchestrator.intake import known
from orchestrator.models.bundling import best_cell, bundle_of, named_cell
from orchestrator.models.predicting import Question, answer
from orchestrator.models.serving import register_best
from orchestrator.plan import make_plan
from orchestrator.selection import Selection
from orchestrator.workspace import Workspace
from search_spaces.study import load_study
from trainables.bundles.bundle import Bundle
from trainables.bundles.rows import answer_rows

pytestmark = pytest.mark.slow

CENTER = "data/centers/center_b"
CELLS = [
    "classification/test_resnet-chest-transfer",
    "detection/yolov5n-none-scratch",
    "radiomics/elasticnet-none-scratch",
]


def published(place, cell: str) -> pl.DataFrame:
    """The store's own aggregate of a cell on center_b, by file: mean logit, or mean score where there is none."""
    records = [json.loads(path.read_text()) for path in (place.store / "finished").glob("*.json")]
    tables = [
        pl.read_parquet(place.store / "jobs" / record["key"] / "attempts" / record["attempt"] / "predictions.parquet")
        for record in records
        if record["kind"] == "predict" and record["name"].startswith(cell) and record["name"].endswith("-center_b")
    ]
    assert len(tables) == 2, "one per fold"
    replicates = pl.concat(tables).group_by("fold", "image").agg(pl.col("logit").max(), pl.col("score").max())
    sigmoid = 1 / (1 + (-pl.col("logit").mean()).exp())
    aggregate = replicates.group_by("image").agg(pl.coalesce(sigmoid, pl.col("score").mean()).alias("published"))
    (center,) = (place.folder / "runs" / "cohorts").glob("center_b-*/files.parquet")
    return pl.read_parquet(center).select("path", "image").join(aggregate, on="image")


@pytest.fixture(scope="module")
def plan(swept):
    """The swept study's plan, made in this process."""
    workspace = Workspace(swept.folder / "runs", load_study(swept.folder / "tiny.yaml"))
    with contextlib.chdir(swept.folder):  # centers are known by the place of their folder
        return make_plan(workspace, known(workspace), Selection())


def predicted(place, bundle: Bundle) -> pl.DataFrame:
    """Scores of all files of center_b, by their names within it."""
    center = place.folder / CENTER
    table = answer(bundle, Question((center,), center / "boxes.csv"), lambda _: None).images
    return table.with_columns(path=pl.col("file").str.strip_prefix(f"{center}/"))


@pytest.mark.parametrize("cell", CELLS)
def test_files_of_an_external_center_get_the_scores_that_the_study_published(swept, plan, cell):
    bundle = bundle_of(plan, named_cell(plan, cell))

    both = published(swept, cell).join(predicted(swept, bundle), on="path", how="full")

    assert both.height > 30
    assert both["published"].std() > 0
    assert both.null_count().select("published", "score").row(0) == (0, 0)
    assert (both["published"] - both["score"]).abs().max() < 1e-6


def test_decisions_are_at_the_thresholds_of_the_report(swept, plan):
    table = predicted(swept, bundle_of(plan, named_cell(plan, CELLS[0])))

    points = pl.read_csv(swept.store / "report" / "tables" / "operating_points.csv")
    carried = points.filter(pl.col("cell") == CELLS[0], pl.col("source") == "reserve", pl.col("center") == "all")
    thresholds = dict(carried.select("rule", "threshold").rows())
    assert len(thresholds) == 3
    for rule, threshold in thresholds.items():
        clear = table.filter((pl.col("score") - threshold).abs() > 1e-6)
        assert clear.height > 0
        assert (clear["score"] >= threshold).to_list() == clear[rule].to_list()


def test_the_best_cell_was_registered_by_the_sweep_and_answers_like_its_bundle(swept, plan, tmp_path):
    uri = f"sqlite:///{swept.folder}/runs/mlflow.db"
    with sqlite3.connect(swept.folder / "runs" / "mlflow.db") as connection:
        tags = dict(connection.execute("select key, value from model_version_tags").fetchall())

    again = register_best(plan, uri, pytest.fail)

    with sqlite3.connect(swept.folder / "runs" / "mlflow.db") as connection:
        versions = connection.execute("select name, version from model_versions").fetchall()
        aliases = connection.execute("select name, alias, version from registered_model_aliases").fetchall()
    assert (again, versions, aliases) == ("1", [("tiny", 1)], [("tiny", "best", 1)])
    best = bundle_of(plan, best_cell(plan))
    assert (tags["bundle"], tags["cell"]) == (best.digest, best.cell)
    rows = _rows(swept.folder / CENTER)
    alone = [row["score"] for row in answer_rows(best.write(tmp_path / "bundle"), rows)]
    assert _served(uri, rows) == pytest.approx(alone, abs=1e-9)


def test_no_score_or_picture_carries_a_name_or_a_hospital_number_of_a_patient(swept):
    boxes = ("--boxes", f"{CENTER}/boxes.csv", "--output", "scores.json", "--overlays", "pictures")
    done = swept.run("predict", "tiny.yaml", CENTER, "--cell", CELLS[0], *boxes)

    written = [swept.folder / "scores.json", *(swept.folder / "pictures").glob("*.png")]
    assert len(written) > 30, done.stdout
    assert done.returncode == 1, "films without a box have no score"
    assert "CANARY" not in done.stdout
    assert [path for path in written if b"CANARY" in path.read_bytes()] == []


def _rows(center: Path) -> list[dict[str, object]]:
    """Five boxes as rows of a request."""
    with (center / "boxes.csv").open() as file:
        found = list(csv.DictReader(file))[:5]
    return [
        {
            "path": str(center / row["file"]),
            "x0": float(row["x"]),
            "y0": float(row["y"]),
            "x1": float(row["x"]) + float(row["width"]),
            "y1": float(row["y"]) + float(row["height"]),
        }
        for row in found
    ]


def _served(uri: str, rows: list[dict[str, object]]) -> list[float]:
    import mlflow
    import pandas

    mlflow.set_tracking_uri(uri)
    model = mlflow.pyfunc.load_model("models:/tiny@best")
    return list(model.predict(pandas.DataFrame(rows))["score"])
