"""The radiomics task: features, fit and predict one after another, as a study runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from cohorts.pixels import PixelStore, PixelWriter
from search_spaces.arms import Labels, RadiomicsArm
from search_spaces.errors import StudyError
from tests.trainables.fakes import FakeRun
from trainables.data import JobData
from trainables.radiomics import RadiomicsTask, features
from trainables.task import Stop

pytestmark = pytest.mark.slow  # features are extracted and models trained

ARM = RadiomicsArm(task="radiomics", labels=Labels(positive=("malignant",), negative=("benign",))).model_dump()


def job(kind: str, **needs: Any) -> dict[str, Any]:
    recipe = {"key": kind, "kind": kind, "task": "radiomics", "arm": ARM, "fold": 0, "seed": 0, "hyperparameters": {}}
    return {**recipe, "needs": {"features": [], "pretrain": None, "fit": None, **needs}}


def center(folder: Path, name: str, patients: int, *, seed: int) -> JobData:
    """One 20 x 20 image per patient with one 16 x 16 box; positive regions have the rougher texture."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    labels = [number % 2 for number in range(patients)]
    images = pl.DataFrame(
        {
            "image": [f"{name}-{number}" for number in range(patients)],
            "patient": [f"{name}-patient-{number}" for number in range(patients)],
            "center": name,
            "offset": [number * 400 for number in range(patients)],
            "height": 20,
            "width": 20,
        }
    )
    images.write_parquet(folder / "images.parquet")
    with PixelWriter(folder) as store:
        for label in labels:
            texture = gaussian_filter(random.normal(size=(20, 20)), 0.6 if label else 1.2)
            store.append((texture / texture.std() * 5000 + 30000).clip(0, 65535).astype(np.uint16))
    boxes = pl.DataFrame({"image": images["image"], "box": 0, "x0": 2.0, "y0": 2.0, "x1": 18.0, "y1": 18.0})
    return JobData(images.with_columns(role=pl.lit("external")), boxes, {name: PixelStore(folder)})


def with_labels(data: JobData, *, training: int) -> JobData:
    """The data as a fit job sees it: the first patients train, the others validate."""
    number = pl.int_range(pl.len())
    role = pl.when(number < training).then(pl.lit("train")).otherwise(pl.lit("validation"))
    return JobData(data.images.with_columns(role=role, label=number % 2), data.boxes, data.stores)


@pytest.fixture(scope="module")
def development(tmp_path_factory: pytest.TempPathFactory) -> JobData:
    return center(tmp_path_factory.mktemp("development") / "center", "a", 16, seed=0)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, development: JobData) -> FakeRun:
    run = FakeRun(tmp_path_factory.mktemp("features"))
    RadiomicsTask().features(job("features"), development, run)
    return run


def fitted(folder: Path, measured: FakeRun, data: JobData, **recipe: Any) -> FakeRun:
    run = FakeRun(folder, needs={"measured": measured.folder})
    # One candidate instead of 21 where the choice is not what is tested.
    recipe = {"hyperparameters": {"C": 0.3, "l1_ratio": 0.5}} | recipe
    RadiomicsTask().fit(job("fit", features=["measured"]) | recipe, data, run)
    return run


def test_features_have_one_row_per_box_and_need_no_labels(measured, development):
    table = measured.tables["features"]

    assert "label" not in development.images.columns
    assert table.columns[:5] == ["center", "patient", "image", "region", "variant"]
    assert table.height == 16
    assert set(table.schema.values()) == {pl.String(), pl.Int64(), pl.Float64()}
    assert len(features.feature_names(table)) == 120
    assert measured.result == {"regions": 16, "failed_regions": 0}


def test_regions_that_cannot_be_measured_are_counted_and_the_others_go_on(tmp_path, development):
    image = development.images["image"][0]
    boxes = pl.DataFrame({"image": image, "box": [0, 1], "x0": 0.0, "y0": 0.0, "x1": [2.0, 8.0], "y1": [9.0, 8.0]})
    run = FakeRun(tmp_path)

    RadiomicsTask().features(job("features"), JobData(development.images, boxes, development.stores), run)

    assert run.tables["features"]["region"].to_list() == [1]
    assert run.tables["failed_regions"].rows() == [
        (image, 0, "2 x 9 pixels inside the image, at least 3 x 3 are needed")
    ]
    assert run.result["failed_regions"] == 1


def test_a_center_without_boxes_is_an_error(tmp_path, development):
    with pytest.raises(StudyError, match="Center a: no boxes"):
        RadiomicsTask().features(
            job("features"), JobData(development.images, None, development.stores), FakeRun(tmp_path)
        )


def test_a_center_without_one_measurable_box_is_an_error(tmp_path, development):
    boxes = development.boxes.with_columns(x1=pl.col("x0") + 1)

    with pytest.raises(StudyError, match="None of 16 regions could be measured, the first because: 1 x 16 pixels"):
        RadiomicsTask().features(
            job("features"), JobData(development.images, boxes, development.stores), FakeRun(tmp_path)
        )


def test_features_go_on_where_an_earlier_attempt_ended(tmp_path, measured, development, monkeypatch):
    monkeypatch.setattr(features, "REGIONS_PER_CHECKPOINT", 3)
    data = JobData(development.images, development.boxes.head(5), development.stores)
    with pytest.raises(Stop):
        RadiomicsTask().features(job("features"), data, FakeRun(tmp_path, stop_after=1))

    again = FakeRun(tmp_path)
    RadiomicsTask().features(job("features"), data, again)

    assert again.reports == [(2, {"regions": 5.0})]
    expected = measured.tables["features"].filter(pl.col("image").is_in(data.boxes["image"].to_list()))
    assert again.tables["features"].equals(expected)


def test_a_planted_texture_is_found_in_a_center_that_training_never_saw(tmp_path, measured, development):
    external = center(tmp_path / "center", "b", 10, seed=1)
    there = FakeRun(tmp_path / "features")
    RadiomicsTask().features(job("features"), external, there)
    fit = fitted(tmp_path / "fit", measured, with_labels(development, training=10))

    run = FakeRun(tmp_path / "predict", needs={"there": there.folder, "fit": fit.folder})
    RadiomicsTask().predict(job("predict", features=["there"], fit="fit"), external, run)

    table = run.tables["predictions"]
    assert table.columns == ["center", "patient", "image", "region", "role", "variant", "score", "logit"]
    assert table["role"].unique().to_list() == ["external"]
    assert table["score"].is_between(0, 1).all()
    assert np.allclose(table["score"], 1 / (1 + np.exp(-table["logit"].to_numpy())))
    assert roc_auc_score([number % 2 for number in range(10)], table["score"].to_numpy()) > 0.8
    assert fit.result["value"] > 0.8
    assert run.result == {"images": 10, "regions": 10, "images_without_score": 0}


def test_a_fit_reports_once_and_certifies_what_was_trained(tmp_path, measured, development):
    run = fitted(tmp_path, measured, with_labels(development, training=10), hyperparameters={})

    ((epoch, metrics),) = run.reports
    assert (epoch, metrics["validation/auc"]) == (1, run.result["value"])
    assert {"C", "l1_ratio", "epoch", "value"} <= set(run.result)
    assert run.result["training_patients"] == 10
    assert run.certificate["optimizer"] == "saga"
    assert run.certificate["tensors_loaded"] == 0
    assert run.certificate["candidates"] == 21
    coefficients = run.tables["coefficients"]
    assert coefficients.columns == ["feature", "coefficient"]
    assert run.certificate["nonzero_coefficients"] == coefficients.filter(pl.col("coefficient") != 0).height
    assert not list(tmp_path.glob("*.pkl"))


def test_the_same_fit_job_gives_the_same_model_and_hyperparameters_change_it(tmp_path, measured, development):
    data = with_labels(development, training=10)

    first, again = (fitted(tmp_path / name, measured, data) for name in ("first", "again"))
    other = fitted(tmp_path / "other", measured, data, hyperparameters={"C": 0.5, "l1_ratio": 0.2})

    assert (first.folder / "model.json").read_bytes() == (again.folder / "model.json").read_bytes()
    assert other.certificate["fingerprint"] != first.certificate["fingerprint"]
    assert (other.result["C"], other.result["l1_ratio"]) == (0.5, 0.2)


def test_validation_and_its_labels_do_not_touch_the_model(tmp_path, measured, development):
    data = with_labels(development, training=10)
    flipped = data.images.with_columns(
        label=pl.when(pl.col("role") == "validation").then(1 - pl.col("label")).otherwise(pl.col("label"))
    )

    honest = fitted(tmp_path / "honest", measured, data)
    turned = fitted(tmp_path / "turned", measured, JobData(flipped, data.boxes, data.stores))

    assert honest.certificate["fingerprint"] == turned.certificate["fingerprint"]
    assert honest.result["value"] == pytest.approx(1 - turned.result["value"])


def test_a_validation_part_of_one_class_is_an_error(tmp_path, measured, development):
    with pytest.raises(StudyError, match="validation part of fold 0 has 1 images with features and 1 of the 2 classes"):
        fitted(tmp_path, measured, with_labels(development, training=15))


def test_radiomics_has_nothing_to_pretrain(tmp_path, development):
    with pytest.raises(StudyError, match="cannot be pretrained"):
        RadiomicsTask().pretrain(job("pretrain"), development, FakeRun(tmp_path))
