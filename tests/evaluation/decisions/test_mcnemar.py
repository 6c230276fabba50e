"""McNemar's test against R, exact2x2, the seed study and by hand."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.decisions.mcnemar import VARIANTS, discordant, discordant_matrix, mcnemar, mcnemar_p
from tests.evaluation.reference import golden, golden_rows

few = settings(max_examples=40, deadline=None)
counts = st.integers(0, 60)


@pytest.mark.parametrize(
    "row", golden_rows("paired/mcnemar"), ids=lambda row: f"{row['only_first']}-{row['only_second']}"
)
def test_every_variant_equals_r(row):
    found = {variant: mcnemar(row["only_first"], row["only_second"], variant) for variant in VARIANTS}

    assert found["exact"].p == pytest.approx(row["exact"], rel=1e-12)
    assert found["mid-p"].p == pytest.approx(row["mid_p"], rel=1e-12)
    assert (found["chi2"].statistic, found["chi2"].p) == pytest.approx((row["chi2_statistic"], row["chi2"]), rel=1e-12)
    assert (found["corrected"].statistic, found["corrected"].p) == pytest.approx(
        (row["corrected_statistic"], row["corrected"]), rel=1e-12
    )


@pytest.mark.parametrize("row", golden_rows("paired/exact2x2"))
def test_exact_and_mid_p_equal_exact2x2(row):
    assert mcnemar_p(row["only_first"], row["only_second"], "exact") == pytest.approx(row["exact"], rel=1e-12)
    assert mcnemar_p(row["only_first"], row["only_second"], "mid-p") == pytest.approx(row["mid_p"], rel=1e-12)


@pytest.mark.parametrize(
    ("only_first", "only_second", "corrected", "exact", "mid_p"),
    [(38, 21, 0.03725, 0.03634, 0.02734), (9, 0, 0.00766, 0.00391, 0.00195), (6, 0, 0.04123, 0.03125, 0.01562)],
    ids=["specificity 429 and 412 of 475", "sensitivity 214 and 205 of 268", "sensitivity 245 and 239 of 268"],
)
def test_the_p_values_of_the_seed_study_are_the_continuity_corrected_ones(
    only_first, only_second, corrected, exact, mid_p
):
    # The study prints .037, .0077 and .041; the discordant counts follow from its rates and these p-values.
    found = [float(mcnemar_p(only_first, only_second, variant)) for variant in ("corrected", "exact", "mid-p")]

    assert found == pytest.approx([corrected, exact, mid_p], abs=6e-6)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("count", [0, 1, 10])
def test_equal_counts_give_p_exactly_one(variant, count):
    # statsmodels 0.15 gives 0 for the corrected test of 0 and 0, and .82 for 10 and 10.
    assert mcnemar(count, count, variant).p == 1


def test_no_discordant_pair_is_flagged():
    assert mcnemar(0, 0).flag == "no discordant pairs"
    assert mcnemar(1, 0).flag == ""


def test_the_result_names_its_variant():
    assert [mcnemar(3, 8, variant).method for variant in VARIANTS] == [
        "McNemar exact",
        "McNemar mid-p",
        "McNemar chi2",
        "McNemar chi2, continuity-corrected",
    ]
    assert mcnemar(3, 8).method == "McNemar mid-p"


def test_the_statistic_of_the_exact_variants_is_the_smaller_count():
    assert mcnemar(8, 3, "exact").statistic == mcnemar(3, 8, "mid-p").statistic == 3


@few
@given(first=counts, second=counts, variant=st.sampled_from(VARIANTS))
def test_swapping_the_models_keeps_p_between_zero_and_one(first, second, variant):
    forth, back = mcnemar(first, second, variant), mcnemar(second, first, variant)

    assert forth.p == back.p
    assert 0 < forth.p <= 1


@few
@given(first=counts, second=counts)
def test_mid_p_lies_below_exact_and_chi2_below_the_corrected_test(first, second):
    assert mcnemar_p(first, second, "mid-p") <= mcnemar_p(first, second, "exact")
    assert mcnemar_p(first, second, "chi2") <= mcnemar_p(first, second, "corrected")


@pytest.mark.parametrize("variant", VARIANTS)
def test_arrays_of_counts_give_what_single_counts_give(variant):
    rows = golden("paired/mcnemar")
    first, second = rows["only_first"].to_numpy(), rows["only_second"].to_numpy()

    found = mcnemar_p(first, second, variant)

    assert found.tolist() == [mcnemar(b, c, variant).p for b, c in zip(first, second, strict=True)]


@pytest.mark.parametrize("count", [-1, 0.5, nan, np.inf])
def test_a_count_that_is_no_whole_number_is_refused(count):
    with pytest.raises(ValueError, match=f"whole numbers from 0, got {count:g}"):
        mcnemar_p([3, 4], [5, count])


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match=r"'midp'.*exact, mid-p, chi2, corrected"):
        mcnemar(1, 2, "midp")


def test_right_means_called_positive_for_positives_and_called_negative_for_negatives():
    labels = [1, 1, 1, 1, 1, 0, 0, 0]
    first = [1, 1, 1, 0, 0, 1, 0, 0]
    second = [1, 0, 0, 1, 0, 0, 1, 0]

    found = discordant(labels, np.array(first, dtype=bool), second)

    assert found.sensitivity == (1, 2, 1, 1)
    # Negatives: only the second, then only the first, then both call them negative.
    assert found.specificity == (1, 1, 1, 0)


def test_one_class_leaves_the_other_table_empty():
    assert discordant([1, 1], [1, 0], [0, 0]).specificity == (0, 0, 0, 0)


def test_the_matrix_of_discordant_counts_holds_every_pair():
    right = np.random.default_rng(2).random((4, 50)) < 0.6

    found = discordant_matrix(right)

    assert found[1, 3] == (right[1] & ~right[3]).sum()
    assert found[3, 1] == (right[3] & ~right[1]).sum()
    assert mcnemar_p(found, found.T)[1, 3] == mcnemar(int(found[1, 3]), int(found[3, 1])).p


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [1, 0], [1, 0]), "0 or 1, found 2"),
        (([1, 0], [1, nan], [1, 0]), "0 or 1, found nan"),
        (([1, 0], [1, 0, 1], [1, 0]), r"equally long vectors, got \(2,\), \(3,\), \(2,\)"),
    ],
)
def test_labels_and_decisions_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        discordant(*arguments)
