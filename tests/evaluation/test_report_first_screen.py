"""The answer in words and the figure beside it: what pretraining and init are worth, never beyond the numbers."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import Any

import polars as pl
import pytest

from evaluation.report.answer import MOST_TOLD, answer, verdict
from evaluation.report.context import ReportContext
from evaluation.report.figures.effects import Differences, effects
from evaluation.report.figures.flow import flow
from evaluation.report.tables.effects import named_effects
from evaluation.report.tables.study import flow_counts
from tests.evaluation.report_example import comparison, example, no_comparison, unstarted
from tests.evaluation.report_flow import CENTERS


def with_effects(*columns: pl.Expr, **named: pl.Expr) -> ReportContext:
    found = comparison()
    return example(comparison=replace(found, effects=found.effects.with_columns(*columns, **named)))


def row(**numbers: float) -> dict[str, Any]:
    return {"difference": 0.05, "low": 0.01, "high": 0.09, "p_adjusted": 0.01} | numbers


@pytest.mark.parametrize(
    ("numbers", "word"),
    [
        ({}, "gains"),
        ({"difference": -0.05, "low": -0.09, "high": -0.01}, "loses"),
        ({"low": -0.01}, "not settled"),
        ({"low": 0.0}, "not settled"),
        ({"low": nan, "high": nan}, "not settled"),
        ({"p_adjusted": 0.06}, "gains, but not after adjustment"),
        ({"difference": nan, "low": nan}, "no estimate"),
    ],
)
def test_an_effect_is_settled_only_if_interval_and_adjusted_p_agree(numbers, word):
    assert verdict(row(**numbers)) == word


def test_the_answer_tells_payoff_and_source_of_the_arm_at_pooled_external_centers():
    found = answer(example())

    assert found is not None
    assert found.headline.startswith("The one start from pretrained weights gains over training from scratch")
    assert "pooled external centers" in found.headline
    (arm,) = found.arms
    assert "n+\u00a060, n−\u00a090" in arm.about
    assert [(one.who, one.verdict) for one in arm.sentences] == [
        ("radimagenet · transfer against scratch", "gains"),
        ("imagenet against radimagenet", "loses"),
    ]
    assert arm.sentences[0].numbers == "+0.136 (95% interval +0.108 to +0.164; Holm-adjusted p\u00a0<\u00a00.001)"


def test_what_is_not_settled_says_which_differences_the_interval_holds():
    found = answer(with_effects(low=pl.lit(-0.02), high=pl.lit(0.087)))

    assert found is not None
    assert found.arms[0].sentences[0].verdict == "not settled"
    assert found.arms[0].sentences[0].numbers == "+0.136; the interval holds differences from −0.020 to +0.087"
    assert "is not settled against training from scratch" in found.headline


def many(*payoffs: tuple[str, float]) -> ReportContext:
    """A context whose only effects are payoffs, half as wide as 0.03."""
    found = comparison()
    one = found.effects.filter(pl.col("effect") == "payoff", pl.col("center") == "all", pl.col("role") == "external")
    frames = [
        one.with_columns(first=pl.lit(name), difference=pl.lit(x), low=pl.lit(x - 0.03), high=pl.lit(x + 0.03))
        for name, x in payoffs
    ]
    return example(comparison=replace(found, effects=pl.concat(frames)))


def test_the_headline_counts_all_payoffs_and_the_words_tell_one_per_source():
    found = answer(many(("a-frozen", 0.05), ("a-transfer", 0.01), ("b-frozen", -0.05)))

    assert found is not None
    assert found.headline.startswith(
        "Of 3 starts from pretrained weights, 1 gains over training from scratch, 1 loses and 1 is not settled"
    )
    (arm,) = found.arms
    assert [one.who.split(" against")[0] for one in arm.sentences] == ["a · transfer", "b · frozen"]
    assert arm.untold == 1


def test_a_gain_that_the_adjustment_takes_back_is_not_counted_as_one():
    context = many(("a-transfer", 0.05), ("b-transfer", 0.05))
    frame = context.comparison.effects.with_columns(p_adjusted=pl.lit(0.07))

    found = answer(example(comparison=replace(context.comparison, effects=frame)))

    assert found is not None
    assert "none gains over training from scratch, none loses and 2 are not settled" in found.headline


def test_of_many_sources_the_first_are_told_and_the_rest_counted():
    found = answer(many(*((f"source{number}-transfer", 0.0) for number in range(9))))

    assert found is not None
    assert (len(found.arms[0].sentences), found.arms[0].untold) == (MOST_TOLD, 9 - MOST_TOLD)


def test_intervals_that_cover_less_than_others_are_told_beside_the_words():
    few = pl.when(pl.col("effect") == "source").then(pl.lit("DeLong, case uncertainty only")).otherwise("method")
    found = answer(with_effects(method=few))

    assert found is not None
    assert ", some case uncertainty only (fewer than 3 replicates), some over cases and 3 replicates." in found.caveat
    assert found.caveat.endswith("this holds for the models that were trained, not for others trained alike.")
    everywhere = answer(example())
    assert everywhere is not None
    assert "trained alike" not in everywhere.caveat


def test_with_one_external_center_words_figure_and_table_keep_the_primary_family_and_its_p():
    at_center = (pl.col("role") == "external") & (pl.col("center") == "center_b")
    context = with_effects(p_adjusted=pl.when(at_center).then(0.3).otherwise("p_adjusted"))
    one = context.comparison.effects.filter(~pl.col("center").is_in(["center_c", "stratified"]))
    alone = replace(
        context,
        cohort=context.cohort.filter(pl.col("center") != "center_c"),
        comparison=replace(context.comparison, effects=one),
    )

    found, drawn = answer(alone), effects(alone)
    (table, *_) = named_effects(alone)

    assert found is not None
    assert drawn is not None
    assert (drawn.place, table.id) == ("External, center_b", "effects-external-center_b")
    assert found.arms[0].sentences[0].verdict == "gains"
    assert drawn.kinds[0].rows[0].heading.tags == ("primary",)
    assert [row[0].tags for group in table.groups for row in group.rows].count(("primary",)) == 1


def test_a_sealed_study_is_answered_on_the_reserve():
    sealed = example(external_open=False, external_waiting="not finished")

    found, figure = answer(sealed), effects(sealed)

    assert found is not None
    assert figure is not None
    assert "the reserve of development patients" in found.headline
    assert (figure.place, figure.legend) == ("Reserve", ())


@pytest.mark.parametrize("context", [unstarted(), example(comparison=no_comparison())])
def test_without_results_there_is_neither_answer_nor_figure(context):
    assert answer(context) is None
    assert effects(context) is None


def test_the_figure_has_a_row_per_effect_and_marks_the_pooled_place_before_each_center():
    figure = effects(example())

    assert figure is not None
    assert figure.legend == (("circle", "center_b"), ("square", "center_c"))
    assert [(kind.title, kind.right) for kind in figure.kinds] == [
        ("Against scratch", "pretrained better"),
        ("Between sources", "first better"),
    ]
    (payoff,) = figure.kinds[0].rows
    assert payoff.heading.tags == ("primary",)
    assert [mark.place for mark in payoff.marks] == ["External, pooled", "center_b", "center_c"]
    assert payoff.told[0] == "External, pooled: +0.136 (+0.108 to +0.164), n+\u00a060, n−\u00a090"
    assert (payoff.estimate, payoff.interval) == ("+0.136", "+0.108 to +0.164")


def test_marks_lie_where_their_values_are_and_right_of_zero_is_better():
    figure = effects(example())

    assert figure is not None
    gain, loss = (kind.rows[0].marks[0] for kind in figure.kinds)
    assert loss.low < loss.middle < loss.high < figure.zero < gain.low < gain.middle < gain.high
    assert {label: place for place, label in figure.ticks}["0"] == figure.zero


def test_a_wide_interval_of_one_center_is_cut_off_instead_of_squeezing_the_others():
    wide = pl.when(pl.col("center") == "center_b").then(pl.lit(0.9)).otherwise(pl.col("high"))

    figure, plain = effects(with_effects(high=wide)), effects(example())

    assert figure is not None
    assert plain is not None
    assert figure.ticks == plain.ticks
    assert (figure.is_cut, plain.is_cut) == (True, False)
    cut = figure.kinds[0].rows[0].marks[1]
    assert (cut.place, cut.cut_low, cut.cut_high, cut.high) == ("center_b", False, True, 97)


def test_an_effect_without_an_estimate_keeps_its_row_and_says_why():
    lost = with_effects(*(pl.lit(nan).alias(name) for name in ("difference", "low", "high")), flag=pl.lit("one class"))

    figure = effects(lost)

    assert figure is not None
    (payoff,) = figure.kinds[0].rows
    assert (payoff.marks, payoff.estimate) == ((), "–")
    assert payoff.told[0].startswith("External, pooled: no estimate, one class")


def test_ticks_are_few_round_numbers():
    assert [label for _, label in Differences(-0.12, 0.19).ticks()] == ["−0.10", "0", "+0.10"]


def test_the_flow_adds_up_the_centers_of_a_role_and_says_what_each_gave():
    development, external = flow(example()).intake

    assert (development.kept.counts, development.kept.lines) == (("376 patients, 407 images",), ())
    assert external.start is not None
    assert external.start.counts == ("184 files",)
    assert external.start.lines == (("center_b", "83 files"), ("center_c", "101 files"))
    assert external.out == ("2 files in quarantine: not a radiograph: SOP class CT",)


def test_an_arm_of_the_flow_ends_in_reserve_and_folds_or_in_a_test_per_center():
    (arm,) = flow(example()).arms
    development, external = arm.lanes

    assert [part.title for part in development.parts] == ["Reserve", "Fold 0", "Fold 1"]
    assert development.parts[0].counts == ("32 patients", "32 images", "n+\u00a012, n−\u00a020")
    assert [part.title for part in external.parts] == ["center_b", "center_c"]
    assert external.out == ("32 images with another label: normal",)
    assert external.kept.counts == ("150 patients, 150 images", "n+\u00a060, n−\u00a090")


def test_the_flow_is_a_table_too_with_the_same_numbers():
    table = flow_counts(example())

    found = {(group.heading.text, row[0].text): row[3].text for group in table.groups for row in group.rows}

    assert found["Before any arm · center_b · external", "Ingested"] == str(CENTERS[1][2])
    assert found["classification · center_a · development", "Reserve"] == "32"


def test_a_study_that_has_ingested_nothing_has_no_flow():
    assert flow(unstarted()).intake == ()
    assert flow_counts(unstarted()).is_empty
