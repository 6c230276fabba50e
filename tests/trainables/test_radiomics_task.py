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
    facts = {"key": kind, "kind": kind, "task": "radiomics", "arm": ARM, "fold": 0, "seed": 0, "hyperparameters": {}}
    return {**facts, "recipe": {"part": [0, 1]}, "needs": {"features": [], "pretrain": None, "fit": None, **needs}}


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


def in_parts(folder: Path, data: JobData, parts: int) -> dict[str, FakeRun]:
    """A center's features jobs, by key."""
    runs = {str(part): FakeRun(folder / str(part)) for part in range(parts)}
    for part, run in enumerate(runs.values()):
        RadiomicsTask().features({**job("features"), "recipe": {"part": [part, parts]}}, data, run)
    return runs


def predicted(folder: Path, parts: dict[str, FakeRun], fit: FakeRun, data: JobData) -> FakeRun:
    run = FakeRun(folder, needs={key: part.folder for key, part in parts.items()} | {"fit": fit.folder})
    RadiomicsTask().predict(job("predict", features=list(parts), fit="fit"), data, run)
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
        ("a", image, 0, "original", "2 x 9 pixels inside the image, at least 3 x 3 are needed")
    ]
    assert run.result["failed_regions"] == 1


def test_a_center_without_boxes_is_an_error(tmp_path, development):
    with pytest.raises(StudyError, match="Center a: no boxes"):
        RadiomicsTask().features(
            job("features"), JobData(development.images, None, development.stores), FakeRun(tmp_path)
        )


def test_parts_share_the_regions_of_a_center_and_give_the_features_of_the_whole(tmp_path, measured, development):
    parts = in_parts(tmp_path, development, 3)

    assert [run.result["regions"] for run in parts.values()] == [6, 5, 5]
    together = features.read_features([run.folder for run in parts.values()], ["a"])
    assert together.equals(features.read_features([measured.folder], ["a"]))


def test_models_and_scores_do_not_depend_on_the_number_of_parts(tmp_path, measured, development):
    data = with_labels(development, training=10)
    whole = fitted(tmp_path / "whole", measured, data)
    parts = in_parts(tmp_path, development, 3)
    needs = {key: run.folder for key, run in parts.items()}
    split = FakeRun(tmp_path / "split", needs=needs)
    recipe = job("fit", features=list(needs)) | {"hyperparameters": {"C": 0.3, "l1_ratio": 0.5}}
    RadiomicsTask().fit(recipe, data, split)

    assert split.certificate["fingerprint"] == whole.certificate["fingerprint"]
    scored = predicted(tmp_path / "scored", parts, whole, development)
    assert scored.result == {"images": 16, "regions": 16, "images_without_score": 0}


def test_a_center_with_fewer_boxes_than_parts_is_scored(tmp_path, measured, development):
    fit = fitted(tmp_path / "fit", measured, with_labels(development, training=10))
    few = JobData(development.images.head(3), development.boxes.head(2), development.stores)

    parts = in_parts(tmp_path, few, 4)

    assert [run.result["regions"] for run in parts.values()] == [1, 1, 0, 0]
    scored = predicted(tmp_path / "scored", parts, fit, few)
    assert scored.result == {"images": 3, "regions": 2, "images_without_score": 1}


def test_a_part_without_one_measurable_region_costs_only_its_own_images(tmp_path, measured, development):
    fit = fitted(tmp_path / "fit", measured, with_labels(development, training=10))
    thin = development.boxes.with_row_index().with_columns(
        x1=pl.when(pl.col("index") % 2 == 0).then(pl.col("x0") + 1).otherwise("x1")
    )
    data = JobData(development.images.head(4), thin.drop("index").head(4), development.stores)

    parts = in_parts(tmp_path, data, 2)

    assert [run.result["failed_regions"] for run in parts.values()] == [2, 0]
    scored = predicted(tmp_path / "scored", parts, fit, data)
    assert scored.result == {"images": 4, "regions": 2, "images_without_score": 2}


def test_a_center_without_one_measurable_box_is_an_error_where_its_features_are_read(tmp_path, measured, development):
    fit = fitted(tmp_path / "fit", measured, with_labels(development, training=10))
    boxes = development.boxes.with_columns(x1=pl.col("x0") + 1)
    data = JobData(development.images, boxes, development.stores)

    with pytest.raises(StudyError, match="Center a: none of 16 regions could be measured, the first because: 1 x 16"):
        predicted(tmp_path / "scored", in_parts(tmp_path, data, 2), fit, data)


def test_features_go_on_where_an_earlier_attempt_at_the_part_ended(tmp_path, measured, development, monkeypatch):
    monkeypatch.setattr(features, "REGIONS_PER_CHECKPOINT", 3)
    data = JobData(development.images, development.boxes.head(9), development.stores)
    second = {**job("features"), "recipe": {"part": [1, 2]}}
    with pytest.raises(Stop):
        RadiomicsTask().features(second, data, FakeRun(tmp_path, stop_after=1))

    again = FakeRun(tmp_path)
    RadiomicsTask().features(second, data, again)

    assert again.reports == [(2, {"regions": 4.0})]
    expected = measured.tables["features"].filter(pl.col("image").is_in(data.boxes["image"].sort()[1::2].to_list()))
    assert again.tables["features"].equals(expected)


LADDER = {"shift": [0.1], "scale": [0.5], "draws": 1, "images": None}
VARIANTS = ["shift-0.1-0", "scale-0.5"]


def perturbed_job(kind: str, part: list[int], **needs: Any) -> dict[str, Any]:
    recipe = {"part": part, "variants": VARIANTS, "drawn_for": "study", "images": None}
    return {**job(kind, **needs), "arm": {**ARM, "robustness": LADDER}, "recipe": recipe}


def test_perturbed_boxes_are_measured_once_per_variant_and_scored(tmp_path, measured, development):
    fit = fitted(tmp_path / "fit", measured, with_labels(development, training=10))
    data = JobData(development.images.head(4), development.boxes.head(4), development.stores)
    parts = {str(part): FakeRun(tmp_path / str(part)) for part in range(2)}
    for part, run in enumerate(parts.values()):
        RadiomicsTask().features(perturbed_job("features", [part, 2]), data, run)

    run = FakeRun(tmp_path / "predict", needs={key: part.folder for key, part in parts.items()} | {"fit": fit.folder})
    RadiomicsTask().predict(perturbed_job("predict", [0, 1], features=list(parts), fit="fit"), data, run)

    table = run.tables["predictions"]
    assert sorted(table.select("image", "variant").rows()) == sorted(
        (image, variant) for image in data.images["image"] for variant in VARIANTS
    )
    assert table["logit"].n_unique() == 8
    # Half as wide and high: what the box around the same center holds.
    smaller = data.boxes.with_columns(pl.lit(6.0).alias("x0"), pl.lit(6.0).alias("y0"), x1=14.0, y1=14.0)
    direct = FakeRun(tmp_path / "direct")
    RadiomicsTask().features(job("features"), JobData(data.images, smaller, data.stores), direct)
    both = [features.read_features([folder], ["a"]) for folder in (parts["0"].folder, parts["1"].folder)]
    scaled = pl.concat(both).filter(variant="scale-0.5").sort("image").drop("variant")
    assert scaled.equals(direct.tables["features"].sort("image").drop("variant"))


def test_perturbed_features_go_on_where_an_earlier_attempt_ended(tmp_path, development, monkeypatch):
    monkeypatch.setattr(features, "REGIONS_PER_CHECKPOINT", 3)
    data = JobData(development.images.head(4), development.boxes.head(4), development.stores)
    whole = perturbed_job("features", [0, 1])
    with pytest.raises(Stop):
        RadiomicsTask().features(whole, data, FakeRun(tmp_path / "run", stop_after=1))

    again, undisturbed = FakeRun(tmp_path / "run"), FakeRun(tmp_path / "other")
    RadiomicsTask().features(whole, data, again)
    RadiomicsTask().features(whole, data, undisturbed)

    assert [epoch for epoch, _ in again.reports] == [2, 3]
    assert again.tables["features"].equals(undisturbed.tables["features"])


def test_a_perturbed_box_that_cannot_be_measured_is_counted_with_its_variant(tmp_path, development):
    image = development.images["image"][0]
    boxes = pl.DataFrame({"image": image, "box": 0, "x0": 2.0, "y0": 2.0, "x1": 6.0, "y1": 6.0})
    run = FakeRun(tmp_path)

    RadiomicsTask().features(
        perturbed_job("features", [0, 1]), JobData(development.images, boxes, development.stores), run
    )

    assert run.tables["features"]["variant"].to_list() == ["shift-0.1-0"]
    ((*_, variant, reason),) = run.tables["failed_regions"].rows()
    assert variant == "scale-0.5"
    assert reason.startswith("2 x 2 pixels")


def test_a_reserve_of_which_nobody_has_a_box_gives_no_perturbed_scores(tmp_path, measured, development):
    fit = fitted(tmp_path / "fit", measured, with_labels(development, training=10))
    nobody = JobData(development.images.clear(), development.boxes.clear(), development.stores)
    empty = FakeRun(tmp_path / "features")
    RadiomicsTask().features(perturbed_job("features", [0, 1]), nobody, empty)

    run = FakeRun(tmp_path / "predict", needs={"there": empty.folder, "fit": fit.folder})
    RadiomicsTask().predict(perturbed_job("predict", [0, 1], features=["there"], fit="fit"), nobody, run)

    assert empty.result == {"regions": 0, "failed_regions": 0}
    assert run.tables["predictions"].height == 0
    assert run.result == {"images": 0, "regions": 0, "images_without_score": 0}


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
    assert run.result["l1_ratio_at_bound"] == (run.result["l1_ratio"] in {0.1, 0.9})
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
