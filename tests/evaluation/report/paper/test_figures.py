"""Figures for print: sizes, fonts, colors, bytes."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import replace

import polars as pl
import pytest

from evaluation.report.context import SCHEMAS, ReportContext
from evaluation.report.paper.figures.chosen import MAKERS
from evaluation.report.paper.figures.drawing import Drawing
from evaluation.report.paper.figures.intervals import IntervalRow, folded, pages
from evaluation.report.paper.figures.planned import split_pair
from evaluation.report.paper.figures.style import SMALLEST_POINTS, STYLES, TALLEST_MM, in_print, saved, sizes_of_texts
from tests.evaluation.report_example import example, unstarted

MM_PER_POINT = 25.4 / 72


def context() -> ReportContext:
    """The example with its flow."""
    rows = [
        (None, "center_a", "development", "found", "", None, 400, None, None),
        (None, "center_a", "development", "ingested", "", 380, 400, None, None),
        ("classification", "center_a", "development", "other label", "normal", 10, 12, None, None),
        ("classification", "center_a", "development", "used", "", 370, 388, 188, 200),
        ("classification", "center_a", "development", "reserve", "", 74, 80, 40, 40),
        ("classification", "center_a", "development", "fold 0", "", 148, 150, 74, 76),
        ("classification", "center_b", "external", "used", "", 90, 90, 60, 30),
    ]
    return example(flow=pl.DataFrame(rows, schema=SCHEMAS["flow"], orient="row"))


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[Drawing]]:
    with in_print():
        return {kind: make(context(), STYLES["usual"]) for kind, make in MAKERS.items()}


@pytest.mark.slow
def test_every_kind_of_figure_is_drawn_from_the_frames_of_the_report(drawn: dict[str, list[Drawing]]):
    assert [kind for kind, found in drawn.items() if not found] == []


@pytest.mark.slow
def test_no_text_is_smaller_than_seven_points(drawn: dict[str, list[Drawing]]):
    for found in drawn.values():
        for drawing in found:
            assert min(sizes_of_texts(drawing.figure)) >= SMALLEST_POINTS


@pytest.mark.slow
def test_every_figure_is_as_wide_as_a_column_and_fits_a_page(drawn: dict[str, list[Drawing]]):
    for found in drawn.values():
        for drawing in found:
            width, height = (25.4 * size for size in drawing.figure.get_size_inches())
            assert width == pytest.approx(88) or width == pytest.approx(178)
            assert height <= TALLEST_MM + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(("style", "width"), [("narrow", 174), ("usual", 178), ("wide", 180)])
def test_files_have_the_asked_width_embedded_fonts_and_the_same_bytes_twice(style: str, width: float):
    with in_print():
        first = saved(MAKERS["effects"](context(), STYLES[style])[0].figure)
        again = saved(MAKERS["effects"](context(), STYLES[style])[0].figure)

    assert first == again
    assert svg_width(first["svg"]) == pytest.approx(width, abs=0.1)
    assert pdf_width(first["pdf"]) == pytest.approx(width, abs=0.1)
    assert png_width(first["png"]) == pytest.approx(width / 25.4 * 300, abs=1)
    assert b"/Type3" not in first["pdf"]
    assert b"/FontFile2" in first["pdf"]
    assert min(pdf_text_sizes(first["pdf"])) >= SMALLEST_POINTS
    assert b"CreationDate" not in first["pdf"]


def svg_width(content: bytes) -> float:
    found = re.search(rb'<svg[^>]*? width="([0-9.]+)pt"', content)
    assert found
    return float(found.group(1)) * MM_PER_POINT


def pdf_width(content: bytes) -> float:
    found = re.search(rb"/MediaBox \[ ?0 0 ([0-9.]+) ", content)
    assert found
    return float(found.group(1)) * MM_PER_POINT


def png_width(content: bytes) -> int:
    return int(struct.unpack(">I", content[16:20])[0])


def pdf_text_sizes(content: bytes) -> list[float]:
    """Sizes that the page sets its fonts to."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, flags=re.DOTALL)
    found: list[float] = []
    for stream in streams:
        try:
            text = zlib.decompress(stream)
        except zlib.error:
            continue
        found += [float(size) for size in re.findall(rb"/F\S+ ([0-9.]+) Tf", text)]
    return found


@pytest.mark.slow
def test_sealed_external_results_are_in_no_figure():
    sealed = replace(context(), external_open=False, external_waiting="1 of 6")
    with in_print():
        found = {kind: make(sealed, STYLES["usual"]) for kind, make in MAKERS.items()}

    assert found["forest"] == []
    assert "reserve" in found["effects"][0].caption
    titles = [axes.get_title(loc="left") for axes in found["froc"][0].figure.axes]
    assert titles
    assert not any("External" in title for title in titles)


@pytest.mark.slow
def test_without_results_there_are_no_figures():
    with in_print():
        assert [make(unstarted(), STYLES["usual"]) for make in MAKERS.values()] == [[]] * len(MAKERS)


def test_a_pair_says_once_what_its_cells_share():
    assert split_pair("resnet50 · chest · transfer", "resnet50 · none · transfer") == (
        "resnet50 · transfer",
        "chest",
        "none",
    )
    assert split_pair("a: x · y · z", "b: u · v · w") == ("", "a: x · y · z", "b: u · v · w")


def test_a_name_that_is_too_wide_goes_on_in_a_further_row_which_holds_the_interval():
    rows = folded(IntervalRow("a name of many words that no column of a journal holds", middle=0.1), 30)

    assert len(rows) > 1
    assert [row.middle for row in rows[:-1]] == [None] * (len(rows) - 1)
    assert rows[-1].middle == 0.1
    assert " ".join(row.name.strip() for row in rows).startswith("a name of many words")


def test_blocks_are_packed_into_pages_and_never_torn_apart():
    blocks = [[IntervalRow(f"{block}")] * 20 for block in range(5)]

    packed = pages(blocks)

    assert len(packed) > 1
    assert all(len(page) % 20 == 0 for page in packed)
    assert sum(len(page) for page in packed) == 100
