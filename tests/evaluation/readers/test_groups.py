"""Readers who have something in common, and how much they change together."""

from __future__ import annotations

from math import isnan

import polars as pl
import pytest

from evaluation.readers import load_truth, reader_study
from evaluation.readers.groups import shared_by
from search_spaces.errors import StudyError
from tests.evaluation.readers.test_study import ratings_of

GROUPS = {"r1": "resident", "r2": "resident", "r3": "resident", "r4": "specialist"}


def grouped(name: str = "group", values: dict[str, str] = GROUPS) -> pl.DataFrame:
    return ratings_of("two").with_columns(pl.col("reader").replace_strict(values).alias(name))


def test_a_group_is_analyzed_as_if_it_were_the_whole_panel():
    ratings = grouped()
    study = reader_study(ratings)

    alone = reader_study(ratings.filter(pl.col("group") == "resident")).differences.row(0, named=True)
    row = study.groups.row(0, named=True)

    assert (row["by"], row["value"], row["n_readers"], row["readers"]) == ("group", "resident", 3, "random")
    for name in ("difference", "se", "df", "low", "high", "p"):
        assert row[name] == pytest.approx(alone[name])


def test_a_reader_alone_in_a_group_is_fixed_and_has_the_interval_of_the_reader():
    study = reader_study(grouped())

    row = study.groups.row(1, named=True)
    own = study.changes.filter(pl.col("reader") == "r4").row(0, named=True)

    assert (row["value"], row["n_readers"], row["readers"], row["flag"]) == ("specialist", 1, "fixed", "one reader")
    assert (row["low"], row["high"]) == pytest.approx((own["low"], own["high"]))


@pytest.mark.parametrize("years", [dict(zip(GROUPS, "1234", strict=True)), dict.fromkeys(GROUPS, "5")])
def test_years_that_all_differ_or_are_all_the_same_make_no_groups(years):
    study = reader_study(grouped("experience", years))

    assert list(shared_by(study.about)) == []
    assert study.groups.is_empty()
    assert study.about["experience"].to_list() == list(years.values())


def test_shared_years_are_groups_in_the_order_of_numbers():
    study = reader_study(grouped("experience", {"r1": "10", "r2": "2", "r3": "10", "r4": "2"}))

    assert study.groups["value"].unique(maintain_order=True).to_list() == ["2", "10"]


def test_p_values_of_readers_are_adjusted_over_the_readers_of_a_modality():
    changes = reader_study(grouped()).changes

    smallest = changes.sort("p").row(0, named=True)
    assert smallest["p_adjusted"] == pytest.approx(min(1.0, smallest["p"] * len(GROUPS)))
    assert all(row["p_adjusted"] >= row["p"] or isnan(row["p"]) for row in changes.iter_rows(named=True))


def test_truths_come_from_a_file_of_their_own(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text("case,truth\n1,1\n2,0\n")

    assert load_truth(path).to_dicts() == [{"case": "1", "truth": 1}, {"case": "2", "truth": 0}]
    path.write_text("case,truth\n1,1\n1,1\n")
    with pytest.raises(StudyError, match="rows 2 and 3 both hold case '1'; a case has one truth"):
        load_truth(path)
    path.write_text("case,label\n1,1\n")
    with pytest.raises(StudyError, match="lacks column 'truth'; it needs case, truth, and has case, label"):
        load_truth(path)
