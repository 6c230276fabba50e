"""Multi-reader multi-case analysis against MRMCaov, published numbers and a bootstrap."""

from __future__ import annotations

from math import inf, isnan, nan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.discrimination.areas import auc_difference
from evaluation.discrimination.delong import placements
from evaluation.readers.covariance import area_covariance
from evaluation.readers.obuchowski_rockette import obuchowski_rockette
from tests.evaluation.reference import golden, golden_rows

SAMPLES = {"both": "random_readers_and_cases", "cases": "fixed_readers", "readers": "fixed_cases"}

# AUCs of five readers, spin-echo and cine MRI (Van Dyke et al. 1993), and what MRMCaov's user guide (0.3.0) prints.
VAN_DYKE = [
    [0.9196457, 0.8587762, 0.9038647, 0.9731079, 0.8297907],
    [0.9478261, 0.9053140, 0.9217391, 0.9993559, 0.9299517],
]


def analyzed(name):
    part = golden("readers/ratings").filter(set=name)
    readers = [column for column in ("r1", "r2", "r3", "r4") if not part[column].is_null().any()]
    placed = [
        [placements(one["truth"], one[reader]) for reader in readers]
        for one in part.partition_by("modality", maintain_order=True)
    ]
    estimates = [[one.auc for one in row] for row in placed]
    return obuchowski_rockette(estimates, area_covariance([one for row in placed for one in row]))


def alike(modalities, readers, var_error, cov1, cov2, cov3):
    """A covariance whose four kinds of entries are constant."""
    same_modality = np.eye(modalities)[:, None, :, None]
    same_reader = np.eye(readers)[None, :, None, :]
    kinds = [var_error, cov1, cov2, cov3]
    masks = [
        same_modality * same_reader,
        (1 - same_modality) * same_reader,
        same_modality * (1 - same_reader),
        (1 - same_modality) * (1 - same_reader),
    ]
    total = sum(kind * mask for kind, mask in zip(kinds, masks, strict=True))
    return np.broadcast_to(total, (modalities, readers) * 2).reshape(modalities * readers, -1)


@pytest.mark.parametrize("row", golden_rows("readers/components"), ids=lambda row: row["set"])
def test_variance_components_equal_mrmcaovs(row):
    found = analyzed(row["set"]).components

    assert found._asdict() == pytest.approx({name: row[name] for name in found._fields}, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("row", golden_rows("readers/overall"), ids=lambda row: f"{row['set']}-{row['sampled']}")
def test_the_overall_test_equals_mrmcaovs(row):
    found = getattr(analyzed(row["set"]), SAMPLES[row["sampled"]])

    assert found.overall == pytest.approx((row["statistic"], row["df1"], row["df2"], row["p"]), rel=1e-8, abs=1e-12)
    assert found.flag == ""


@pytest.mark.parametrize(
    "rows",
    golden("readers/differences").partition_by("set", "sampled", maintain_order=True),
    ids=lambda rows: f"{rows['set'][0]}-{rows['sampled'][0]}",
)
def test_pairwise_differences_equal_mrmcaovs(rows):
    found = getattr(analyzed(rows["set"][0]), SAMPLES[rows["sampled"][0]]).differences

    expected = rows.select("difference", "se", "df", "low", "high", "t", "p").rows()
    assert [gap[2:] for gap in found] == [pytest.approx(row, rel=1e-8, abs=1e-12) for row in expected]


@pytest.mark.parametrize(
    "rows",
    golden("readers/means").partition_by("set", "sampled", maintain_order=True),
    ids=lambda rows: f"{rows['set'][0]}-{rows['sampled'][0]}",
)
def test_means_equal_mrmcaovs(rows):
    found = getattr(analyzed(rows["set"][0]), SAMPLES[rows["sampled"][0]]).means

    expected = rows.select("mean", "se", "df", "low", "high").rows()
    assert [mean[1:] for mean in found] == [pytest.approx(row, rel=1e-8) for row in expected]


def test_published_numbers_with_delongs_covariance_are_reproduced():
    covariance = alike(2, 5, 0.0007921325, 0.0003420090, 0.0003395265, 0.0002358497)

    found = obuchowski_rockette(VAN_DYKE, covariance)

    both = found.random_readers_and_cases
    assert both.overall == pytest.approx((4.484854, 1, 15.06611, 0.05123303), rel=1e-5)
    gap = (-0.04380032, 0.0206825, 15.06611, -0.0878671960, 0.0002665519, -2.117747, 0.05123303)
    assert both.differences[0][2:] == pytest.approx(gap, rel=1e-4)
    assert found.components[:2] == pytest.approx((0.0015364254, 0.0002045840), rel=1e-5)


def test_published_numbers_with_fixed_readers_or_cases_are_reproduced():
    covariance = alike(2, 5, 0.0008022883, 0.0003466137, 0.0003440748, 0.0002390284)

    found = obuchowski_rockette(VAN_DYKE, covariance)

    assert found.fixed_readers.overall == pytest.approx((5.475953, 1, inf, 0.01927984), rel=1e-5)
    assert found.fixed_readers.differences[0].se == pytest.approx(0.01871748, rel=1e-6)
    assert found.fixed_cases.overall == pytest.approx((8.704, 1, 4, 0.04195875), rel=1e-4)
    assert found.fixed_cases.means[0][1:] == pytest.approx((0.8970370, 0.02482994, 4, 0.8280981, 0.9659760), rel=1e-6)


@given(st.integers(0, 10_000), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_two_modalities_have_the_variance_of_the_readers_differences(seed, readers):
    rng = np.random.default_rng(seed)
    estimates, roots = rng.uniform(0.6, 0.9, (2, readers)), rng.normal(0, 0.03, (2 * readers, 2 * readers))
    covariance = roots @ roots.T

    found = obuchowski_rockette(estimates, covariance).random_readers_and_cases.differences[0]

    contrast = np.hstack([np.eye(readers), -np.eye(readers)])
    of_differences = contrast @ covariance @ contrast.T
    shared = of_differences[~np.eye(readers, dtype=bool)].mean()
    spread = np.var(estimates[0] - estimates[1], ddof=1)
    assert found.se == pytest.approx(sqrt((spread + max(readers * shared, 0)) / readers))
    assert found.df == pytest.approx((readers - 1) * ((spread + max(readers * shared, 0)) / spread) ** 2)


@given(st.integers(0, 10_000), st.integers(2, 5))
@settings(max_examples=40, deadline=None)
def test_fixed_readers_have_the_case_variance_of_the_mean_difference(seed, readers):
    rng = np.random.default_rng(seed)
    roots = rng.normal(0, 0.03, (2 * readers, 2 * readers))

    found = obuchowski_rockette(rng.uniform(0.6, 0.9, (2, readers)), roots @ roots.T).fixed_readers

    contrast = np.repeat([1, -1], readers) / readers
    assert found.differences[0].se == pytest.approx(sqrt(contrast @ (roots @ roots.T) @ contrast))


@given(st.integers(0, 10_000), st.permutations(range(4)))
@settings(max_examples=40, deadline=None)
def test_the_order_of_readers_does_not_matter_and_swapping_modalities_turns_the_sign(seed, order):
    rng = np.random.default_rng(seed)
    estimates, roots = rng.uniform(0.6, 0.9, (2, 4)), rng.normal(0, 0.03, (8, 8))
    moved = np.arange(8).reshape(2, 4)[::-1][:, order]

    forth = obuchowski_rockette(estimates, roots @ roots.T)
    back = obuchowski_rockette(estimates[::-1][:, order], (roots @ roots.T)[np.ix_(moved.ravel(), moved.ravel())])

    assert back.components == pytest.approx(forth.components)
    for name in SAMPLES.values():
        first, second = getattr(forth, name), getattr(back, name)
        assert second.overall == pytest.approx(first.overall)
        assert second.differences[0].difference == pytest.approx(-first.differences[0].difference)


def test_one_reader_has_results_for_that_reader_only():
    rng = np.random.default_rng(2)
    labels = np.repeat([1, 0], 30)
    scores = labels + rng.normal(size=(2, 60))
    placed = [placements(labels, row) for row in scores]

    found = obuchowski_rockette([[one.auc] for one in placed], area_covariance(placed))

    single = auc_difference(labels, *scores)
    gap = found.fixed_readers.differences[0]
    assert (gap.difference, gap.se, gap.t, gap.p) == pytest.approx((single.difference, single.se, single.z, single.p))
    assert isnan(found.random_readers_and_cases.overall.p)
    assert isnan(found.fixed_cases.differences[0].p)
    assert {getattr(found, name).flag for name in SAMPLES.values()} == {"one reader"}


def test_a_covariance_that_is_not_estimable_leaves_fixed_cases():
    found = obuchowski_rockette(VAN_DYKE, np.full((10, 10), nan))

    assert (found.random_readers_and_cases.flag, found.fixed_readers.flag) == (
        "covariance over cases not estimable",
    ) * 2
    assert isnan(found.random_readers_and_cases.overall.p)
    assert all(isnan(end) for mean in found.fixed_readers.means for end in (mean.se, mean.low, mean.high))
    assert found.fixed_cases.overall.p == pytest.approx(0.04195875, rel=1e-4)


def test_a_missing_estimate_leaves_nothing():
    found = obuchowski_rockette([[0.8, nan], [0.7, 0.9]], np.eye(4) * 1e-3)

    assert {getattr(found, name).flag for name in SAMPLES.values()} == {"an estimate is missing"}
    assert all(isnan(getattr(found, name).overall.p) for name in SAMPLES.values())


def test_readers_with_the_same_ranking_in_all_modalities_have_p_one_and_a_flag():
    rng = np.random.default_rng(3)
    labels = np.repeat([1, 0], 20)
    placed = [placements(labels, labels + rng.normal(size=40)) for _ in range(3)]

    found = obuchowski_rockette([[one.auc for one in placed]] * 3, area_covariance(placed * 3))

    for name in SAMPLES.values():
        one = getattr(found, name)
        assert (one.overall.p, one.differences[0].p, one.flag) == (1, 1, "zero variance")


def test_the_same_gain_of_every_reader_is_flagged_where_cases_are_fixed():
    found = obuchowski_rockette([[0.8, 0.9, 0.7], [0.7, 0.8, 0.6]], np.eye(6) * 1e-3).fixed_cases

    assert (found.overall.statistic, found.overall.p, found.flag) == (inf, 0, "zero variance")


def test_intervals_of_means_are_clipped_to_the_bounds():
    covariance = alike(2, 2, 0.01, 0, 0, 0)

    assert obuchowski_rockette([[0.99, 0.9], [0.9, 0.8]], covariance).fixed_readers.means[0].high == 1
    assert obuchowski_rockette([[0.99, 0.9], [0.9, 0.8]], covariance, (-inf, inf)).fixed_readers.means[0].high > 1


def test_a_bootstrap_of_cases_agrees_with_fixed_readers():
    part = golden("readers/ratings").filter(set="two")
    labels = part.filter(modality="aided")["truth"].to_numpy()
    scores = np.stack([one.select("r1", "r2", "r3", "r4").to_numpy().T for one in part.partition_by("modality")])
    rng, positives, negatives = np.random.default_rng(5), np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    gaps = []
    for _ in range(400):
        pick = np.concatenate([rng.choice(positives, positives.size), rng.choice(negatives, negatives.size)])
        areas = [[placements(labels[pick], one[pick]).auc for one in row] for row in scores]
        gaps.append(np.mean(areas[0]) - np.mean(areas[1]))

    assert analyzed("two").fixed_readers.differences[0].se == pytest.approx(np.std(gaps), rel=0.12)


@pytest.mark.parametrize(
    ("estimates", "covariance", "message"),
    [
        ([[0.8, 0.9]], np.eye(2), "at least two modalities"),
        ([0.8, 0.9], np.eye(2), "at least two modalities"),
        ([[], []], np.eye(0), "at least two modalities"),
        ([[0.8], [0.9]], np.eye(3), "must be 2 x 2, one row per estimate, got shape"),
        ([[0.8], [0.9]], [[1, 0.5], [0.2, 1]], "must be symmetric"),
        ([[0.8], [0.9]], [[1, 2], [2, 1]], "negative eigenvalue, -1; it needs 0 or more"),
    ],
)
def test_wrong_input_is_refused(estimates, covariance, message):
    with pytest.raises(ValueError, match=message):
        obuchowski_rockette(estimates, covariance)
