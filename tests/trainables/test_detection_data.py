from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from search_spaces.errors import StudyError
from tests.trainables.detection_jobs import BACKBONE, Store, data
from trainables.data import JobData
from trainables.detection.quiet import import_ultralytics

pytestmark = pytest.mark.slow

import_ultralytics()

from trainables.detection.arguments import augmentation  # noqa: E402
from trainables.detection.dataset import FilmDataset, films  # noqa: E402
from trainables.detection.network import build, read_source, transfer  # noqa: E402
from trainables.detection.prediction import _in_stored_pixels  # noqa: E402
from trainables.detection.recipe import fitting_batch, scaled, seed_of  # noqa: E402


def one_film(height: int, width: int, box: tuple[float, float, float, float]) -> JobData:
    """A dark film with one bright box."""
    pixels = np.zeros((height, width), np.uint16)
    pixels[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = 65535
    image = {"image": "a-0", "patient": "p", "center": "a", "height": height, "width": width, "role": "train"}
    corners = dict(zip(("x0", "y0", "x1", "y1"), box, strict=True))
    boxes = pl.DataFrame([{"image": "a-0", "box": 0, **corners, "target": 0}])
    return JobData(pl.DataFrame([image]), boxes, {"a": Store({"a-0": pixels})})  # type: ignore[dict-item]


def item(job_data: JobData, side: int) -> dict[str, Any]:
    from ultralytics.cfg import get_cfg

    options = {"data": {"names": {0: "target"}, "channels": 3}, "augment": False, "hyp": get_cfg()}
    return FilmDataset(films(job_data), job_data.pixels, imgsz=side, **options)[0]


def test_a_film_reaches_the_network_as_three_equal_channels_of_the_whole_square():
    image = item(one_film(100, 60, (10, 20, 30, 60)), 64)["img"]

    assert tuple(image.shape) == (3, 64, 64)
    assert image.float().std(dim=0).max() == 0
    assert (int(image.max()), int(image[:, 32, 32].max())) == (255, 0)


@pytest.mark.parametrize(("height", "width"), [(100, 60), (60, 100), (37, 64), (200, 133)])
def test_boxes_come_back_from_the_network_to_stored_pixels(height, width):
    import torch

    letterboxed = item(one_film(height, width, (10, 20, 30, 36)), 64)
    middle_x, middle_y, wide, high = (letterboxed["bboxes"][0] * 64).tolist()
    corners = [middle_x - wide / 2, middle_y - high / 2, middle_x + wide / 2, middle_y + high / 2]

    back = _in_stored_pixels(torch.tensor([[*corners, 0.5, 0]]), letterboxed)

    assert back[0, :4].tolist() == pytest.approx([10, 20, 30, 36], abs=0.01)


def test_boxes_beyond_the_border_are_cut_and_empty_ones_dropped():
    (film,) = films(one_film(50, 40, (30, -5, 60, 20)))
    (nothing,) = films(one_film(50, 40, (45, 10, 60, 20)))

    assert film.boxes.tolist() == [[30, 0, 40, 20]]
    assert len(nothing.boxes) == 0


def test_boxes_of_other_lesions_are_a_class_or_nothing():
    as_class, as_background = films(data(4), negatives="class"), films(data(4))

    assert [film.classes.tolist() for film in as_class] == [[0], [1], [0], []]
    assert [film.classes.tolist() for film in as_background] == [[0], [], [0], []]


def test_without_strength_and_mosaics_a_training_film_is_the_film_itself():
    from ultralytics.cfg import get_cfg

    job_data = one_film(100, 50, (10, 20, 30, 60))  # an odd border would lie half a pixel elsewhere
    settings = get_cfg(overrides={**augmentation(0.0), "mosaic": 0.0})
    options = {"data": {"names": {0: "target"}, "channels": 3}, "imgsz": 64, "hyp": settings, "augment": True}
    plain = item(job_data, 64)

    for _ in range(5):
        shown = FilmDataset(films(job_data), job_data.pixels, **options)[0]
        assert shown["img"].equal(plain["img"])
        assert shown["bboxes"].tolist() == [pytest.approx(box, abs=1e-6) for box in plain["bboxes"].tolist()]


def test_strength_leads_from_nothing_over_the_usual_movements_to_twice_as_much():
    moved = ("hsv_v", "degrees", "translate", "scale", "fliplr")

    assert [augmentation(0.0)[name] for name in moved] == [0, 0, 0, 0, 0]
    assert [augmentation(0.5)[name] for name in moved] == [0.4, 10, 0.1, 0.5, 0.5]
    assert [augmentation(1.0)[name] for name in moved] == [0.8, 20, 0.2, 0.75, 0.5]


def test_small_cohorts_get_small_batches_and_no_batch_is_larger_than_asked_for():
    assert [fitting_batch(images) for images in (10, 60, 128, 5000)] == [4, 7, 16, 16]
    assert [fitting_batch(images, 64) for images in (10, 60, 128, 5000)] == [4, 7, 16, 64]
    assert fitting_batch(5000, 2) == fitting_batch(10, 2) == 2


def test_a_scaled_input_is_the_nearest_multiple_of_32():
    assert [scaled(640, scale) for scale in (0.75, 1, 1.25)] == [480, 640, 800]
    assert [scaled(96, scale) for scale in (0.75, 1, 1.25)] == [64, 96, 128]
    assert scaled(32, 0.25) == 32


def test_seeds_follow_from_seed_and_fold():
    assert seed_of(0, 1) == seed_of(0, 1) != seed_of(1, 0)


def test_a_whole_model_file_of_ultralytics_is_read_without_running_its_code(tmp_path: Path):
    import torch

    model = build(BACKBONE, 80, seed=1)
    torch.save({"model": model, "ema": None, "train_args": {}}, tmp_path / "yolov5nu.pt")

    loaded = transfer(build(BACKBONE, 1, seed=2), read_source(tmp_path / "yolov5nu.pt"), tmp_path, "transfer")

    assert loaded.share == 1
    assert all(name.startswith("model.24.") for name in loaded.missing)


class Stranger:
    """Anything that is no tensor and no layer."""


def test_a_pickle_that_names_other_classes_is_refused(tmp_path: Path):
    import torch

    torch.save({"model": Stranger()}, tmp_path / "odd.pt")

    with pytest.raises(StudyError, match="cannot be read without running code from it"):
        read_source(tmp_path / "odd.pt")
