"""Maps of detectors: what they explain, where they lie on the film, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.trainables.detection_jobs import BACKBONE, SIDE, data
from tests.trainables.fakes import FakeRun
from trainables.data import JobData
from trainables.detection import DetectionTask
from trainables.detection.quiet import import_ultralytics

import_ultralytics()

import torch  # noqa: E402 - Ultralytics is switched quiet before anything imports it

from evaluation.robustness.heat import MAPS  # noqa: E402
from trainables.detection.card import DetectorCard  # noqa: E402
from trainables.detection.explaining import randomized  # noqa: E402
from trainables.detection.network import build, read_model, write_model  # noqa: E402
from trainables.detection.prediction import inputs  # noqa: E402
from trainables.detection.saliency import TargetLogits, covered, evidence  # noqa: E402

pytestmark = pytest.mark.slow  # loads Ultralytics


def published(folder: Path, *, cold: bool = False) -> Path:
    """A detector with random weights; a cold one is sure that there is nothing anywhere."""
    folder.mkdir()
    model = build(BACKBONE, 2, 0)
    for head in model.model[-1].cv3:
        head[-1].bias.data.fill_(-30.0 if cold else -2.0)
    write_model(folder, DetectorCard(model.yaml, ("target", "other"), SIDE, "max"), model.state_dict())
    return folder


def job(*, sanity: bool = True, **changes: Any) -> dict[str, Any]:
    recipe = {"saliency": {"sanity": sanity}}
    return {"key": "explain-key", "seed": 0, "fold": 0, "recipe": recipe, "needs": {"fit": "fit"}, **changes}


def unlabeled(count: int) -> JobData:
    given = data(count, labels=False)
    return JobData(given.images.with_columns(role=pl.lit("external")), None, given.stores)


def explained(folder: Path, given: JobData, **changes: Any) -> FakeRun:
    run = FakeRun(folder / "run", needs={"fit": folder / "fit"})
    DetectionTask().explain(job(**changes), given, run)
    return run


def test_each_film_with_a_box_gets_a_row_although_no_label_and_no_box_is_known(tmp_path):
    published(tmp_path / "fit")

    run = explained(tmp_path, unlabeled(4))

    table = run.tables["saliency"]
    assert table.schema == pl.Schema(MAPS)
    assert table["image"].to_list() == ["a-000", "a-001", "a-002", "a-003"]
    assert set(table["region"]) == {-1}
    assert set(table["target"]) == {"logit of the most confident box"}
    assert set(table["rows"]) <= {2, 4, 8}, "the grids of the three levels of a head at 64 pixels"
    assert run.result == {"maps": 4, "without_box": 0}


def test_films_without_a_box_are_counted_and_left_out(tmp_path):
    published(tmp_path / "fit", cold=True)

    run = explained(tmp_path, unlabeled(3))

    assert run.tables["saliency"].is_empty()
    assert run.result == {"maps": 0, "without_box": 3}


def test_the_target_is_the_logit_of_the_box_that_makes_the_score(tmp_path):
    model, card = read_model(published(tmp_path / "fit"), "cpu")
    network = TargetLogits(model)
    ((_, batch),) = inputs(model, card.image_size, unlabeled(2), "cpu")

    with torch.no_grad():
        logits, sizes = network.everywhere(batch)
        highest, places = logits.max(dim=1)
        confidences = model(batch)[0][:, 4]

    assert sizes == (64, 16, 4)
    torch.testing.assert_close(network(batch, places), highest)
    torch.testing.assert_close(highest.sigmoid(), confidences.max(dim=1).values)


def test_a_box_of_the_network_lies_on_the_film_where_its_map_does(tmp_path):
    model, card = read_model(published(tmp_path / "fit"), "cpu")
    ((items, _),) = inputs(model, card.image_size, unlabeled(4), "cpu")

    for item in items:
        height, width = item["ori_shape"]
        x0, y0, x1, y1 = covered(item, card.image_size)

        # The longer side fits; the shorter one has equal bars on both sides.
        assert (y0, y1) == (0, height)
        assert x0 == pytest.approx(width - x1, abs=1.01), "Ultralytics rounds the bars to whole pixels"
        assert x1 - x0 == pytest.approx(SIDE)


def test_the_second_network_is_asked_about_the_same_place(tmp_path):
    model, card = read_model(published(tmp_path / "fit"), "cpu")
    given = unlabeled(3)

    same = list(evidence(model, model, card.image_size, given, "cpu"))
    other = list(evidence(model, randomized(card, job(), "cpu"), card.image_size, given, "cpu"))

    for one, another in zip(same, other, strict=True):
        assert one.heat is not None
        assert another.of_other is not None
        np.testing.assert_array_equal(one.heat, one.of_other)
        assert another.of_other.shape == one.heat.shape
        assert not np.array_equal(another.of_other, one.heat)


def test_random_weights_follow_from_the_job_alone(tmp_path):
    _, card = read_model(published(tmp_path / "fit"), "cpu")

    first, again, other = (randomized(card, job(seed=seed), "cpu").state_dict() for seed in (0, 0, 1))

    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
