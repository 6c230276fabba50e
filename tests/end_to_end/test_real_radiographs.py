from __future__ import annotations

import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from tests.end_to_end.conftest import Place

RADIOGRAPHS = os.environ.get("OSTEOGRID_RADIOGRAPHS")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.radiographs,
    pytest.mark.skipif(not RADIOGRAPHS, reason="OSTEOGRID_RADIOGRAPHS names no folder of real radiographs"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The chest study, shortened, on a copy of the real radiographs."""
    folder = tmp_path_factory.mktemp("real")
    shutil.copytree(str(RADIOGRAPHS), folder / "data" / "radiographs")
    labels = folder / "data" / "radiographs" / "guangzhou" / "labels.csv"
    # As published it names one file twice, which is refused; the first row is kept.
    labels.write_text("".join(dict.fromkeys(labels.read_text().splitlines(keepends=True))))
    study = (Path("studies") / "chest_pneumonia.yaml").read_text()
    for long, short in (("epochs: 20", "epochs: 2"), ("epochs: 8", "epochs: 1"), ("limit: 1500", "limit: 120")):
        assert long in study
        study = study.replace(long, short)
    (folder / "study.yaml").write_text(study)
    found = Place(folder)
    done = found.run("sweep", "study.yaml")
    assert done.returncode == 0, done.stdout
    (folder / "log.txt").write_text(done.stdout)
    return found


def test_the_study_on_real_radiographs_ends_with_external_aucs_of_every_cell(place):
    table = pl.read_csv(place.folder / "runs" / "chest_pneumonia" / "report" / "tables" / "performance.csv")

    external = table.filter((pl.col("role") == "external") & (pl.col("center") == "all"))
    assert external.height == 3
    assert external["n_positive"].unique().to_list() == [56]
    assert external["auc"].is_between(0, 1).all()


def test_the_certificates_show_that_medical_mnist_was_what_the_cells_started_from(place):
    tables = place.folder / "runs" / "chest_pneumonia" / "report" / "tables"
    rows = {row["init"]: row for row in pl.read_csv(tables / "certificates.csv").iter_rows(named=True)}

    assert rows["scratch"]["tensors_loaded"] == 0
    assert (rows["transfer"]["source"], rows["transfer"]["share"]) == ("medical_mnist", 1.0)
    assert rows["transfer"]["sha256"] == rows["frozen"]["sha256"]
    assert rows["frozen"]["trainable_parameters"] < 2000 < rows["frozen"]["frozen_parameters"]
    assert "CC BY-SA 4.0" in rows["frozen"]["license"]


def test_the_leakage_check_says_that_the_corpus_stems_from_the_development_center_s_source(place):
    text = (place.folder / "log.txt").read_text()

    assert "the study says that corpus medical_mnist holds images of nih's public source" in text
