"""Subgroups of external images: their bounds, what is too small to show, and whether they differ."""

from __future__ import annotations

from math import isnan

import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2

from evaluation.comparison.subgroups import subgroups
from evaluation.decisions.proportions import clopper_pearson
from evaluation.discrimination.areas import auc
from search_spaces.errors import StudyError
from search_spaces.study import Analysis
from tests.evaluation.study_example import IMAGENET, boards, cells, labels, scored, two_per_patient

PLAN = Analysis(thresholds=("youden",))
RESERVE, RESERVED = [0.3] * 5 + [0.5] * 5, [0] * 5 + [1] * 5
"""Youden's threshold is .5."""

# Sixty images: even ones negative, odd ones positive; the first half F, the second half M.
TRUTH = [0, 1] * 30
SCORES = (np.random.default_rng(9).random(60) * 0.7 + np.multiply(TRUTH, 0.3)).round(2).tolist()
SEX = ["F"] * 30 + ["M"] * 30
F, M = slice(0, 30), slice(30, 60)


def attributes(center="b", **columns):
    size = len(next(iter(columns.values())))
    return pl.DataFrame({"center": [center] * size, "image": [f"{center}{place}" for place in range(size)], **columns})


def grouped(known, scores=SCORES, truth=TRUTH, plan=PLAN, change=None, reserve=RESERVE):
    """Subgroups of external center b, with the threshold .5 from the reserve."""
    table = scored({IMAGENET: ({"a": reserve} if reserve else {}) | {"b": scores}})
    found = boards(table if change is None else change(table), labels({"a": RESERVED, "b": truth}))
    return subgroups(found, plan, cells(), known)


def by_group(found):
    return {row["group"]: row for row in found.rows(named=True)}


def sizes(found):
    return found.select("group", "n_positive", "n_negative").rows()


def test_a_groups_area_is_that_of_its_images():
    found = by_group(grouped(attributes(sex=SEX)))

    for group, part in (("F", F), ("M", M)):
        expected = auc(TRUTH[part], SCORES[part])
        assert (found[group]["auc"], found[group]["low"], found[group]["high"]) == pytest.approx(
            (expected.auc, expected.low, expected.high)
        )
    assert (found["F"]["attribute"], found["F"]["role"], found["F"]["cell"]) == ("sex", "external", IMAGENET)


def test_rates_are_at_the_threshold_that_the_reserve_chose():
    row = by_group(grouped(attributes(sex=SEX)))["M"]

    called = np.array(SCORES[M]) >= 0.5
    positive = np.array(TRUTH[M]) == 1
    for rate, right in (("sensitivity", called[positive]), ("specificity", ~called[~positive])):
        expected = clopper_pearson(int(right.sum()), 15)
        assert (row[rate], row[f"{rate}_low"], row[f"{rate}_high"]) == pytest.approx(tuple(expected))
    assert (row["rule"], row["source"], row["n_positive"], row["n_negative"]) == ("youden", "reserve", 15, 15)


def test_every_rule_of_the_plan_has_a_row_per_group():
    found = grouped(attributes(sex=SEX), plan=Analysis())

    assert found.select("rule", "group").rows() == [
        (rule, sex) for rule in ("sensitivity>=0.90", "specificity>=0.90", "youden") for sex in ("F", "M")
    ]
    assert found["auc"].n_unique() == 2


def test_interaction_is_cochrans_q_over_the_groups():
    found = grouped(attributes(sex=SEX))

    one, two = (auc(TRUTH[part], SCORES[part]) for part in (F, M))
    # Of two groups Q is the squared difference over the sum of the variances.
    q = (one.auc - two.auc) ** 2 / (one.se**2 + two.se**2)
    assert found["interaction_p"].to_list() == pytest.approx([chi2.sf(q, 1)] * 2)


def test_interaction_of_three_groups_has_two_degrees_of_freedom():
    thirds = ["p"] * 20 + ["q"] * 20 + ["r"] * 20
    found = grouped(attributes(view=thirds))

    areas = [auc(TRUTH[part], SCORES[part]) for part in (slice(0, 20), slice(20, 40), slice(40, 60))]
    weight = [1 / area.se**2 for area in areas]
    mean = sum(w * area.auc for w, area in zip(weight, areas, strict=True)) / sum(weight)
    q = sum(w * (area.auc - mean) ** 2 for w, area in zip(weight, areas, strict=True))
    assert found["interaction_p"][0] == pytest.approx(chi2.sf(q, 2))


def test_age_bands_begin_at_their_lower_bound():
    ages = [0.0, 19.99, 20.0, 39.99, 40.0, 59.99, 60.0, 95.0]

    found = grouped(attributes(age=ages), scores=SCORES[:8], truth=[0, 1, 1, 1, 1, 0, 0, 0])

    assert sizes(found) == [
        ("under 20 years", 1, 1),
        ("20 to under 40 years", 2, 0),
        ("40 to under 60 years", 1, 1),
        ("60 years and over", 0, 2),
    ]


def test_lesion_bands_begin_at_their_lower_bound():
    lengths = [1.0, 39.9, 40.0, 79.9, 80.0, 200.0]

    found = grouped(attributes(lesion_size=lengths), scores=SCORES[:6], truth=[0, 1, 1, 1, 0, 0])

    assert sizes(found) == [("under 40 mm", 1, 1), ("40 to under 80 mm", 2, 0), ("80 mm and over", 0, 2)]


def test_whole_years_are_ages_too():
    assert set(grouped(attributes(age=[20, 59] * 30))["group"]) == {"20 to under 40 years", "40 to under 60 years"}


@pytest.mark.parametrize("truth", [[1] * 9 + [0] * 21, [0] * 9 + [1] * 21], ids=["positives", "negatives"])
def test_fewer_than_ten_of_a_class_hide_areas_and_rates_and_show_counts(truth):
    row = by_group(grouped(attributes(sex=SEX), truth=truth + TRUTH[M]))["F"]

    hidden = [f"{rate}{bound}" for rate in ("sensitivity", "specificity") for bound in ("", "_low", "_high")]
    assert all(isnan(row[name]) for name in ("auc", "low", "high", *hidden))
    assert row["flag"] == "suppressed: fewer than 10 positives or negatives"
    assert sorted([row["n_positive"], row["n_negative"]]) == [9, 21]


def test_ten_of_each_class_are_enough():
    row = by_group(grouped(attributes(sex=SEX), truth=[1] * 10 + [0] * 20 + TRUTH[M]))["F"]

    assert row["flag"] == ""
    assert not isnan(row["auc"] + row["sensitivity"] + row["specificity"])


def test_a_suppressed_group_takes_no_part_in_the_interaction():
    thirds = ["F"] * 25 + ["M"] * 25 + ["X"] * 10
    found = by_group(grouped(attributes(sex=thirds)))

    one, two = (auc(TRUTH[part], SCORES[part]) for part in (slice(0, 25), slice(25, 50)))
    assert found["X"]["interaction_p"] == pytest.approx(chi2.sf((one.auc - two.auc) ** 2 / (one.se**2 + two.se**2), 1))


def test_one_group_large_enough_has_nothing_to_differ_from():
    found = grouped(attributes(sex=["F"] * 50 + ["M"] * 10))

    assert found["interaction_p"].is_nan().all()


def test_a_perfect_group_has_no_standard_error_and_leaves_no_interaction_test():
    perfect = [0.2 + 0.6 * label for label in TRUTH[:20]]
    found = grouped(attributes(view=["p"] * 20 + ["q"] * 20 + ["r"] * 20), scores=perfect + SCORES[20:])

    assert found["flag"].to_list() == ["zero variance", "", ""]
    assert found["interaction_p"].is_nan().all()


def test_negatives_without_a_lesion_are_compared_with_lesions_of_every_size():
    lengths = [None if label == 0 else 30.0 if place < 30 else 60.0 for place, label in enumerate(TRUTH)]
    found = grouped(attributes(lesion_size=lengths))

    assert sizes(found) == [("under 40 mm", 15, 30), ("40 to under 80 mm", 15, 30)]
    small = [place for place in range(60) if TRUTH[place] == 0 or place < 30]
    expected = auc([TRUTH[place] for place in small], [SCORES[place] for place in small])
    assert found["auc"][0] == pytest.approx(expected.auc)
    assert found["interaction_p"].is_nan().all()
    assert "negatives without a lesion stand in every group" in found["flag"][0]


def test_images_without_a_value_form_no_group():
    known = attributes(sex=["F"] * 20 + [None] * 20 + [""] * 10, age=[float("nan")] * 25 + [None] * 25)

    found = grouped(known)

    # Ten images have no row at all.
    assert sizes(found) == [("F", 10, 10)]


def test_only_attributes_of_the_plan_are_looked_at_in_its_order():
    known = attributes(age=[30.0] * 60, sex=SEX, view=["ap"] * 60, weight=[70.0] * 60)
    plan = PLAN.model_copy(update={"subgroups": ("view", "device", "age")})

    assert grouped(known, plan=plan)["attribute"].unique(maintain_order=True).to_list() == ["view", "age"]


def test_the_order_of_the_attributes_does_not_matter():
    known = attributes(sex=SEX)

    assert grouped(known.sample(fraction=1, shuffle=True, seed=3)).equals(grouped(known))


def test_an_image_of_another_center_with_the_same_name_is_another_image():
    other = attributes(sex=["M"] * 60).with_columns(center=pl.lit("c"))

    assert grouped(pl.concat([other, attributes(sex=SEX)])).equals(grouped(attributes(sex=SEX)))


def test_groups_pool_the_external_centers_and_leave_the_reserve_out():
    scores = {"a": RESERVE, "b": SCORES, "c": SCORES[:40]}
    found = boards(scored({IMAGENET: scores}), labels({"a": RESERVED, "b": TRUTH, "c": TRUTH[:40]}))
    known = pl.concat([attributes(center, sex=["F"] * 60) for center in "abc"])

    assert sizes(subgroups(found, PLAN, cells(), known)) == [("F", 50, 50)]


def test_patients_with_several_images_are_clustered():
    row = by_group(grouped(attributes(sex=SEX), change=two_per_patient))["F"]

    expected = auc(TRUTH[F], SCORES[F], np.arange(30) // 2)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))


def test_without_a_threshold_from_development_areas_stand_alone():
    found = grouped(attributes(sex=SEX), reserve=None)

    assert set(found["source"]) == {""}
    assert found["sensitivity"].is_nan().all()
    assert not found["auc"].is_nan().any()


def test_fold_thresholds_decide_by_majority_and_say_so():
    table = scored({IMAGENET: {"v": [0.3, 0.5], "b": SCORES}})

    found = subgroups(boards(table, labels({"v": [0, 1], "b": TRUTH})), PLAN, cells(), attributes(sex=SEX))

    assert set(found["source"]) == {"fold thresholds"}
    assert found["sensitivity"].equals(grouped(attributes(sex=SEX))["sensitivity"])


@pytest.mark.parametrize("known", [None, attributes(sex=SEX)], ids=["no attributes", "no external images"])
def test_without_attributes_or_external_images_there_are_no_groups(known):
    table = {"a": RESERVE} | ({"b": SCORES} if known is None else {})
    found = boards(scored({IMAGENET: table}), labels({"a": RESERVED, "b": TRUTH}))

    nothing = attributes(sex=SEX).select("center", "image")
    assert subgroups(found, PLAN, cells(), nothing if known is None else known).is_empty()


def test_an_image_with_two_rows_is_refused():
    twice = pl.concat([attributes(sex=SEX), attributes(sex=["M"])])

    with pytest.raises(StudyError, match="image 'b0' of center 'b' stands more than once"):
        grouped(twice)


def test_an_age_in_words_is_refused():
    with pytest.raises(StudyError, match="column 'age' is String, it must be Float64"):
        grouped(attributes(age=["young"] * 60))
