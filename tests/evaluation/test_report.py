"""The written report: one file without the outside world, tables as CSV beside it, honest words on the first screen."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from evaluation.report import write_report
from evaluation.report.html import render
from evaluation.report.writing import exported
from tests.evaluation.report_example import (
    BEST,
    cell_id,
    cells,
    comparison,
    example,
    frame,
    no_comparison,
    performance,
    unstarted,
)

HOSTILE = "<script>alert(1)</script><img src=http://evil.example/x> \"'&"


PLOTLY = re.compile(r"<script>/\*\*\n\* plotly.js v.*?</script>", re.S)


class Page(HTMLParser):
    """What a browser would find: elements with their attributes, and the text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(PLOTLY.sub("", html))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in {"script", "style"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def attributes(self, name: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(name))]

    def count(self, tag: str) -> int:
        return sum(1 for found, _ in self.elements if found == tag)


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


def test_plotly_is_inlined_once_and_a_small_report_stays_below_five_megabytes(tmp_path: Path) -> None:
    path = write_report(example(), tmp_path)

    assert path.read_text(encoding="utf-8").count("* plotly.js v") == 1
    assert path.stat().st_size <= 5_000_000


def test_a_report_without_curves_carries_no_script(tmp_path: Path) -> None:
    path = write_report(unstarted(), tmp_path)

    assert path.stat().st_size < 50_000
    assert "<script" not in path.read_text(encoding="utf-8")


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

    data = re.findall(r'<script type="application/json">(.*?)</script>', render(context), re.S)[0]

    assert json.loads(data)["data"][0]["name"].startswith("resnet50 · &lt;b&gt;bold&lt;/b&gt; · transfer")
    assert "<" not in data


def test_the_first_screen_tells_primary_contrasts_with_interval_and_adjusted_p(page: Page) -> None:
    assert "resnet50 · radimagenet · transfer against resnet50 · imagenet · transfer" in page.text
    assert (
        "AUC 0.738 against 0.669, difference +0.069 (95% interval +0.041 to +0.097, Holm-adjusted p < 0.001)"
        in page.text
    )


def test_the_first_screen_names_the_highest_auc_of_an_arm_as_a_pick(page: Page) -> None:
    assert (
        "detection: 0.961 (0.937–0.985), yolov5n · none · scratch, the highest of 2 cells, so an optimistic pick"
        in page.text
    )


def test_a_sealed_report_says_why_and_shows_no_external_number(tmp_path: Path) -> None:
    reason = "12 of 60 locked fits are not finished"

    path = write_report(example(external_open=False, external_waiting=reason), tmp_path)

    page = Page(path.read_text(encoding="utf-8"))
    assert f"External results are sealed: {reason}." in page.text
    assert "External, pooled" not in page.text
    assert "0.738 (0.714–0.762)" not in page.text
    assert "0.768 (0.744–0.792)" in page.text  # the reserve's
    for name in ("performance", "contrasts", "operating_points", "roc"):
        assert "external" not in (tmp_path / "tables" / f"{name}.csv").read_text(encoding="utf-8")


def test_a_study_of_which_nothing_ran_still_has_a_report() -> None:
    text = Page(render(unstarted())).text

    assert "no locked fit has finished" in text
    for sentence in ("No AUC yet.", "No pair of cells to compare.", "No curve yet.", "No job failed."):
        assert sentence in text


def test_a_study_of_detection_only_has_a_report() -> None:
    only = pl.col("arm") == "detection"
    found = comparison()
    kept = {name: getattr(found, name).filter(only) for name in ("performance", "operating_points", "contrasts", "roc")}

    text = Page(
        render(
            example(cells=cells().filter(only), comparison=replace(found, **kept), certificates=frame("certificates"))
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


def test_a_study_without_primary_contrasts_says_so() -> None:
    found = comparison()
    others = found.contrasts.filter(pl.col("family") != "primary")

    text = Page(render(example(comparison=replace(found, contrasts=others)))).text

    assert "No primary contrast was named" in text


def test_arms_without_results_are_listed_with_their_budget() -> None:
    text = Page(render(example(comparison=no_comparison()))).text

    assert "No AUC yet." in text
    assert "lr=0.0021, weight_decay=0.01" in text


def test_the_example_reads_as_the_comparison_writes_cell_ids() -> None:
    assert cell_id("classification", "resnet50", "radimagenet", "transfer") == BEST
    assert BEST in performance()["cell"]
