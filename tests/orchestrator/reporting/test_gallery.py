"""Which radiographs are shown, and what their pictures and words say."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from evaluation.report.context import SCHEMAS
from evaluation.robustness.heat import packed
from orchestrator.reporting.gallery import Choice, chosen
from orchestrator.reporting.heatmaps import NOTHING, HeatMap
from orchestrator.reporting.pictures import LONGEST_SIDE, MOST_BYTES, Film, encoded
from orchestrator.reporting.report import _to_share
from tests.evaluation.report_example import example
from tests.orchestrator.places import make_workspace

BOX = np.array([[20.0, 40, 60, 80]])


def scores(**images: tuple[int, float, bool | None]) -> pl.DataFrame:
    """image=(label, score, called)."""
    rows = [(image, *facts) for image, facts in images.items()]
    schema = {"image": pl.String, "label": pl.Int64, "score": pl.Float64, "called": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


def shown(table: pl.DataFrame) -> dict[str, tuple[str, ...]]:
    return {choice.image: choice.rules for choice in chosen(table)}


def test_the_highest_median_and_lowest_positive_and_the_worst_errors_are_chosen():
    table = scores(
        a=(1, 0.9, True), b=(1, 0.7, True), c=(1, 0.5, True), d=(1, 0.45, False), e=(1, 0.4, True),
        f=(0, 0.6, True), g=(0, 0.8, True), h=(0, 0.95, False),
    )  # fmt: skip

    assert chosen(table) == [
        Choice("a", ("highest",)),
        Choice("c", ("median",)),
        Choice("e", ("lowest",)),
        Choice("g", ("false positive",)),
        Choice("d", ("false negative",)),
    ]


def test_an_image_that_several_rules_choose_is_shown_once():
    assert shown(scores(a=(1, 0.9, True), b=(1, 0.2, False))) == {
        "a": ("highest",),
        "b": ("median", "lowest", "false negative"),
    }
    assert shown(scores(a=(1, 0.9, True))) == {"a": ("highest", "median", "lowest")}


def test_without_a_carried_threshold_there_are_no_errors():
    assert shown(scores(a=(1, 0.9, None), n=(0, 0.95, None))) == {"a": ("highest", "median", "lowest")}


def test_equal_scores_are_ranked_by_name_so_that_every_report_shows_the_same():
    table = scores(b=(1, 0.5, True), a=(1, 0.5, True), c=(1, 0.5, True))

    assert list(shown(table)) == list(shown(table.reverse())) == ["c", "b", "a"]


def test_where_nothing_is_positive_only_false_alarms_are_left():
    assert shown(scores(a=(0, 0.2, False), b=(0, 0.9, True))) == {"b": ("false positive",)}
    assert shown(scores()) == {}


def heat_map(heat: object, square: tuple[float, float, float, float] = (0, 0, 100, 100), region: int = -1) -> dict:
    return {"region": region, **dict(zip(("x0", "y0", "x1", "y1"), square, strict=True)), **packed(heat)}


def laid(*rows: dict, ratio: float = 1.0) -> HeatMap:
    return HeatMap.of(pl.DataFrame(list(rows)), round(100 * ratio), round(100 * ratio), ratio)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ((2, 1), "the map is highest inside the box"),
        ((0, 1), "the map is highest outside the box, above it"),
        ((2, 3), "the map is highest outside the box, right of it"),
        ((3, 0), "the map is highest outside the box, below and left of it"),
    ],
)
def test_where_a_map_is_highest_is_told_relative_to_the_box(cell, words):
    cells = np.zeros((4, 4))  # of 25 x 25 pixels, their middles at 12.5, 37.5, 62.5 and 87.5
    cells[cell] = 1

    assert laid(heat_map(cells)).in_words(BOX) == words


def test_a_picture_of_another_size_has_its_map_and_box_at_the_same_place():
    cells = np.zeros((4, 4))
    cells[2, 1] = 1

    small = laid(heat_map(cells), ratio=0.5)

    assert small.heat.shape == (50, 50)
    assert small.peak == pytest.approx((18.75, 31.25), abs=1)
    assert small.in_words(BOX * 0.5) == "the map is highest inside the box"


def test_replicates_are_averaged_and_regions_laid_beside_each_other():
    left, right = (0.0, 0.0, 50.0, 100.0), (50.0, 0.0, 100.0, 100.0)
    rows = [heat_map([[2.0]], left, 0), heat_map([[4.0]], left, 0), heat_map([[1.0]], right, 1)]

    heat = laid(*rows).heat

    assert set(heat[:, :50].ravel()) == {3.0}
    assert set(heat[:, 50:].ravel()) == {1.0}


def test_a_map_without_evidence_and_a_film_without_a_box_say_so():
    assert laid(heat_map(np.zeros((2, 2)))).in_words(BOX) == NOTHING
    assert laid(heat_map(np.ones((2, 2)))).in_words(BOX[:0]) == "no box is marked"


def test_a_large_radiograph_becomes_a_small_file_with_its_shape():
    stored = np.random.default_rng(0).integers(0, 65535, (1600, 1000), dtype=np.uint16)

    film = Film.of(stored)
    content = encoded(film.drawn(np.array([[100.0, 200, 500, 700]])))

    assert film.gray.shape == (LONGEST_SIDE, 200)
    assert content[8:12] == b"WEBP"
    assert len(content) <= MOST_BYTES
    assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).shape == (LONGEST_SIDE, 200, 3)


def test_the_outline_leaves_the_box_itself_free():
    film = Film.of(np.full((LONGEST_SIDE, LONGEST_SIDE), 30000, np.uint16))

    drawn = film.drawn(BOX)

    assert (drawn[40:80, 20:60] == film.gray[0, 0]).all()
    assert (drawn[39, 19:61] == 255).all()
    assert (drawn[38, 18:62] == 0).all()


def test_heat_colors_where_it_is_and_leaves_the_rest_as_it_was():
    film = Film.of(np.full((LONGEST_SIDE, LONGEST_SIDE), 30000, np.uint16))
    heat = np.zeros((LONGEST_SIDE, LONGEST_SIDE), np.float32)
    heat[100, 100] = 5.0

    drawn, plain = film.drawn(BOX[:0], heat), film.drawn(BOX[:0])

    blue, green, red = drawn[100, 100].tolist()
    assert red > blue, "yellow where it is highest"
    assert green > blue
    assert (drawn != plain).any(axis=-1).sum() == 1
    np.testing.assert_array_equal(film.drawn(BOX[:0], heat * 0), plain)


@pytest.mark.slow  # renders a report
def test_pictures_of_radiographs_stay_in_the_centers_own_report(tmp_path: Path):
    facts = {"arm": "classification", "cell": "", "role": "external", "center": "center_b", "image": "center_b-1"}
    facts |= {"rule": "highest", "kind": "plain", "label": 1, "score": 0.9, "called": True, "boxes": 1, "peak": ""}
    facts |= {"picture": b"burned-in name", "media_type": "image/webp", "width": 200, "height": 320}
    gallery = pl.DataFrame([facts], schema=SCHEMAS["gallery"])
    nothing = {name: example().quarantine.clear() for name in ("quarantine",)} | {
        "failures": example().failures.clear()
    }

    files = _to_share(example(gallery=gallery, **nothing), make_workspace(tmp_path))

    page = next(path for path in files.values() if path.name == "report.html")
    text = page.read_text(encoding="utf-8")
    assert page.parent.name == "report-shared"
    assert "data:image/webp" not in text
    assert "The picture stays in the center's own report" in text
    assert "center_b-1" not in text
