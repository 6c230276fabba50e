from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from cohorts.perturbing import perturbed
from search_spaces.ladder import Robustness
from tests.trainables.classification_jobs import BACKBONE, data, predict_job
from tests.trainables.fakes import FakeRun
from trainables.classification import ClassificationTask
from trainables.classification.model import ModelCard, build, write_model
from trainables.data import JobData
from trainables.sampling import Normalization

LADDER = {"shift": [0.2], "scale": [1.5], "draws": 1, "images": None}
VARIANTS = ["shift-0.2-0", "scale-1.5"]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published network with random weights: what boxes do to its scores needs no training."""
    folder = tmp_path_factory.mktemp("fit")
    card = ModelCard(BACKBONE, 32, 1, Normalization(), "box", 0.2)
    torch.manual_seed(3)
    model = build(card)
    torch.nn.init.normal_(model.fc.weight, std=1.0)  # type: ignore[union-attr, arg-type]
    write_model(folder, card, model.state_dict())
    return folder


def scored(folder: Path, network: Path, given: JobData, *variants: str) -> pl.DataFrame:
    recipe: dict[str, Any] = {"variants": list(variants or ["original"]), "drawn_for": "study", "images": None}
    run = FakeRun(folder, needs={"fit-key": network})
    ClassificationTask().predict(predict_job(arm={"robustness": LADDER}, recipe=recipe), given, run)
    return run.tables["predictions"]


def films() -> JobData:
    return data(6, roles=("external",), labels=False)


def test_every_region_is_scored_once_per_variant_of_the_recipe(tmp_path: Path, network: Path) -> None:
    table = scored(tmp_path, network, films(), *VARIANTS)

    assert table["variant"].to_list() == [variant for variant in VARIANTS for _ in range(6)]
    assert table["image"].to_list() == films().images["image"].to_list() * 2
    assert np.isfinite(table["logit"].to_numpy()).all()


def test_a_variant_scores_what_its_boxes_show(tmp_path: Path, network: Path) -> None:
    given = films()
    assert given.boxes is not None
    ladder = Robustness.model_validate(LADDER).variants()

    table = scored(tmp_path / "variants", network, given, *VARIANTS)

    for variant in ladder:
        moved = JobData(given.images, perturbed(given.boxes, variant, "study"), given.stores)
        plain = scored(tmp_path / variant.id, network, moved)
        assert table.filter(variant=variant.id)["logit"].equals(plain["logit"])
    original = scored(tmp_path / "original", network, given)["logit"].to_numpy()
    assert (np.abs(table.filter(variant=VARIANTS[0])["logit"].to_numpy() - original) > 1e-6).all()


def test_regions_may_lie_beyond_the_image(tmp_path: Path, network: Path) -> None:
    given = films()
    assert given.boxes is not None
    outside = given.boxes.with_columns(pl.col("x0", "x1") + 200)

    table = scored(tmp_path, network, JobData(given.images, outside, given.stores), *VARIANTS)

    assert np.isfinite(table["logit"].to_numpy()).all()


@pytest.mark.parametrize("variants", [[], VARIANTS])
def test_no_image_to_score_gives_an_empty_table(tmp_path: Path, network: Path, variants: list[str]) -> None:
    given = films()
    assert given.boxes is not None
    nobody = JobData(given.images.clear(), given.boxes.clear(), given.stores)

    table = scored(tmp_path, network, nobody, *variants)

    assert table.height == 0
    assert table.schema == scored(tmp_path, network, given).schema
