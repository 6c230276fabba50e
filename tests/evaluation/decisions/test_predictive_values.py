"""PPV and NPV of two models against R, DTComPair and by hand."""

from __future__ import annotations

from math import inf, isnan, nan

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.decisions.predictive_values import compare_predictive_values, compare_tables, cross_tabulate
from tests.evaluation.reference import golden, golden_rows

few = settings(max_examples=40, deadline=None)
tables = st.lists(st.integers(1, 40), min_size=8, max_size=8)


def table_of(name):
    return golden("paired/tables").filter(set=name)["count"].to_numpy().reshape(2, 2, 2)


def numbers(found):
    scores = (found.generalized_score, found.weighted_generalized_score)
    ratio = (found.relative, found.relative_low, found.relative_high, found.relative_predictive_value.statistic)
    p = (*(test.p for test in scores), found.relative_predictive_value.p)
    return (found.first, found.second, *(test.statistic for test in scores), *ratio, *p)


def expected(row):
    return tuple(value for name, value in row.items() if name not in {"set", "value"})


def named(row):
    return f"{row['set']}-{row['value']}"


@pytest.mark.parametrize("row", golden_rows("paired/predictive"), ids=named)
def test_values_and_tests_equal_the_loops_written_in_r(row):
    found = getattr(compare_tables(table_of(row["set"])), row["value"])

    assert numbers(found) == pytest.approx(expected(row), rel=1e-11)


@pytest.mark.parametrize("row", golden_rows("paired/dtcompair"), ids=named)
def test_values_and_tests_equal_dtcompairs(row):
    # DTComPair divides test 2 by test 1, so its test 2 is the first model here.
    found = getattr(compare_tables(table_of(row["set"])), row["value"])

    assert numbers(found) == pytest.approx(expected(row), rel=1e-11)


@pytest.mark.parametrize("row", golden_rows("paired/predictive_clustered"), ids=named)
def test_clustered_tests_equal_the_loops_written_in_r(row):
    cases = golden("paired/cases").filter(set=row["set"])

    found = compare_predictive_values(cases["label"], cases["first"], cases["second"], cases["patient"])

    value = getattr(found, row["value"])
    assert numbers(value) == pytest.approx(expected(row), rel=1e-11, nan_ok=True)
    assert value.generalized_score.method == "generalized score (Leisenring), clustered by patient"


def test_the_values_that_dtcompairs_documentation_prints_are_reproduced():
    # Its README divides test 1 by test 2; the code of 1.2.2 test 2 by test 1.
    found = compare_tables([[[155, 22], [53, 31]], [[32, 22], [78, 319]]])

    ppv, npv = numbers(found.ppv), numbers(found.npv)
    assert ppv[3:8] == pytest.approx((5.465887, 0.9536462, 0.9171445, 0.9916006, -2.383559), rel=1e-6)
    assert npv[3:8] == pytest.approx((16.5354, 1.171454, 1.087723, 1.261629, 4.182314), rel=1e-6)
    assert (ppv[-2:], npv[-2:]) == (
        pytest.approx((0.0193912, 0.01714612), rel=1e-6),
        pytest.approx((4.775012e-05, 2.885568e-05), rel=1e-6),
    )


def test_the_seed_studys_predictive_values_differ_with_p_near_its_bootstraps():
    # 242 of 288 and 242 of 305: false positives 25 of both, 21 and 38 of one; 10 and 10 discordant positives are
    # assumed, 16 positives are missed by both. The study prints a bootstrap p of .030.
    ppv = compare_tables([[[391, 38], [21, 25]], [[16, 10], [10, 232]]]).ppv

    assert (ppv.first, ppv.second, ppv.difference) == pytest.approx((0.840, 0.793, 0.047), abs=5e-4)
    assert ppv.relative_predictive_value.p == pytest.approx(0.028, abs=5e-4)
    assert (ppv.relative_low, ppv.relative_high) == pytest.approx((1.0062, 1.1147), abs=5e-5)


def test_the_interval_of_the_difference_is_computed_by_hand():
    # First calls 3 with 2 hits, second calls 2 with 1 hit; the called cases are: hit by both, hit by the first only,
    # a false call of both. Contributions: 1/9 - 1/4, 1/9, -2/9 + 1/4.
    found = compare_predictive_values([1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 1, 0]).ppv

    half = 1.959963984540054 * ((5 / 36) ** 2 + (1 / 9) ** 2 + (1 / 36) ** 2) ** 0.5
    assert (found.difference_low, found.difference_high) == pytest.approx((1 / 6 - half, 1 / 6 + half))


def test_independent_calls_give_the_score_test_of_two_proportions():
    # No case is called by both, 30 of 40 against 20 of 40: (1/4)^2 / (5/8 * 3/8 * (1/40 + 1/40)) (Kosinski 2013).
    ppv = compare_tables([[[5, 20], [10, 0]], [[5, 20], [30, 0]]]).ppv

    assert ppv.weighted_generalized_score.statistic == pytest.approx(0.0625 / (15 / 64 / 20))


@few
@given(counts=tables)
def test_swapping_the_models_turns_signs_and_inverts_ratios(counts):
    table = np.reshape(counts, (2, 2, 2))
    for forth, back in zip(*(vars(compare_tables(t)).values() for t in (table, table.swapaxes(1, 2))), strict=True):
        assert back.difference == -forth.difference
        assert back.relative_low == pytest.approx(1 / forth.relative_high)
        assert back.relative_predictive_value.statistic == pytest.approx(-forth.relative_predictive_value.statistic)
        assert back.weighted_generalized_score.p == pytest.approx(forth.weighted_generalized_score.p)
        assert back.generalized_score.p == pytest.approx(forth.generalized_score.p)


@few
@given(counts=tables)
def test_turning_labels_and_calls_around_swaps_ppv_and_npv(counts):
    table = np.reshape(counts, (2, 2, 2))

    assert compare_tables(table[::-1, ::-1, ::-1]).ppv == compare_tables(table).npv


@few
@given(counts=st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_one_case_per_patient_gives_the_unclustered_values(counts):
    table = np.reshape(counts, (2, 2, 2))
    patients = np.repeat(np.eye(8, dtype=int), counts, axis=0).reshape(-1, 2, 2, 2)

    for one, other in zip(*(vars(compare_tables(t)).values() for t in (table, patients)), strict=True):
        assert numbers(one) == pytest.approx(numbers(other), rel=1e-9, abs=1e-12, nan_ok=True)


def test_patients_without_repeats_change_nothing():
    labels, first, second = [1, 1, 0, 0, 1], [1, 1, 1, 0, 0], [1, 0, 1, 0, 1]

    assert compare_predictive_values(labels, first, second, list("abcde")) == compare_predictive_values(
        labels, first, second
    )


def test_copies_of_every_case_do_not_change_the_clustered_tests():
    cases = golden("paired/cases").filter(set="single")
    copies = pl.concat([cases] * 3)

    once = compare_predictive_values(cases["label"], cases["first"], cases["second"])
    thrice = compare_predictive_values(copies["label"], copies["first"], copies["second"], copies["patient"])

    assert numbers(thrice.ppv) == pytest.approx(numbers(once.ppv), rel=1e-11)


def test_the_order_of_cases_does_not_matter():
    cases = golden("paired/cases").filter(set="clustered")
    shuffled = cases.sample(fraction=1, shuffle=True, seed=1)
    columns = ("label", "first", "second", "patient")

    found = [compare_predictive_values(*(part[name] for name in columns)) for part in (cases, shuffled)]

    assert found[0] == found[1]


def test_the_same_calls_have_p_exactly_one():
    found = compare_predictive_values([1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 1, 0]).ppv

    assert numbers(found) == (0.5, 0.5, 0, 0, 1, 1, 1, 0, 1, 1, 1)
    assert found.flag == "same calls"


def test_two_perfect_values_are_flagged_as_zero_variance():
    found = compare_predictive_values([1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0]).ppv

    assert (found.first, found.second, found.weighted_generalized_score.p, found.flag) == (1, 1, 1, "zero variance")


def test_patients_that_are_all_alike_leave_the_ratio_without_variance():
    # Both patients: one hit and one false call of the first, one hit of the second.
    found = compare_predictive_values([1, 0, 1, 0], [1, 1, 1, 1], [1, 0, 1, 0], ["a", "a", "b", "b"]).ppv

    assert (found.relative, found.relative_predictive_value.statistic, found.flag) == (0.5, -inf, "zero variance")


def test_patients_that_are_all_alike_have_exactly_no_variance_despite_rounding():
    patients = np.repeat(np.arange(7), 3)

    found = compare_predictive_values([1, 1, 0] * 7, [1, 1, 1] * 7, [1, 0, 1] * 7, patients).ppv

    assert found.flag == "zero variance"
    assert found.relative_predictive_value.statistic == inf


def test_a_value_of_zero_has_score_tests_and_no_ratio():
    found = compare_predictive_values([1, 1, 1, 0, 0], [1, 1, 0, 1, 0], [0, 0, 0, 1, 1]).ppv

    assert (found.second, found.flag) == (0, "value of 0")
    assert isnan(found.relative)
    assert isnan(found.relative_predictive_value.p)
    assert 0 < found.weighted_generalized_score.p < 1


def test_a_model_that_calls_nobody_positive_has_no_ppv_but_an_npv():
    found = compare_predictive_values([1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0])

    assert (found.ppv.first, found.ppv.flag) == (0.5, "nobody called positive by second")
    assert numbers(found.ppv)[1:] == pytest.approx([nan] * 10, nan_ok=True)
    assert (found.npv.first, found.npv.second, found.npv.flag) == (0.5, 0.5, "")


def test_calls_in_one_patient_only_are_not_tested():
    labels, patients = [1, 0, 1, 0], ["a", "a", "b", "b"]

    found = compare_predictive_values(labels, [1, 1, 0, 0], [1, 0, 0, 0], patients).ppv

    assert (found.difference, found.flag) == (-0.5, "one patient")
    assert isnan(found.generalized_score.p)


def test_the_same_calls_in_one_patient_only_have_p_exactly_one():
    found = compare_predictive_values([1, 0, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0], ["a", "a", "b", "b"]).ppv

    assert (found.weighted_generalized_score.p, found.flag) == (1, "same calls")


def test_cases_are_counted_by_label_first_and_second_call():
    table = cross_tabulate([1, 1, 0, 0, 0], [1, 0, 1, 1, 1], [0, 0, 1, 1, 0])

    assert table.tolist() == [[[0, 0], [1, 2]], [[1, 0], [1, 0]]]


def test_tables_per_patient_add_up():
    cases = golden("paired/cases").filter(set="tiny")

    found = cross_tabulate(cases["label"], cases["first"], cases["second"], cases["patient"])

    assert found.sum(axis=(1, 2, 3)).tolist() == [3, 2, 1, 2]
    assert (found.sum(axis=0) == cross_tabulate(cases["label"], cases["first"], cases["second"])).all()


@pytest.mark.parametrize(
    ("table", "message"),
    [(np.ones((2, 2)), r"got \(2, 2\)"), (np.full((2, 2, 2), -1), "got -1"), (np.full((2, 2, 2), nan), "got nan")],
)
def test_impossible_tables_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        compare_tables(table)


def test_labels_and_patients_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="equally long"):
        compare_predictive_values([1, 0], [1, 0], [1, 1], ["a"])
