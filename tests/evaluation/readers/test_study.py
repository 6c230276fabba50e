"""Reader studies: areas, changes, all readers together, agreement, and which readings count."""

from __future__ import annotations

from math import isnan, nan

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.discrimination.areas import auc, auc_difference
from evaluation.readers import reader_study, tables
from evaluation.readers.agreement import cohen_kappa
from search_spaces.errors import StudyError
from tests.evaluation.reference import golden, golden_rows

FRAMES = {
    "areas": tables.AREAS,
    "changes": tables.CHANGES,
    "operating_points": tables.OPERATING_POINTS,
    "overall": tables.OVERALL,
    "differences": tables.DIFFERENCES,
    "means": tables.MEANS,
    "agreement": tables.AGREEMENT,
}
REFERENCE = {"three": "none"}


def ratings_of(name):
    wide = golden("readers/ratings").filter(set=name)
    long = wide.unpivot(
        ["r1", "r2", "r3", "r4"],
        index=["case", "modality", "patient", "truth"],
        variable_name="reader",
        value_name="rating",
    )
    return long.drop_nulls("rating")


def few(truth=(1, 1, 0, 0)):
    """Two readers, two modalities, four cases."""
    ratings = {
        ("A", "without"): (3, 2, 2, 1),
        ("A", "with"): (5, 4, 2, 1),
        ("B", "without"): (4, 1, 3, 2),
        ("B", "with"): (5, 3, 3, 1),
    }
    return pl.DataFrame(
        [
            {"reader": reader, "case": str(case), "modality": modality, "rating": float(rating), "truth": truth[case]}
            for (reader, modality), values in ratings.items()
            for case, rating in enumerate(values)
        ]
    )


@pytest.mark.parametrize("row", golden_rows("readers/overall"), ids=lambda row: f"{row['set']}-{row['sampled']}")
def test_the_overall_tests_equal_mrmcaovs(row):
    found = reader_study(ratings_of(row["set"]), reference_modality=REFERENCE.get(row["set"], "unaided"))

    at = ("both", "cases", "readers").index(row["sampled"])
    assert found.overall["p"][at] == pytest.approx(row["p"], rel=1e-8)
    assert found.overall["df2"][at] == pytest.approx(row["df2"], rel=1e-8)


def test_each_reader_has_the_area_and_the_change_of_the_paired_delong_test():
    ratings = ratings_of("two")
    aided, unaided = (ratings.filter(reader="r2", modality=name).sort("case") for name in ("aided", "unaided"))

    found = reader_study(ratings, reference_modality="unaided")

    alone, change = (
        auc(aided["truth"], aided["rating"]),
        auc_difference(aided["truth"], aided["rating"], unaided["rating"]),
    )
    area = found.areas.row(by_predicate=(pl.col("reader") == "r2") & (pl.col("modality") == "aided"), named=True)
    assert (area["auc"], area["low"], area["high"], area["method"]) == (alone.auc, alone.low, alone.high, "DeLong")
    assert (area["n_positive"], area["n_negative"]) == (20, 25)
    row = found.changes.row(by_predicate=pl.col("reader") == "r2", named=True)
    assert (row["difference"], row["p"], row["reference"]) == (change.difference, change.p, "unaided")
    assert row["difference"] == row["auc"] - row["reference_auc"]


def test_patients_with_several_cases_are_clustered_everywhere():
    found = reader_study(ratings_of("clustered"), reference_modality="unaided")
    naive = reader_study(ratings_of("clustered").drop("patient"), reference_modality="unaided")

    covariance = golden("readers/covariances").filter(set="clustered", kind="clustered", row=0, column=0)
    assert found.areas["se"][0] ** 2 == pytest.approx(covariance["covariance"][0])
    assert set(found.areas["method"]) == {"clustered (Obuchowski)"}
    assert found.overall["method"][0].endswith("clustered (Obuchowski) covariance")
    assert naive.overall["method"][0] == "Obuchowski-Rockette, random readers, random cases, DeLong covariance"
    assert found.overall["p"][1] != naive.overall["p"][1]
    assert found.overall["p"][2] == naive.overall["p"][2]


def test_every_frame_has_its_schema():
    with_threshold, without = reader_study(few(), threshold=3), reader_study(few())

    for name, schema in FRAMES.items():
        assert dict(getattr(with_threshold, name).schema) == schema
        assert dict(getattr(without, name).schema) == schema
    assert without.operating_points.is_empty()


def test_the_reference_is_the_first_modality_named_and_is_subtracted():
    found = reader_study(few())

    assert (found.reference, found.modalities) == ("without", ("with", "without"))
    assert found.differences.select("first", "second").row(0) == ("with", "without")
    # A: 1 - 3.5/4, B: 3.5/4 - 2/4
    assert found.changes["difference"].to_list() == pytest.approx([0.125, 0.375])
    assert found.differences["difference"].to_list() == pytest.approx([0.25] * 3)


def test_another_reference_turns_the_sign():
    forth, back = reader_study(few()), reader_study(few(), reference_modality="with")

    assert back.differences["difference"].to_list() == [-value for value in forth.differences["difference"]]
    assert back.overall["p"].to_list() == pytest.approx(forth.overall["p"].to_list())


def test_three_modalities_are_all_compared_with_the_reference_last():
    found = reader_study(ratings_of("three"), reference_modality="none")

    assert found.differences.select("first", "second").head(3).rows() == [
        ("box", "heat"),
        ("box", "none"),
        ("heat", "none"),
    ]
    assert found.changes.height == 6
    assert found.means.height == 9


def test_a_threshold_gives_counts_and_decisions_at_or_above_it():
    found = reader_study(few(), threshold=3)

    row = found.operating_points.row(
        by_predicate=(pl.col("reader") == "B") & (pl.col("modality") == "with"), named=True
    )
    assert (row["tp"], row["fp"], row["fn"], row["tn"]) == (2, 1, 0, 1)
    assert (row["sensitivity"], row["specificity"]) == (1, 0.5)
    # Clopper-Pearson 2 of 2: .025 ** (1 / 2)
    assert (row["sensitivity_low"], row["specificity_high"]) == pytest.approx((0.025**0.5, 0.987421), abs=1e-6)


def test_agreement_of_decisions_counts_ratings_at_the_threshold():
    # Without AI A decides + - - -, B + - + -: observed .75, expected .5
    found = reader_study(few(), threshold=3).agreement.filter(modality="without", of="rating >= 3")

    assert found["kappa"].to_list() == pytest.approx([0.5])


def test_agreement_is_kappa_of_every_pair_on_the_scale_of_all_readers():
    ratings = ratings_of("two")
    first, second = (ratings.filter(reader=reader, modality="aided").sort("case")["rating"] for reader in ("r1", "r3"))

    found = reader_study(ratings, reference_modality="unaided").agreement

    expected = cohen_kappa(first, second, "quadratic", [1.0, 2.0, 3.0, 4.0, 5.0])
    row = found.row(
        by_predicate=(pl.col("modality") == "aided")
        & (pl.col("first") == "r1")
        & (pl.col("second") == "r3")
        & (pl.col("weights") == "quadratic"),
        named=True,
    )
    assert (row["kappa"], row["se"], row["low"], row["cases"]) == (expected.value, expected.se, expected.low, 45)
    assert found.height == 2 * 2 * 6


def test_a_category_that_nobody_used_keeps_its_place_on_a_scale_of_whole_numbers():
    ratings = few().with_columns(pl.col("rating").replace({4.0: 5.0}))

    found = reader_study(ratings).agreement.filter(modality="without", weights="quadratic")

    expected = cohen_kappa([3, 2, 2, 1], [5, 1, 3, 2], "quadratic", [1, 2, 3, 4, 5])
    assert found["kappa"][0] == pytest.approx(expected.value)


def test_ratings_that_are_no_categories_have_no_kappa():
    found = reader_study(ratings_of("continuous"), reference_modality="unaided").agreement

    assert all(isnan(value) for value in found["kappa"])
    assert found["flag"][0].endswith("different ratings are no categories")


def test_a_case_that_a_reader_missed_is_left_out_for_all_and_counted():
    ratings = ratings_of("two")
    missed = ~((pl.col("reader") == "r3") & (pl.col("modality") == "aided") & pl.col("case").is_in(["c001", "c030"]))

    found = reader_study(ratings.filter(missed), reference_modality="unaided")
    rest = reader_study(ratings.filter(~pl.col("case").is_in(["c001", "c030"])), reference_modality="unaided")

    assert found.flag == "2 of 45 cases left out, not read by r3 in 'aided' (2)"
    assert found.areas.equals(rest.areas)
    assert (found.n_positive, found.n_negative, rest.flag) == (19, 24, "")


def test_the_truth_may_come_beside_the_ratings_in_any_order():
    ratings, truth = few().drop("truth"), {"3": 0, "0": 1, "1": 1, "2": 0}
    as_frame = pl.DataFrame({"case": list(truth), "truth": list(truth.values())})

    expected = reader_study(few()).areas

    assert reader_study(ratings, truth).areas.equals(expected)
    assert reader_study(ratings, as_frame).areas.equals(expected)
    assert reader_study(few((0, 0, 1, 1)), truth).areas.equals(expected)


def test_one_positive_leaves_areas_and_the_analysis_of_fixed_cases():
    found = reader_study(few((1, 0, 0, 0)))

    assert set(found.areas["flag"]) == {"one positive"}
    assert found.areas["auc"].is_not_nan().all()
    assert found.overall["p"].is_nan().to_list() == [True, True, False]
    assert found.overall["flag"].to_list()[:2] == ["covariance over cases not estimable"] * 2


@pytest.mark.parametrize("truth", [1, 0])
def test_one_class_leaves_agreement_and_one_rate(truth):
    found = reader_study(few((truth,) * 4), threshold=3)

    for name in ("areas", "changes", "overall", "differences", "means"):
        assert set(getattr(found, name)["flag"]) == {"one class"}
    assert found.areas["auc"].is_nan().all()
    assert found.overall["p"].is_nan().all()
    rates = found.operating_points.select("sensitivity", "specificity").row(0)
    assert [isnan(rate) for rate in rates] == [truth == 0, truth == 1]
    assert found.agreement["kappa"].is_not_nan().any()


def test_one_reader_has_a_change_but_no_sample_of_readers():
    found = reader_study(few().filter(reader="B"))

    assert found.overall["p"].is_nan().to_list() == [True, False, True]
    assert found.overall["flag"].to_list() == ["one reader"] * 3
    assert found.differences["p"][1] == pytest.approx(found.changes["p"][0])
    assert found.agreement.is_empty()


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_row_order_and_monotone_ratings_do_not_matter(seed):
    ratings = few()
    moved = ratings.sample(fraction=1, shuffle=True, seed=seed).with_columns(pl.col("rating").exp())

    found, expected = reader_study(moved, reference_modality="without"), reader_study(ratings)

    for name in ("areas", "changes", "overall", "differences", "means"):
        assert getattr(found, name).equals(getattr(expected, name))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: reader_study(few().drop("truth")), "no column 'truth'"),
        (lambda: reader_study(few(), {"0": 1, "1": 0}), "2 cases have no truth, the first is '2'"),
        (lambda: reader_study(few(), {"0": 1, "1": 0, "2": 3, "3": 0}), "truth of case '2' is 3; it must be 1 or 0"),
        (lambda: reader_study(few(), pl.DataFrame({"case": ["0", "0"], "truth": [1, 1]})), "case '0' more than once"),
        (
            lambda: reader_study(few(), reference_modality="wit"),
            "No rating is in reference modality 'wit'; .*Did you mean 'with'",
        ),
        (lambda: reader_study(few().filter(modality="with")), "a comparison needs two"),
        (lambda: reader_study(pl.concat([few(), few().head(1)])), "rows 1 and 17 both hold reader 'A'"),
        (lambda: reader_study(few().with_columns(rating=pl.lit(nan))), "holds rating nan; it must be a finite number"),
        (lambda: reader_study(few().drop("rating")), "lacks column 'rating'"),
    ],
)
def test_ratings_that_cannot_be_used_are_refused(change, message):
    with pytest.raises(StudyError, match=message):
        change()


def test_readers_without_a_common_case_are_refused_with_their_gaps():
    of_b = few().filter(reader="B").with_columns(case=pl.lit("b") + pl.col("case"))

    with pytest.raises(
        StudyError, match=r"No case was read by every reader .* A in 'with' \(4\), A in 'without' \(4\), B"
    ):
        reader_study(pl.concat([few().filter(reader="A"), of_b]))
