"""Random-effects meta-analysis over centers against metafor and by hand."""

from __future__ import annotations

from math import inf, isnan, nan
from time import perf_counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evaluation.centers.heterogeneity import leave_one_out, pool, pool_areas
from tests.evaluation.reference import golden, golden_rows

NUMBERS = ("estimate", "se", "statistic", "p", "tau2", "i2", "q", "q_p")
ENDS = ("low", "high", "prediction_low", "prediction_high")
ROWS = golden_rows("centers/pooled")
AREAS = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.001, 0.999))
ERRORS = st.one_of(st.just(0.0), st.floats(1e-4, 0.3))
CENTERS = st.lists(st.tuples(st.floats(-1, 1), st.floats(0.01, 0.5)), min_size=2, max_size=8)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(row[name] for name in ("set", "scale", "tau", "test")))
def test_every_variant_equals_metafor(row):
    part = golden("centers/centers").filter(set=row["set"])
    is_area = part["kind"][0] == "area"

    if is_area:
        found = pool_areas(part["estimate"], part["se"], row["scale"], row["tau"], row["test"])
    else:
        found = pool(part["estimate"], part["se"], row["tau"], row["test"])

    ends = [min(max(row[name], 0), 1) if is_area else row[name] for name in ENDS]
    assert [getattr(found, name) for name in NUMBERS] == pytest.approx(
        [row[name] for name in NUMBERS], rel=1e-7, abs=1e-9
    )
    assert [getattr(found, name) for name in ENDS] == pytest.approx(ends, rel=1e-7)
    assert (found.k, found.q_df, found.flag) == (part.height, part.height - 1, "")


def test_leaving_one_center_out_equals_metafor():
    part = golden("centers/centers").filter(set="differences")

    found = leave_one_out(part["center"].to_list(), part["estimate"], part["se"])

    for (name, without), row in zip(found, golden_rows("centers/leave_one_out"), strict=True):
        places = [place for place in row if place != "center"]
        assert name == row["center"]
        assert [getattr(without, place) for place in places] == pytest.approx(
            [row[place] for place in places], rel=1e-7
        )


@pytest.mark.parametrize("scale", ["raw", "logit"])
def test_areas_are_left_out_on_their_own_scale(scale):
    areas, errors = [0.91, 0.84, 0.78], [0.021, 0.035, 0.044]

    found = leave_one_out(["a", "b", "c"], areas, errors, "dersimonian-laird", "normal", scale)

    rest = pool_areas([0.91, 0.78], [0.021, 0.044], scale, "dersimonian-laird", "normal", ["a", "c"])
    assert [name for name, _ in found] == ["a", "b", "c"]
    assert found[1][1] == rest


def test_two_centers_give_the_values_computed_by_hand():
    # Weights 1/.04 = 25 each, mean 0, Q = 25 (.09 + .09) = 4.5; tau2 = (4.5 - 1) / (50 - 1250/50) = .14.
    # Variance (.04 + .14) / 2 = .09; typical variance 1 / (50 - 25) = .04, so I2 = .14 / .18.
    found = pool([0.3, -0.3], [0.2, 0.2], "dersimonian-laird", "normal")

    assert (found.q, found.tau2, found.se, found.i2) == pytest.approx((4.5, 0.14, 0.3, 0.14 / 0.18))
    assert found.high == pytest.approx(1.959963984540054 * 0.3)
    assert found.prediction_high == pytest.approx(1.959963984540054 * 0.23**0.5)


def test_the_method_names_every_variant():
    areas, errors = [0.8, 0.9], [0.02, 0.03]

    assert pool(areas, errors, "dersimonian-laird", "normal").method == "random effects (DerSimonian-Laird), normal"
    assert pool_areas(areas, errors).method == "random effects (REML), Hartung-Knapp, logit scale"


def test_hartung_knapp_is_not_truncated_at_one():
    areas, errors = [0.85, 0.86, 0.84, 0.855], [0.03, 0.04, 0.05, 0.02]

    assert pool(areas, errors, test="hartung-knapp").se < pool(areas, errors, test="normal").se / 4


def test_a_center_without_variance_is_left_out_and_named():
    found = pool_areas([1.0, 0.8, 0.9, 0.7], [0.0, 0.02, 0.03, nan], names=["Aachen", "Bonn", "Celle", "Dresden"])
    rest = pool_areas([0.8, 0.9], [0.02, 0.03])

    assert found.flag == "left out: Aachen (zero variance), Dresden (no standard error)"
    assert (found.estimate, found.se, found.k) == (rest.estimate, rest.se, 2)


@pytest.mark.parametrize("scale", ["raw", "logit"])
@pytest.mark.parametrize("extreme", [0.0, 1.0])
def test_an_area_of_zero_or_one_is_left_out_even_with_a_standard_error(scale, extreme):
    found = pool_areas([extreme, 0.8, 0.9], [0.01, 0.02, 0.03], scale)

    assert (found.k, found.flag) == (2, "left out: 1 (zero variance)")
    assert found.estimate == pool_areas([0.8, 0.9], [0.02, 0.03], scale).estimate


def test_one_center_keeps_its_interval_but_has_no_heterogeneity():
    found = pool([0.04], [0.02], test="normal")

    assert (found.estimate, found.se, found.statistic, found.k, found.flag) == (0.04, 0.02, 2, 1, "one center")
    assert found.high == pytest.approx(0.04 + 1.959963984540054 * 0.02)
    assert all(isnan(value) for value in (found.tau2, found.i2, found.q, found.q_p, found.prediction_low))


def test_one_center_falls_back_from_hartung_knapp_to_the_normal_test():
    found = pool_areas([0.8, nan], [0.02, nan], test="hartung-knapp")

    assert found.flag == "one center; left out: 2 (no estimate)"
    assert found.method == "random effects (REML), normal, logit scale"
    # log(4) -+ 1.96 * .02 / .16
    assert (found.low, found.high) == pytest.approx((0.757918, 0.836346), abs=1e-6)


def test_no_center_is_nothing_but_a_flag():
    found = pool([], [], test="normal")

    assert (found.k, found.flag) == (0, "no center")
    assert all(isnan(value) for value in (found.estimate, found.se, found.low, found.p))


def test_equal_estimates_have_no_hartung_knapp_variance_and_say_so():
    found = pool([0.7] * 4, [0.02, 0.03, 0.07, 0.011])

    assert (found.se, found.statistic, found.p, found.flag) == (0, inf, 0, "zero variance")
    assert pool([0.0, 0.0], [0.02, 0.03]).p == 1


def test_areas_are_tested_against_one_half():
    raw = pool_areas([0.4, 0.6], [0.05, 0.05], "raw")
    logit = pool_areas([0.4, 0.6], [0.05, 0.05], "logit")

    assert (raw.p, logit.p) == pytest.approx((1, 1))


def test_intervals_of_areas_stay_within_zero_and_one():
    found = pool_areas([0.72, 0.93], [0.03, 0.02], "raw")

    assert (found.low, found.high, found.prediction_low, found.prediction_high) == (0, 1, 0, 1)


def test_a_likelihood_with_two_peaks_takes_the_higher_one_at_zero():
    # Scoring from Hedges' estimator climbs a lower peak at .6; metafor also sets tau2 to 0 and warns.
    found = pool([-0.41, 0.65, -2.11, -0.41], [0.018, 0.817, 0.575, 0.052], "reml", "normal")

    assert (found.tau2, found.q_df) == (0, 3)


def test_scoring_that_swings_about_the_maximum_is_damped():
    # metafor stops with "did not converge"; with control = list(stepadj = .5, threshold = 1e-14) it gives this.
    values = [-0.14011645, -0.04440372, 0.225694, 0.16463988, 0.02798462, 0.18608146, 0.13077931]
    errors = [0.12512252, 0.20549525, 0.02249334, 0.38861396, 0.27323239, 0.22779665, 0.29448176]

    assert pool(values, errors, "reml").tau2 == pytest.approx(0.0179791194210469, rel=1e-9)


def test_a_result_is_cheap():
    part = golden("centers/centers").filter(set="many")
    values, errors = part["estimate"].to_numpy(), part["se"].to_numpy()
    pool_areas(values, errors)

    start = perf_counter()
    for _ in range(20):
        pool_areas(values, errors)

    assert (perf_counter() - start) / 20 < 0.005


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pool([0.1, 0.2], [0.1]), "equally long"),
        (lambda: pool([0.1], [0.1], names=["a", "b"]), "equally long"),
        (lambda: pool([0.1, inf], [0.1, 0.1]), "estimate of center 2 is infinite"),
        (lambda: pool([0.1, 0.2], [0.1, inf], names=["a", "b"]), "standard error of center b is infinite"),
        (lambda: pool([0.1, 0.2], [0.1, -0.1]), "must not be negative, got -0.1"),
        (lambda: pool([0.1, 0.2], [0.1, 0.1], tau="paule-mandel"), "tau is 'paule-mandel'; it may be one of: dersim"),
        (lambda: pool([0.1, 0.2], [0.1, 0.1], test="t"), "test is 't'; it may be one of: normal, hartung-knapp"),
        (lambda: pool_areas([0.1, 0.2], [0.1, 0.1], scale="probit"), "scale is 'probit'; it may be one of: raw, logit"),
        (lambda: pool_areas([0.1, 1.2], [0.1, 0.1]), "between 0 and 1, got 1.2"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@given(CENTERS, st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_centers_does_not_matter(centers, random):
    shuffled = random.sample(centers, len(centers))

    first, second = (pool(*np.array(part).T) for part in (centers, shuffled))

    assert first.estimate == pytest.approx(second.estimate, abs=1e-8, nan_ok=True)
    assert first.tau2 == pytest.approx(second.tau2, abs=1e-8, nan_ok=True)


@given(CENTERS, st.sampled_from(["dersimonian-laird", "reml"]))
@settings(max_examples=40, deadline=None)
def test_swapping_the_sign_turns_the_result(centers, tau):
    values, errors = np.array(centers).T

    forth, back = pool(values, errors, tau), pool(-values, errors, tau)

    # REML does not converge for some very unequal variances: NaN and a flag, both ways.
    assert (back.estimate, back.low) == pytest.approx((-forth.estimate, -forth.high), nan_ok=True)
    assert back.p == pytest.approx(forth.p, nan_ok=True)


@given(CENTERS, st.sampled_from(["dersimonian-laird", "reml"]))
@settings(max_examples=40, deadline=None)
def test_the_estimate_lies_among_the_centers_and_i2_is_a_share(centers, tau):
    values, errors = np.array(centers).T

    found = pool(values, errors, tau)
    assume(not isnan(found.estimate))

    assert values.min() - 1e-12 <= found.estimate <= values.max() + 1e-12
    assert 0 <= found.i2 < 1
    assert found.tau2 >= 0
    assert found.prediction_low <= found.low <= found.high <= found.prediction_high


@given(st.lists(st.tuples(AREAS, ERRORS), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_areas_never_meet_an_infinite_weight(centers):
    found = pool_areas(*np.array(centers).T)

    assert found.k == sum(0 < area < 1 and se > 0 for area, se in centers)
    assert not np.isinf([found.tau2, found.se, found.q]).any()
