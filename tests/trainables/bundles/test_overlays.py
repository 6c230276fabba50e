from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import polars as pl

from tests.trainables.bundles.making import SIZE, make_bundle, write_films
from trainables.bundles.bundle import Limit
from trainables.bundles.overlays import FOUND, GIVEN, Overlays, heated, shown_boxes
from trainables.bundles.reading import File, Radiographs
from trainables.bundles.scoring import FOUND as BOXES
from trainables.bundles.scoring import Scores

BOX = (8.0, 16.0, 40.0, 56.0)


def drawn(*rows: tuple[str, str, int, float]) -> pl.DataFrame:
    """Boxes of a detector, all in the same place: file, replicate, class, confidence."""
    return pl.DataFrame([(*row[:3], *BOX, row[3]) for row in rows], schema=BOXES, orient="row")


def colored(picture: np.ndarray, color: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Columns and rows between which a color lies: x0, y0, x1, y1."""
    y, x = np.nonzero((picture == color).all(axis=-1))
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def test_a_detector_s_boxes_are_shown_from_the_loosest_threshold_of_the_replicate_that_drew_them(tmp_path):
    bundle = make_bundle(tmp_path)
    limits = (
        Limit("youden", "reserve", 0.5, {"f0-s0": 0.6, "f1-s0": math.inf}),
        Limit("sensitivity>=0.90", "reserve", 0.2, {"f0-s0": 0.3, "f1-s0": math.inf}),
    )
    boxes = drawn(("a", "f0-s0", 0, 0.3), ("a", "f0-s0", 0, 0.29), ("a", "f0-s0", 1, 0.9), ("a", "f1-s0", 0, 0.9))

    shown = shown_boxes(replace(bundle, limits=limits), boxes)

    assert shown.select("replicate", "class", "score").rows() == [("f0-s0", 0, 0.3)]


def test_a_heat_map_colors_where_the_evidence_is_and_leaves_the_rest():
    picture = np.full((40, 40, 3), 128, np.uint8)
    evidence = np.zeros((40, 40), np.float32)
    evidence[5:15, 20:30] = 1e-7  # evidence has no scale: the highest of a map is the strongest color

    warm = heated(picture, evidence)

    assert (warm[5:15, 20:30, 2] > warm[5:15, 20:30, 0]).all()
    assert (warm[20:, :15] == 128).all()
    assert (heated(picture, np.zeros((40, 40), np.float32)) == 128).all()


def test_given_and_found_boxes_are_drawn_on_the_stored_radiograph(tmp_path):
    (path, *_) = write_films(tmp_path / "films")  # 64 x 96, stored as 32 x 48, shown 10 times as large
    read = Radiographs.read([File("a.png", path, (BOX,))], SIZE, needs_boxes=True)
    bundle = replace(make_bundle(tmp_path / "store"), limits=(Limit("youden", "reserve", 0.1, {"f0-s0": 0.1}),))
    images = pl.DataFrame({"file": ["a.png"]})
    empty = Scores(images, pl.DataFrame(), pl.DataFrame(schema=BOXES), {})

    ((_, given),) = Overlays({}).draw(bundle, read, empty)
    ((_, found),) = Overlays({}).draw(bundle, read, replace(empty, boxes=drawn(("a.png", "f0-s0", 0, 0.5))))

    assert given.shape == (480, 320, 3)
    assert colored(given, GIVEN) == (40, 80, 200, 280)  # 8..40 and 16..56 of the file, halved, times 10
    assert colored(found, FOUND) == (40, 80, 200, 280)


def test_a_classifier_s_picture_holds_its_heat_map_and_a_transformer_s_a_reason(tmp_path):
    (path, *_) = write_films(tmp_path / "films")
    read = Radiographs.read([File("a.png", path, (BOX,))], SIZE, needs_boxes=True)
    bundle = make_bundle(tmp_path / "store")

    overlays = Overlays.of(bundle, read, "cpu")
    ((_, picture),) = overlays.draw(bundle, read, bundle.predict(read))

    assert overlays.maps["a.png"].shape == (48, 32)
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    assert (picture != gray[..., np.newaxis]).any()
    assert (picture[330:] == picture[330:, :, :1]).all(), "below the region nothing is colored"
