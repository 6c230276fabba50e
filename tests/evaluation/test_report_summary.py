"""The first screen in honest words, and what it and the files keep back while external results are sealed."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import polars as pl
import pytest

from evaluation.comparison.comparing import Comparison
from evaluation.report import write_report
from evaluation.report.page.html import render
from tests.evaluation.report_example import comparison, example
from tests.evaluation.report_page import Page

pytestmark = pytest.mark.slow  # each test renders a whole report


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render(example()))


def test_the_first_screen_tells_primary_contrasts_with_interval_and_adjusted_p(page: Page) -> None:
    assert "resnet50 · radimagenet · transfer against resnet50 · imagenet · transfer" in page.text
    assert (
        "Mean AUC 0.708 against 0.639, difference +0.069 "
        "(95% interval +0.041 to +0.097 over cases and 3 replicates; Holm-adjusted p < 0.001)." in page.text
    )


def test_the_first_screen_says_where_an_interval_covers_the_cases_only(page: Page) -> None:
    assert "case uncertainty only (fewer than 3 replicates); Holm-adjusted" in page.text
    assert "1 primary contrast with a caution (fewer than 3 replicates)" in page.text


def test_the_first_screen_says_over_what_a_named_effect_is_averaged(page: Page) -> None:
    assert "radimagenet · transfer against scratch (classification, resnet50 only, without inception_v3)" in page.text


@pytest.mark.parametrize(("name", "word"), [("hommel", "Hommel"), ("bh", "Benjamini-Hochberg")])
def test_the_adjustment_is_called_what_the_plan_chose(name: str, word: str) -> None:
    found = comparison()
    frames = ("effects", "contrasts", "decisions", "stability_pairs", "saliency_pairs")
    others = {frame: getattr(found, frame).with_columns(adjustment=pl.lit(name)) for frame in frames}

    text = Page(render(example(comparison=replace(found, **others)))).text

    assert f"{word}-adjusted p < 0.001" in text
    assert f"p after {word} over all pairs" in text
    assert "Holm" not in text


def test_a_primary_contrast_that_is_lost_is_told_with_its_reason() -> None:
    found = comparison()
    lost = found.effects.with_columns(pl.lit(float("nan")).alias("difference"), pl.lit("one class").alias("flag"))

    text = Page(render(example(comparison=replace(found, effects=lost)))).text

    assert "No estimate: one class." in text
    assert "3 primary contrasts without an estimate" in text


def test_the_first_screen_names_the_highest_auc_of_an_arm_as_a_pick(page: Page) -> None:
    assert (
        "detection: 0.961 (0.937–0.985), yolov5n · none · scratch, the highest of 2 cells, so an optimistic pick"
        in page.text
    )


def test_a_study_without_primary_contrasts_says_so() -> None:
    found = comparison()
    others = found.effects.filter(pl.col("family") != "primary")

    text = Page(render(example(comparison=replace(found, effects=others)))).text

    assert "No primary contrast was named" in text


def test_a_sealed_report_says_why_and_shows_no_external_number(tmp_path: Path) -> None:
    reason = "12 of 60 locked fits are not finished"

    path = write_report(example(external_open=False, external_waiting=reason), tmp_path)

    page = Page(path.read_text(encoding="utf-8"))
    assert f"External results are sealed: {reason}." in page.text
    assert "External, pooled" not in page.text
    assert "0.738 (0.714–0.762)" not in page.text
    assert "0.768 (0.744–0.792)" in page.text  # the reserve's


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    context = example(external_open=False, external_waiting="not finished")
    return write_report(context, tmp_path_factory.mktemp("sealed")).parent


@pytest.mark.parametrize("name", [one.name for one in fields(Comparison) if one.name != "scores"])
def test_while_sealed_no_frame_of_the_comparison_leaves_with_an_external_row(sealed: Path, name: str) -> None:
    context = example(external_open=False, external_waiting="not finished")

    assert "external" in getattr(context.comparison, name)["role"]
    assert "external" not in getattr(context.seen, name)["role"]
    assert "external" not in pl.read_csv(sealed / "tables" / f"{name}.csv", infer_schema=False)["role"]


def test_sealed_tables_name_no_external_center(sealed: Path) -> None:
    text = Page((sealed / "report.html").read_text(encoding="utf-8")).text

    shown = text.split("The AUC is that of the aggregate")[1].split("Budget and cost")[0]

    assert "center_b" not in shown
    assert "External," not in shown
