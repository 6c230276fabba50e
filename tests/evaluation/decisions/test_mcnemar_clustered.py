"""Durkalski's clustered McNemar test against R, clust.bin.pair, a published value and the uncorrected test."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.decisions.mcnemar import durkalski, mcnemar, mcnemar_clustered, per_patient
from tests.evaluation.reference import golden, golden_rows

few = settings(max_examples=40, deadline=None)
decisions = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40)


def cases_of(row):
    cases = golden("paired/cases").filter(set=row["set"], label=row["class"])
    return cases["first"] == row["class"], cases["second"] == row["class"], cases["patient"]


@pytest.mark.parametrize("row", golden_rows("paired/clustered"), ids=lambda row: f"{row['set']}-{row['class']}")
def test_the_clustered_test_equals_the_loops_written_in_r(row):
    found = mcnemar_clustered(*cases_of(row))

    assert (found.only_first, found.only_second) == (row["only_first"], row["only_second"])
    assert (found.statistic, found.p) == pytest.approx((row["statistic"], row["p"]), rel=1e-12)
    assert (found.method, found.flag) == ("clustered McNemar (Durkalski)", "")


@pytest.mark.parametrize("row", golden_rows("paired/clust_bin_pair"), ids=lambda row: f"{row['set']}-{row['class']}")
def test_the_clustered_test_equals_clust_bin_pair(row):
    found = mcnemar_clustered(*cases_of(row))

    assert (found.statistic, found.p) == pytest.approx((row["statistic"], row["p"]), rel=1e-12)


def test_the_published_statistic_of_the_parathyroid_glands_is_reproduced():
    # Durkalski et al. (2003) print 2.32 for PET against SPECT in 21 patients, of whom 15 have no gap: 169/73.
    gaps, sizes = [-2, -1, -1, 1, -2, -1] + [0] * 15, [3, 3, 3, 2, 2, 3] + [1] * 15

    statistic, p = durkalski(gaps, sizes)

    assert statistic == pytest.approx(169 / 73)
    assert p == pytest.approx(0.12812566, abs=1e-8)


@few
@given(pairs=decisions, seed=st.integers(0, 100))
def test_one_case_per_patient_gives_the_uncorrected_test(pairs, seed):
    first, second = np.array(pairs).T
    patients = np.random.default_rng(seed).permutation(first.size)

    found = mcnemar_clustered(first, second, patients)

    plain = mcnemar(int((first & ~second).sum()), int((second & ~first).sum()), "chi2")
    assert (found.statistic, found.p) == pytest.approx((plain.statistic, plain.p), rel=1e-12)
    assert found.flag == plain.flag


def test_copies_of_every_case_do_not_change_the_clustered_test():
    row = golden_rows("paired/clustered")[2]
    first, second, patients = (np.asarray(values) for values in cases_of(row))

    found = mcnemar_clustered(np.tile(first, 3), np.tile(second, 3), np.tile(patients, 3))

    assert found.p == pytest.approx(row["p"], rel=1e-12)
    assert mcnemar(found.only_first, found.only_second, "chi2").p < 0.01 * found.p


def test_gaps_that_cancel_within_every_patient_give_p_one():
    found = mcnemar_clustered([1, 0, 1, 0], [0, 1, 0, 1], ["a", "a", "b", "b"])

    assert (found.statistic, found.p, found.only_first) == (0, 1, 2)


def test_a_single_patient_cannot_be_tested():
    found = mcnemar_clustered([1, 1, 0], [0, 0, 0], ["a", "a", "a"])

    assert (found.only_first, found.flag) == (2, "fewer than two patients")
    assert isnan(found.p)
    assert isnan(found.statistic)


def test_many_pairs_at_once_equal_each_pair_alone():
    rng = np.random.default_rng(5)
    right, patients = rng.random((6, 90)) < 0.7, rng.integers(0, 30, 90)
    sums, sizes = per_patient(right, patients)
    one, other = np.triu_indices(6, 1)

    statistic, p = durkalski(sums[one] - sums[other], sizes)

    alone = [mcnemar_clustered(right[i], right[j], patients) for i, j in zip(one, other, strict=True)]
    assert statistic == pytest.approx([each.statistic for each in alone], rel=1e-12)
    assert p == pytest.approx([each.p for each in alone], rel=1e-12)


def test_patients_without_a_case_take_no_part():
    assert durkalski([1, 2, 0, 0], [2, 3, 1, 0]) == durkalski([1, 2, 0], [2, 3, 1])
    assert isnan(durkalski([1, 0], [2, 0])[0])


def test_a_gap_above_the_patients_cases_is_refused():
    with pytest.raises(ValueError, match="got 3 of 2"):
        durkalski([0, 3], [1, 2])


def test_sums_per_patient_follow_the_sorted_ids():
    sums, sizes = per_patient([[1, 1, 0, 1], [0, 1, 0, 0]], ["b", "a", "b", "b"])

    assert sums.tolist() == [[1, 2], [1, 0]]
    assert sizes.tolist() == [1, 3]


def test_decisions_and_patients_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="equally long"):
        mcnemar_clustered([1, 0], [1, 0], ["a"])
