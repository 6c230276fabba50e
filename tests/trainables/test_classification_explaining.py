"""Saliency jobs of classifiers: what they write, without labels, and what random weights make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from evaluation.robustness.heat import MAPS, rank_correlation, unpacked
from tests.trainables.classification_jobs import data
from tests.trainables.fakes import FakeRun
from trainables.classification import ClassificationTask
from trainables.classification.explaining import randomized
from trainables.classification.model import ModelCard, build, read_model, write_model
from trainables.classification.saliency import evidence
from trainables.data import JobData
from trainables.sampling import Normalization

CARD = ModelCard("test_resnet", 64, 1, Normalization(), "box", 0.2)


def published(folder: Path, card: ModelCard = CARD, seed: int = 3) -> Path:
    """A network whose every feature speaks for the positive class, so that there is evidence to map."""
    folder.mkdir()
    torch.manual_seed(seed)
    state = build(card).state_dict()
    for name in ("fc.weight", "head.weight"):
        if name in state:
            state[name].abs_()
    write_model(folder, card, state)
    return folder


def job(*, sanity: bool = True, **changes: Any) -> dict[str, Any]:
    recipe = {"saliency": {"sanity": sanity}}
    return {"key": "explain-key", "seed": 0, "fold": 1, "recipe": recipe, "needs": {"fit": "fit"}, **changes}


def explained(folder: Path, given: JobData, **changes: Any) -> FakeRun:
    run = FakeRun(folder / "run", needs={"fit": folder / "fit"})
    ClassificationTask().explain(job(**changes), given, run)
    return run


def test_each_region_gets_a_row_although_no_label_is_known(tmp_path):
    published(tmp_path / "fit")
    given = data(5, roles=("reserve", "external"), labels=False)

    table = explained(tmp_path, given).tables["saliency"]

    assert table.schema == pl.Schema(MAPS)
    assert table.select("image", "region", "role").rows() == [
        (image, 0, role) for image, role in given.images.sort("image").select("image", "role").iter_rows()
    ]
    assert given.boxes is not None
    width = (given.boxes["x1"] - given.boxes["x0"])[0]
    assert (table["x1"] - table["x0"])[0] == pytest.approx(width * 1.4), "the square that the network read"
    assert set(table["target"]) == {"positive logit"}
    assert table["randomized"].drop_nulls().is_between(-1, 1).all()


def test_the_rows_hold_the_maps_that_the_network_gives(tmp_path):
    model, card = read_model(published(tmp_path / "fit"), "cpu")
    given = data(3, labels=False)

    table = explained(tmp_path, given, sanity=False).tables["saliency"]

    expected = evidence(model, card, given, "cpu").maps
    assert expected.max() > 0
    found = unpacked(table["heat"].to_list(), table["highest"].to_numpy(), *table.select("rows", "columns").row(0))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=expected.max() * 1e-4)
    assert table["randomized"].null_count() == 3, "nobody asked for random weights"


def test_whole_images_need_no_box(tmp_path):
    published(tmp_path / "fit", ModelCard("test_resnet", 64, 1, Normalization(), "image", 0.0))
    given = data(2, labels=False)

    table = explained(tmp_path, JobData(given.images, None, given.stores)).tables["saliency"]

    assert table["region"].to_list() == [-1, -1]
    assert table.select("x0", "y0", "x1", "y1").row(0) == (0, 0, 48, 48)


def test_a_transformer_ends_with_no_rows_and_the_reason(tmp_path):
    published(tmp_path / "fit", ModelCard("test_vit", 160, 1, Normalization(), "box", 0.2))

    run = explained(tmp_path, data(2, labels=False))

    assert run.tables["saliency"].is_empty()
    assert run.tables["saliency"].schema == pl.Schema(MAPS)
    assert "there is no Grad-CAM" in run.result["no_map"]
    assert run.result["maps"] == 0


def test_no_image_is_no_map(tmp_path):
    published(tmp_path / "fit")
    given = data(2, labels=False)
    nothing = JobData(given.images.clear(), given.boxes, given.stores)

    assert explained(tmp_path, nothing).tables["saliency"].is_empty()


def test_random_weights_follow_from_the_job_alone_and_are_not_the_trained_ones(tmp_path):
    model, card = read_model(published(tmp_path / "fit"), "cpu")
    given = data(4, labels=False)

    maps = [evidence(each, card, given, "cpu").maps for each in (model, *(randomized(card, job(fold=fold), "cpu")
            for fold in (0, 0, 1)))]  # fmt: skip

    trained, first, again, other = maps
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert rank_correlation(trained[0], trained[0]) == pytest.approx(1)
    for one, of_random in zip(trained, first, strict=True):
        assert (rank_correlation(one, of_random) or 0.0) < 0.95
