from __future__ import annotations

import json
import sqlite3
from collections import Counter

import polars as pl
import pytest

pytestmark = pytest.mark.slow


def records(place):
    return [json.loads(path.read_text()) for path in (place.store / "finished").glob("*.json")]


def test_every_planned_job_is_published_once(swept):
    found = Counter(record["kind"] for record in records(swept))

    # 4 classification cells, 1 detector, 1 radiomics in 2 parts; 2 folds, 3 centers, 2 trials for each classifier;
    # boxes of classifiers are moved (24) and their maps drawn (24).
    assert found == {"features": 6, "pretrain": 1, "tune": 8, "fit": 12, "predict": 36 + 24 + 24}


def test_one_trial_of_each_batch_of_two_is_thinned_at_the_rung(swept):
    results = [record["result"] for record in records(swept) if record["kind"] == "tune"]

    assert sorted(result["epochs_trained"] for result in results) == [1, 1, 1, 1, 2, 2, 2, 2]
    assert all(result.get("pruned", False) == (result["epochs_trained"] == 1) for result in results)


def test_the_report_says_what_each_cell_loaded_and_what_was_proven(swept):
    table = pl.read_csv(swept.store / "report" / "tables" / "certificates.csv")
    of_classifiers = table.filter(pl.col("cell").str.contains("resnet")).iter_rows(named=True)
    rows = {row["cell"].split("test_resnet-")[-1]: row for row in of_classifiers}

    assert (rows["none-scratch"]["share"], rows["chest-transfer"]["share"]) == (0.0, 1.0)
    assert "frozen bytes equal" in rows["chest-frozen"]["checked"]
    assert "backbone equal after the probe" in rows["chest-probe_then_transfer"]["checked"]
    assert all("rate read back" in row["checked"] for row in rows.values())
    assert table["unproven"].fill_null("").unique().to_list() == [""]


def test_the_report_names_every_cell_and_stands_alone(swept):
    page = (swept.store / "report" / "report.html").read_text()

    for cell in (
        "test_resnet-none-scratch",
        "test_resnet-chest-frozen",
        "yolov5n-none-scratch",
        "elasticnet-none-scratch",
    ):
        assert cell in page
    assert 'src="http' not in page
    assert "@import" not in page


def test_external_centers_are_in_the_tables_beside_the_report(swept):
    table = pl.read_csv(swept.store / "report" / "tables" / "performance.csv")

    external = table.filter((pl.col("role") == "external") & (pl.col("center") == "all"))
    assert external["cell"].n_unique() == 6
    assert external["auc"].is_between(0, 1).all()


def test_moved_boxes_and_maps_come_to_the_report_and_pictures_stay_in_the_center(swept):
    tables = swept.store / "report" / "tables"
    moved, maps = pl.read_csv(tables / "stability.csv"), pl.read_csv(tables / "saliency.csv")
    pages = {place: (swept.store / place / "report.html").read_text() for place in ("report", "report-shared")}

    external = moved.filter(pl.col("role") == "external", pl.col("center") == "all")
    assert external["variant"].unique().to_list() == ["shift 0.1"]
    assert (external["images"] == 8).all()  # 4 of each of two centers
    assert maps.filter(pl.col("role") == "external")["cell"].n_unique() == 4
    assert ['<img src="data:image/' in page for page in pages.values()] == [True, False]


def test_every_number_of_the_report_is_found_again(swept):
    done = swept.run("report", "tiny.yaml", "--verify")

    assert done.returncode == 0, done.stdout


def test_the_same_command_again_finds_nothing_to_do(swept):
    before = swept.finished()

    again = swept.run("sweep", "tiny.yaml")

    assert again.returncode == 0, again.stdout
    assert swept.finished() == before


def test_mlflow_holds_one_run_per_job_per_cell_and_per_cell_and_center(swept):
    with sqlite3.connect(swept.folder / "runs" / "mlflow.db") as database:
        rows = database.execute("select value, count(*) from tags where key = 'level' group by value").fetchall()
        open_runs = database.execute("select count(*) from runs where status != 'FINISHED'").fetchone()

    assert dict(rows) == {"job": 111, "cell": 6, "center": 18, "study": 1}
    assert open_runs == (0,)


def test_a_transfer_cell_is_certified_to_have_loaded_its_backbone(swept):
    shares = {}
    for record in records(swept):
        if record["kind"] == "fit" and "test_resnet" in record["name"]:
            attempt = swept.store / "jobs" / record["key"] / "attempts" / record["attempt"]
            certificate = json.loads((attempt / "certificate.json").read_text())
            shares[record["name"]] = certificate["share_loaded"]

    assert all(share >= 0.9 for name, share in shares.items() if "chest" in name)
    assert all(share == 0 for name, share in shares.items() if "none" in name)


def test_a_wider_study_plans_only_the_new_cells(swept):
    text = (swept.folder / "tiny.yaml").read_text()
    (swept.folder / "wider.yaml").write_text(text.replace("[test_resnet]", "[test_resnet, mobilenetv3_small_050]"))

    planned = swept.run("plan", "wider.yaml").stdout

    # 4 more cells: 1 pretraining, 8 trials, 8 replicates, 24 predictions.
    rows = {tuple(line.split()[:2]): line.split()[2:5] for line in planned.splitlines()}
    assert rows["pretrain", "classification"] == ["2", "1", "1"]
    assert rows["tune", "classification"] == ["16", "8", "8"]
    assert rows["fit", "classification"] == ["16", "8", "8"]
    assert rows["predict", "classification"] == ["48", "24", "24"]
    assert rows["fit", "detection"] == ["2", "2", "0"]


def test_no_name_or_hospital_number_of_a_patient_leaves_the_centers(swept):
    kept = [swept.store / "report", swept.store / "jobs", swept.folder / "runs" / "mlflow.db"]
    files = [path for root in kept for path in ([root] if root.is_file() else root.rglob("*")) if path.is_file()]

    assert files
    assert [path for path in files if b"CANARY" in path.read_bytes()] == []
