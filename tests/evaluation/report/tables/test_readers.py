"""A reader study in the report: tables and the drawn changes."""

from __future__ import annotations

import polars as pl
import pytest

from evaluation.readers import reader_study
from evaluation.report.context import ReportContext
from evaluation.report.figures.readers import reader_figures
from evaluation.report.page.html import render
from evaluation.report.tables.readers import (
    reader_agreement,
    reader_changes,
    reader_means,
    reader_points,
    reader_words,
)
from evaluation.report.writing import exported
from tests.evaluation.readers.test_study import ratings_of
from tests.evaluation.report_example import example

GROUPS = {"r1": "resident", "r2": "resident", "r3": "specialist", "r4": "specialist"}


def context(threshold: float | None = 3, *, group: bool = True, name: str = "two") -> ReportContext:
    ratings = ratings_of(name)
    if group:
        ratings = ratings.with_columns(group=pl.col("reader").replace_strict(GROUPS), experience=pl.lit("4"))
    reference = "none" if name == "three" else "unaided"
    return example(readers=reader_study(ratings, reference_modality=reference, threshold=threshold))


def test_readers_stand_under_the_mean_of_their_group_the_largest_gain_first():
    shown = context()
    (table,) = reader_changes(shown)

    assert [group.heading.text for group in table.groups if group.heading] == [
        "resident, 2 readers",
        "specialist, 2 readers",
    ]
    for group in table.groups:
        gains = [row[3].sort for row in group.rows]
        assert gains == sorted(gains, reverse=True)
    assert {row[0].details for group in table.groups for row in group.rows} == {
        ("resident, 4 years",),
        ("specialist, 4 years",),
    }
    assert "mean change" in table.groups[0].heading.details[0]


def test_without_groups_all_readers_are_ranked_together():
    (table,) = reader_changes(context(group=False))

    (group,) = table.groups
    assert group.heading is None
    assert len(group.rows) == 4
    assert "groups" not in table.explanation


def test_every_modality_beside_the_reference_has_a_table_and_a_figure():
    shown = context(name="three")

    assert len(reader_changes(shown)) == len(reader_figures(shown)) == 2
    assert len({table.id for table in reader_changes(shown)}) == 2


def test_all_readers_together_are_told_for_each_sample():
    table = reader_means(context())

    assert [row[1].text for row in table.groups[0].rows] == [
        "Readers and cases like these",
        "These readers, cases like these",
        "Readers like these, these cases",
    ]


def test_the_lead_says_how_many_gained_and_by_how_much():
    words = reader_words(context())

    assert words.startswith("4 readers, n+")
    assert "mean change" in words
    assert reader_words(example()) == ""


def test_the_figure_draws_every_reader_and_their_mean_within_the_axis():
    shown = context()
    (figure,) = reader_figures(shown)

    assert [row.is_mean for row in figure.rows] == [False] * 4 + [True]
    places = [place for row in figure.rows for place in (row.low, row.middle, row.high) if place is not None]
    assert all(0 <= place <= 100 for place in places)
    assert all(row.low <= row.middle <= row.high for row in figure.rows)
    changes = dict(shown.readers.changes.select("reader", "difference").rows())
    assert all((row.middle > figure.zero) == (changes[row.name] > 0) for row in figure.rows[:-1])


def test_operating_points_need_a_threshold():
    assert reader_points(context(None)).is_empty
    table = reader_points(context())

    assert [column.text for column in table.columns][1:] == [
        "Sensitivity unaided",
        "Sensitivity aided",
        "Specificity unaided",
        "Specificity aided",
    ]
    assert len(table.groups[0].rows) == 4


def test_agreement_has_a_table_for_ratings_and_decisions():
    tables = reader_agreement(context())

    assert [table.caption.removeprefix("Agreement of readers: kappa of the ") for table in tables] == [
        "rating",
        "rating, quadratic weights",
        "rating >= 3",
    ]
    assert len(tables[0].groups[0].rows) == 6


def test_numbers_behind_the_section_are_exported_only_with_a_reader_study():
    assert not [name for name in exported(example()) if name.startswith("readers_")]
    assert exported(context())["readers_changes"].height == 4


@pytest.mark.slow
def test_the_page_escapes_what_readers_are_called():
    ratings = ratings_of("two").with_columns(pl.col("reader").replace({"r1": "<script>alert(1)</script>"}))

    page = render(example(readers=reader_study(ratings)))

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
