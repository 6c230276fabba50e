"""The written report: one file without the outside world, tables as CSV beside it, honest words on the first screen."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from evaluation.report import write_report, writing
from evaluation.report.page.html import render
from evaluation.report.writing import exported
from tests.evaluation.report_cells import BEST, cell_id
from tests.evaluation.report_example import (
    cells,
    comparison,
    example,
    frame,
    no_comparison,
    performance,
    unstarted,
)
from tests.evaluation.report_page import Page

HOSTILE = "<script>alert(1)</script><img src=http://evil.example/x> \"'&"

pytestmark = pytest.mark.slow  # each test renders and writes whole reports


@pytest.fixture(scope="module")
def html() -> str:
    return render(example())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_the_report_asks_nothing_of_the_network(html: str, page: Page) -> None:
    links = page.attributes("src") + page.attributes("href")

    assert not [link for link in links if not link.startswith(("#", "tables/"))]
    styles = "".join(re.findall(r"<style>(.*?)</style>", html, re.S))
    assert "@import" not in styles
    assert "url(" not in styles
    assert "default-src 'none'" in " ".join(page.attributes("content"))


def test_plotly_is_inlined_once_and_a_small_report_adds_less_than_a_megabyte_to_it(tmp_path: Path) -> None:
    path = write_report(example(), tmp_path)

    assert path.read_text(encoding="utf-8").count("* plotly.js v") == 1
    assert path.stat().st_size <= 5_800_000


def test_a_report_without_curves_does_not_carry_plotly(tmp_path: Path) -> None:
    path = write_report(unstarted(), tmp_path)

    assert path.stat().st_size < 50_000
    assert "plotly.js" not in path.read_text(encoding="utf-8")


def test_every_csv_holds_its_frame_in_full(tmp_path: Path) -> None:
    context = example()

    write_report(context, tmp_path)

    for name, expected in exported(context).items():
        assert_frame_equal(pl.read_csv(tmp_path / "tables" / f"{name}.csv", schema=expected.schema), expected)


def test_every_table_links_to_a_csv_that_is_written(tmp_path: Path) -> None:
    page = Page(write_report(example(), tmp_path).read_text(encoding="utf-8"))

    linked = {link for link in page.attributes("href") if link.startswith("tables/")}

    assert linked == {f"tables/{path.name}" for path in (tmp_path / "tables").iterdir()}
    assert page.count("table") == page.count("caption")


def test_links_inside_the_page_lead_somewhere(page: Page) -> None:
    anchors = {link[1:] for link in page.attributes("href") if link.startswith("#")}
    ids = page.attributes("id")

    assert anchors <= set(ids)
    assert len(ids) == len(set(ids))


def test_writing_again_replaces_the_report_and_leaves_no_parts(tmp_path: Path) -> None:
    write_report(unstarted(), tmp_path)

    path = write_report(example(), tmp_path)

    assert "0.738 (0.714–0.762)" in path.read_text(encoding="utf-8")
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.slow
def test_hostile_names_appear_as_text_only() -> None:
    named = cells().with_columns(pl.lit(HOSTILE).alias(column) for column in ("pretraining", "tuned", "box"))
    quarantine = frame("quarantine", (HOSTILE, HOSTILE, 1, HOSTILE))
    context = example(study=HOSTILE, description=HOSTILE, cells=named, quarantine=quarantine, notes=[HOSTILE])

    html = render(context)

    page = Page(html)
    assert page.count("img") == 0
    assert page.text.count("alert(1)") > 20
    assert "<script>alert" not in html
    assert page.count("script") == Page(render(example())).count("script")


def test_curve_names_are_escaped_for_plotly_too() -> None:
    context = example(cells=cells().with_columns(pretraining=pl.lit("<b>bold</b>")))

    found = re.findall(r'<script type="application/json">(.*?)</script>', render(context), re.S)

    names = [trace.get("name") or "" for data in found for trace in json.loads(data)["data"]]
    assert any(name.startswith("resnet50 · &lt;b&gt;bold&lt;/b&gt; · transfer") for name in names)
    assert not any("<b>" in name for name in names)
    assert not any("<" in data for data in found)


def test_scores_of_patients_are_in_no_file(tmp_path: Path) -> None:
    write_report(example(), tmp_path)

    assert not list(tmp_path.rglob("scores*"))


@pytest.mark.slow
def test_a_frame_too_large_for_a_csv_is_written_as_parquet_and_linked_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(example(), tmp_path)
    monkeypatch.setattr(writing, "LARGEST_CSV", 30_000)

    page = Page(write_report(example(), tmp_path).read_text(encoding="utf-8"))

    assert not (tmp_path / "tables" / "roc.csv").exists()
    assert_frame_equal(pl.read_parquet(tmp_path / "tables" / "roc.parquet"), example().comparison.roc)
    assert "tables/roc.parquet" in page.attributes("href")
    assert "roc.parquet (too large for a CSV)" in page.text


def test_a_study_of_which_nothing_ran_still_has_a_report() -> None:
    text = Page(render(unstarted())).text

    assert "no locked fit has finished" in text
    for sentence in (
        "No AUC yet.",
        "No primary contrast can be shown yet.",
        "No source, init or scratch to compare yet.",
        "No pair of cells to compare.",
        "No pair was planned, or no threshold of both cells is known yet.",
        "No cell has scored images of both classes yet.",
        "No perturbed image has been scored.",
        "At least two external centers with a result are needed.",
        "No curve yet.",
        "No job failed.",
    ):
        assert sentence in text


def test_a_study_of_detection_only_has_a_report() -> None:
    only = pl.col("arm") == "detection"
    found = comparison()
    kept = {one.name: getattr(found, one.name).filter(only) for one in fields(found)}

    text = Page(
        render(
            example(
                cells=cells().filter(only),
                comparison=replace(found, **kept),
                certificates=frame("certificates"),
                flow=frame("flow"),
            )
        )
    ).text

    assert "box not given" in text
    assert "classification" not in text


def test_yolov5_is_called_what_ultralytics_ships(page: Page) -> None:
    assert "YOLOv5u, anchor-free (Ultralytics)" in page.text


def test_exploratory_and_incomplete_cells_are_marked(page: Page) -> None:
    assert "inception_v3 · imagenet · transfer exploratory" in page.text
    assert "yolov5n · chest · transfer incomplete 2/3" in page.text


def test_headings_of_rows_and_columns_are_marked_for_screen_readers(page: Page) -> None:
    scopes = [attributes.get("scope") for tag, attributes in page.elements if tag == "th"]

    assert set(scopes) == {"col", "row", "rowgroup"}


def test_arms_without_results_are_listed_with_their_budget() -> None:
    text = Page(render(example(comparison=no_comparison()))).text

    assert "No AUC yet." in text
    assert "lr=0.0021, weight_decay=0.01" in text


def test_the_example_reads_as_the_comparison_writes_cell_ids() -> None:
    assert cell_id("classification", "resnet50", "radimagenet", "transfer") == BEST
    assert BEST in performance()["cell"]
