"""Contrasts of single models, and decisions of planned pairs, become display tables."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import polars as pl

from evaluation.report.display import Entry
from evaluation.report.tables import effects
from evaluation.report.tables.decisions import decisions
from evaluation.report.tables.discrimination import single_models
from tests.evaluation.report_cells import BEST
from tests.evaluation.report_example import comparison, example
from tests.evaluation.report_page import entries, grouped, headings

TRANSFER = "resnet50 · radimagenet · transfer"


def changed(name: str, *columns: pl.Expr) -> pl.DataFrame:
    return getattr(comparison(), name).with_columns(*columns)


def test_primary_contrasts_print_interval_bootstrap_and_aggregates() -> None:
    table = effects.primary(example())

    found = dict(zip(headings(table)[1:], entries(table, TRANSFER), strict=True))

    assert table.caption == "Primary contrasts: single models, n+\u00a060, n−\u00a090"
    assert (found["Difference"].text, found["Difference"].details) == ("+0.069", ("0.708 against 0.639",))
    assert found["95% interval"].text == "+0.041 to +0.097"
    assert found["95% interval"].details == ("over cases and 3 replicates", "+0.030 to +0.100")
    assert [found[name].text for name in ("p", "p, Holm")] == ["<0.001", "<0.001"]
    assert found["Aggregates"] == Entry("+0.069", ("+0.049 to +0.089", "p\u00a0<\u00a00.001"))


def test_too_few_replicates_are_said_beside_the_interval_and_below_the_table() -> None:
    table = effects.primary(example())

    difference, interval, *_ = table.groups[0].rows[1][1:]

    assert interval.details[0] == "case uncertainty only (fewer than 3 replicates)"
    assert (difference.mark, table.notes) == ("a", (("a", "fewer than 3 replicates"),))


def test_a_named_effect_says_its_backbones_and_which_are_left_out() -> None:
    heading = effects.primary(example()).groups[0].rows[2][0]

    assert (heading.text, heading.tags) == ("radimagenet · transfer", ("payoff",))
    assert heading.details == ("against scratch", "resnet50", "without inception_v3")


def test_non_inferiority_has_a_column_only_if_the_plan_has_a_margin() -> None:
    planned = changed("effects", pl.lit(0.01).alias("non_inferior_p"))

    with_margin = effects.primary(example(comparison=replace(comparison(), effects=planned)))

    assert headings(with_margin).count("p") == headings(effects.primary(example())).count("p") + 1
    assert "not worse by the margin" in with_margin.explanation
    assert "not worse by the margin" not in effects.primary(example()).explanation


def test_effects_are_grouped_by_what_they_compare_at_every_place() -> None:
    tables = effects.named_effects(example())

    assert [table.caption.split(": ")[1].split(", n+")[0] for table in tables] == [
        "External, pooled",
        "External, stratified",
        "External, center_b",
        "External, center_c",
        "Reserve",
    ]
    assert grouped(tables[0]) == [
        "classification: payoff",
        "classification: source effect",
    ]
    assert grouped(tables[2])[-1] == "classification: planned pairs"


def test_among_other_effects_the_primary_ones_are_marked_and_interactions_named() -> None:
    table = effects.named_effects(example())[0]

    payoff, source = (group.rows[0] for group in table.groups)

    assert (payoff[0].tags, source[0].tags) == (("primary",), ())
    assert source[headings(table).index("Interaction")] == Entry("0.210", ("resnet50",))


def test_single_models_stand_apart_with_interval_and_spread() -> None:
    table = single_models(example(), "classification")

    found = dict(zip(headings(table)[1:], entries(table, TRANSFER), strict=True))

    assert grouped(table) == ["External, pooled", "Reserve"]
    assert table.groups[0].heading == Entry("External, pooled", ("n+\u00a060, n−\u00a090, prevalence 0.400",))
    assert [found[name].text for name in ("Mean AUC", "95% interval")] == ["0.708", "0.678–0.738"]
    assert [found[name].text for name in ("SD", "SD of folds", "SD of seeds")] == ["0.011", "0.009", "–"]
    assert found["Average precision"] == Entry("0.638", ("0.588–0.688",))
    assert table.columns[3].details == ("cases and folds",)


def test_mixed_intervals_of_single_models_say_what_each_covers() -> None:
    few = pl.when(pl.col("cell") == BEST).then(pl.lit("DeLong, case uncertainty only")).otherwise("single_method")
    frame = changed("performance", few.alias("single_method"))

    table = single_models(example(comparison=replace(comparison(), performance=frame)), "classification")

    assert entries(table, TRANSFER)[2].details == ("cases only",)
    assert entries(table, "resnet50 · none · scratch")[2].details == ("cases and folds",)


def test_planned_pairs_are_decided_with_planned_and_other_tests() -> None:
    table = decisions(example())[0]

    sensitivity, _, ppv, _ = entries(table, "Sensitivity ≥ 0.90")

    assert table.columns[1].details == ("Tango score", "McNemar mid-p")
    assert sensitivity == Entry(
        "+0.100",
        (
            "+0.010 to +0.190",
            "0.850 against 0.750",
            "9 against 3 right alone",
            "p\u00a0=\u00a00.031, adjusted 0.062",
            "exact\u00a00.045, chi2\u00a00.045, corrected\u00a00.045",
        ),
    )
    assert ppv.details[-1] == "Leisenring\u00a00.045, Kosinski\u00a00.045"
    assert "McNemar chi2, continuity-corrected" in table.explanation


def test_decisions_by_thresholds_of_the_test_set_stand_apart_as_optimistic() -> None:
    tables = decisions(example())

    assert [table.caption.split("thresholds of the ")[1] for table in tables[:2]] == [
        "reserve",
        "test set, optimistic",
    ]
    assert tables[-1].caption.startswith("Paired decisions: Reserve")
    assert tables[-1].caption.endswith("thresholds of the reserve, optimistic")


def test_pairs_that_were_not_planned_are_decided_in_the_csv_only() -> None:
    headed = grouped(decisions(example())[0])

    assert headed == [TRANSFER, TRANSFER]


def test_a_contrast_without_an_estimate_is_a_row_of_dashes_with_its_reason() -> None:
    names = ("difference", "low", "high", "p", "p_adjusted", "auc_first", "auc_second", "aggregate_difference")
    lost = changed("effects", *(pl.lit(nan).alias(name) for name in names), pl.lit("no shared images").alias("flag"))

    table = effects.primary(example(comparison=replace(comparison(), effects=lost)))

    assert [entry.text for entry in table.groups[0].rows[0][1:]] == ["–"] * 5
    assert table.explanation.endswith("All rows: no shared images.")


def test_without_planned_pairs_there_is_no_table_of_decisions() -> None:
    unplanned = comparison().decisions.filter(pl.col("family") == "all pairs")

    assert decisions(example(comparison=replace(comparison(), decisions=unplanned))) == []


def test_folds_are_named_where_they_are_fewer_than_the_replicates() -> None:
    folds = changed("effects", pl.lit(6).alias("replicates"))

    table = effects.primary(example(comparison=replace(comparison(), effects=folds)))

    assert entries(table, TRANSFER)[1].details[0] == "over cases and 3 folds of 6 replicates"


def test_a_flag_that_every_contrast_has_stands_once_below_the_table() -> None:
    flagged = changed("effects", pl.lit("fewer than 5 folds").alias("flag"))

    table = effects.primary(example(comparison=replace(comparison(), effects=flagged)))

    assert table.explanation.endswith("All rows: fewer than 5 folds.")
    assert table.notes == ()


def test_carried_thresholds_from_different_places_share_a_table_and_are_named_in_its_rows() -> None:
    mixed = pl.when(pl.col("source") == "test").then("source").otherwise(pl.lit("reserve vs fold thresholds"))
    some = pl.when(pl.col("rule") == "youden").then(mixed).otherwise("source")
    frame = changed("decisions", some.alias("source"))

    carried, on_test, *_ = decisions(example(comparison=replace(comparison(), decisions=frame)))

    assert carried.caption.endswith("carried thresholds")
    assert [row[0].details for row in carried.groups[0].rows] == [
        ("threshold: reserve",),
        ("threshold: reserve vs folds, by majority",),
    ]
    assert on_test.caption.endswith("thresholds of the test set, optimistic")


def test_what_is_wrong_with_a_decision_is_a_footnote() -> None:
    flagged = changed("decisions", pl.lit("fewer than 5 such calls by a cell").alias("flag"))

    table = decisions(example(comparison=replace(comparison(), decisions=flagged)))[0]

    assert table.notes == (("a", "fewer than 5 such calls by a cell"),)
