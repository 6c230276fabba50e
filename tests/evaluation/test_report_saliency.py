"""Heat maps and the gallery in the report: tables, pictures with their words, and what is shown when."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import Any

import polars as pl
import pytest

from evaluation.comparison.pointing import NO_MAP, SALIENCY, SALIENCY_PAIRS
from evaluation.report.context import SCHEMAS, ReportContext
from evaluation.report.display import Entry
from evaluation.report.page.html import render
from evaluation.report.tables.gallery import gallery
from evaluation.report.tables.saliency import saliency, saliency_pairs, sanity
from tests.evaluation.report_cells import BEST, CHEST, SECOND
from tests.evaluation.report_example import example, no_comparison
from tests.evaluation.report_page import Page, entries

TRANSFER = "resnet50 · radimagenet · transfer"


def row(cell: str = BEST, decisions: str = "all", **changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"arm": "classification", "cell": cell, "role": "external", "center": "all"}
    facts |= {
        "decisions": decisions,
        "maps": 40,
        "images": 38,
        "patients": 30,
        "chance": 0.21,
        "chance_pointing": 0.25,
        "grid": "7 × 7",
    }
    facts |= {"pointing": 0.75, "pointing_low": 0.6, "pointing_high": 0.87}
    facts |= {"energy": 0.44, "energy_low": 0.4, "energy_high": 0.48}
    facts |= {"iou_15": 0.2, "iou_25": 0.25, "iou_50": 0.3, "iou_same_area": 0.35, "randomized": 0.12}
    return facts | {"replicates": 3.0, "method": "pointing: Clopper-Pearson; energy: normal", "flag": ""} | changes


def pair(measure: str, **changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"arm": "classification", "role": "external", "center": "all", "measure": measure}
    facts |= {"first": BEST, "second": SECOND, "maps": 40, "patients": 30, "value_first": 0.75, "value_second": 0.5}
    facts |= {"difference": 0.25, "low": 0.1, "high": 0.4, "p": 0.003, "p_adjusted": 0.006, "adjustment": "holm"}
    return facts | {"method": "McNemar mid-p; Tango score", "flag": ""} | changes


def picture(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"arm": "classification", "cell": BEST, "role": "external", "center": "center_b"}
    facts |= {"image": "center_b-1", "rule": "lowest; false negative", "kind": "plain", "label": 1, "score": 0.218}
    facts |= {"called": False, "boxes": 1, "peak": "", "picture": b"pixels", "media_type": "image/webp"}
    return facts | {"width": 200, "height": 320} | changes


HEATED = {"kind": "heated", "peak": "the map is highest outside the box, above it"}


def context(*rows: dict[str, Any], pictures: tuple[dict[str, Any], ...] = (), **changes: Any) -> ReportContext:
    frames = {"saliency": pl.DataFrame(rows, schema=SALIENCY, orient="row")}
    frames["saliency_pairs"] = pl.DataFrame(changes.pop("pairs", []), schema=SALIENCY_PAIRS, orient="row")
    shown = pl.DataFrame(list(pictures), schema=SCHEMAS["gallery"])
    return example(comparison=replace(no_comparison(), **frames), gallery=shown, **changes)


def test_a_cell_has_one_row_with_right_and_wrong_decisions_beside_it() -> None:
    (table,) = saliency(context(row(), row(decisions="wrong", maps=9, pointing=0.5, energy=0.3)), "classification")

    found = entries(table, TRANSFER)
    assert found[0] == Entry("40", ("30", "7 × 7"))
    assert found[1] == Entry("0.750", ("0.600–0.870", "chance 0.250"))
    assert found[2] == Entry("0.440", ("0.400–0.480", "chance 0.210"))
    assert found[3] == Entry("0.300", ("0.200, 0.250, 0.350",))
    assert found[4] == Entry("–"), "no decision was right"
    assert found[5] == Entry("0.500", ("energy 0.300", "9 maps"))
    assert found[6] == Entry("0.12")


def test_a_cell_without_maps_says_why_in_a_footnote() -> None:
    nothing = {name: nan for name, kind in SALIENCY.items() if kind == pl.Float64}
    lacking = row(CHEST, maps=0, patients=0, grid="", flag=NO_MAP + "tokens", **nothing)

    (table,) = saliency(context(row(), lacking), "classification")

    assert table.notes == (("a", "no map: tokens"),)


def test_what_random_weights_draw_is_told_in_words() -> None:
    found = sanity(context(row(), row(SECOND, randomized=0.5)), "classification")

    assert "is 0.12 to 0.50 on average of a cell (External, pooled), highest in" in found
    assert sanity(context(row(randomized=nan)), "classification") == ""


def test_pairs_stand_by_measure() -> None:
    table = saliency_pairs(context(row(), pairs=[pair("pointing"), pair("energy", flag="the same for both")]))

    assert [group.heading.text for group in table.groups if group.heading] == ["Pointing game", "Energy in the boxes"]
    assert table.groups[0].rows[0][4] == Entry("+0.250", ("+0.100 to +0.400",))
    assert table.notes == (("a", "the same for both"),)


def test_a_radiograph_is_shown_plain_and_with_the_map_of_each_compared_cell() -> None:
    other = picture(cell=SECOND, score=0.4, called=None, **HEATED)

    (shown,) = gallery(context(pictures=(picture(), picture(**HEATED), other)), "classification")

    assert shown.title == "Lowest score of the positives, worst false negative"
    assert shown.place == "External, center_b · positive"
    plain, heated, beside = shown.frames
    assert plain.source == "data:image/webp;base64,cGl4ZWxz"
    assert plain.alt == (
        "Radiograph. Lowest score of the positives, worst false negative. External, center_b, labeled positive. "
        "The marked box is outlined."
    )
    assert heated.alt == (
        f"The same radiograph with the map of {TRANSFER}. Lowest score of the positives, worst false negative. "
        "External, center_b, labeled positive. Score 0.218, called negative: the map is highest outside the box, "
        "above it."
    )
    assert beside.details == ("score 0.400", "the map is highest outside the box, above it")


def test_no_external_radiograph_is_shown_before_the_seal_opens() -> None:
    reserve = picture(role="reserve", center="center_a", image="center_a-1")
    sealed = context(pictures=(picture(), reserve), external_open=False)

    assert [shown.place for shown in gallery(sealed, "classification")] == ["Reserve, center_a · positive"]


@pytest.mark.slow  # renders a report
def test_the_page_shows_pictures_with_alternative_texts_and_no_name_of_an_image() -> None:
    html = render(context(row(), pictures=(picture(), picture(**HEATED))))

    page = Page(html)
    images = [attributes for tag, attributes in page.elements if tag == "img"]
    assert [image["src"] for image in images] == ["data:image/webp;base64,cGl4ZWxz"] * 2
    assert all(image["alt"] for image in images)
    assert "center_b-1" not in html


@pytest.mark.slow  # renders a report
def test_a_picture_that_may_not_leave_the_center_is_replaced_by_its_words() -> None:
    page = Page(render(context(row(), pictures=(picture(picture=None), picture(picture=None, **HEATED)))))

    assert "img" not in {tag for tag, _ in page.elements}
    assert "The picture stays in the center's own report" in page.text
    assert "called negative: the map is highest outside the box" in page.text


@pytest.mark.slow  # renders a report
def test_a_study_without_maps_says_how_to_ask_for_them() -> None:
    assert "No maps were made" in Page(render(context())).text
