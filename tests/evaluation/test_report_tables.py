"""Frames become display tables without losing what a reader must know."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from evaluation.report.context import SCHEMAS
from evaluation.report.display import Entry, Table
from evaluation.report.tables import contrasts, discrimination
from evaluation.report.tables import study as tables
from evaluation.report.tables.operating_points import operating_points
from tests.evaluation.report_example import example, frame


def rows(table: Table) -> dict[str, list[Entry]]:
    return {row[0].text: list(row[1:]) for group in table.groups for row in group.rows}


def headings(table: Table) -> list[str]:
    return [column.text for column in table.columns]


def test_a_frame_without_a_column_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'failures' lacks \\['blocked'\\]"):
        example(failures=pl.DataFrame(schema=SCHEMAS["failures"]).drop("blocked"))


def test_aucs_stand_under_their_place_with_class_counts_above() -> None:
    table = discrimination.discrimination(example(), "classification")

    assert headings(table) == ["Cell", "External, pooled", "External, stratified", "center_b", "center_c", "Reserve"]
    assert [column.details for column in table.columns[1:4]] == [
        ("n+\u00a060, n−\u00a090",),
        ("n+\u00a060, n−\u00a090",),
        ("n+\u00a025, n−\u00a040",),
    ]
    assert rows(table)["resnet50 · radimagenet · transfer"][0].text == "0.738 (0.714–0.762)"


def test_an_auc_that_cannot_be_estimated_shows_a_dash_with_its_reason() -> None:
    table = discrimination.discrimination(example(), "classification")

    entry = rows(table)["resnet50 · none · scratch"][2]

    assert (entry.text, entry.mark) == ("–", "a")
    assert entry.title.startswith("one class")
    assert table.notes == (("a", "one class"),)


def test_the_naive_interval_stands_beside_a_clustered_one() -> None:
    table = discrimination.discrimination(example(), "detection")

    pooled, stratified, *_ = rows(table)["yolov5n · chest · transfer"]

    assert pooled.details == ("naive 0.934–0.974", "single models 0.924 ± 0.011")
    assert stratified.details == ()


def test_the_only_external_center_is_called_by_its_name() -> None:
    study = example()
    cohort = study.cohort.filter(pl.col("center") != "center_c")
    only = study.seen.performance.filter(~pl.col("center").is_in(["center_c", "stratified"]))

    table = discrimination.discrimination(
        example(cohort=cohort, comparison=replace(study.comparison, performance=only)), "classification"
    )

    assert headings(table) == ["Cell", "center_b", "Reserve"]


def test_a_matrix_entry_is_row_minus_column_in_both_triangles() -> None:
    matrix = contrasts.matrices(example())[0]
    below, above = (
        rows(matrix)["2\u2002resnet50 · imagenet · transfer"][0],
        rows(matrix)["1\u2002resnet50 · radimagenet · transfer"][1],
    )

    assert (above.text, above.details) == ("+0.069", ("+0.041 to +0.097", "p\u00a0<\u00a00.001"))
    assert (below.text, below.details) == ("−0.069", ("−0.097 to −0.041", "p\u00a0<\u00a00.001"))
    assert (above.tone, below.tone) == ("higher", "lower")


def test_a_pair_without_shared_images_is_a_dash_with_a_footnote() -> None:
    matrix = contrasts.matrices(example())[0]

    entry = rows(matrix)["3\u2002inception_v3 · imagenet · transfer"][3]

    assert (entry.text, entry.mark, entry.tone) == ("–", "a", "")
    assert matrix.notes == (("a", "no shared images"),)


def test_arms_are_compared_in_a_matrix_of_their_own() -> None:
    captions = [table.caption.split(":")[0] for table in contrasts.matrices(example())]

    assert captions == [
        "classification",
        "detection",
        "classification vs radiomics",
        "classification vs detection",
        "radiomics vs detection",
    ]


def test_a_note_on_every_pair_stands_once_below_the_matrix() -> None:
    found = example().comparison
    noted = found.contrasts.with_columns(note=pl.lit("150 shared images; box given against box not given"))

    matrix = contrasts.matrices(example(comparison=replace(found, contrasts=noted)))[-1]

    assert matrix.explanation == "150 shared images; box given against box not given."
    assert {entry.mark for row in matrix.groups[0].rows for entry in row} == {""}


def test_the_aggregates_of_planned_pairs_print_both_aucs_and_holm() -> None:
    table = contrasts.aggregate_contrasts(example())

    entries = rows(table)["resnet50 · radimagenet · transfer"]

    assert table.caption.startswith("Secondary")
    assert headings(table)[-2:] == ["p, Holm", "Method"]

    assert [entry.text for entry in entries] == [
        "60 / 90",
        "0.738",
        "0.677",
        "+0.061",
        "+0.033 to +0.089",
        "4.27",
        "<0.001",
        "<0.001",
        "DeLong",
    ]


def test_carried_thresholds_stand_before_optimistic_ones() -> None:
    table = operating_points(example(), "classification")[0]

    first, second = table.groups[0].rows[:2]

    assert [entry.text for entry in first[:7]] == ["Sensitivity ≥ 0.90", "0.4137", "reserve", "54", "23", "6", "67"]
    assert first[9] == Entry("0.701", ("0.586–0.800",))
    assert first[11] == Entry("3.52", ("2.47–5.03",))
    assert (first[2].tags, second[2].tags) == ((), ("optimistic",))
    assert second[2].text == "test set"


def test_a_threshold_shown_on_the_patients_that_chose_it_is_optimistic() -> None:
    reserve = operating_points(example(), "classification")[-1]

    assert reserve.caption == "Operating points: Reserve"
    assert all(row[2].tags == ("optimistic",) for group in reserve.groups for row in group.rows)


def test_thresholds_of_single_models_are_named_instead_of_printed() -> None:
    study = example()
    voted = study.comparison.operating_points.with_columns(
        source=pl.lit("fold thresholds"), threshold=pl.lit(float("nan"))
    )

    table = operating_points(example(comparison=replace(study.comparison, operating_points=voted)), "radiomics")[0]

    assert [entry.text for entry in table.groups[0].rows[0][1:3]] == ["one each", "folds, by majority"]


def test_a_threshold_that_calls_nobody_positive_is_infinite() -> None:
    table = operating_points(example(), "radiomics")[0]

    assert rows(table)["Specificity ≥ 0.90"][0].text == "∞"


def test_the_cohort_has_a_column_per_label() -> None:
    table = tables.cohort(example())

    assert headings(table) == ["Center", "Role", "Patients", "Images", "Boxes", "malignant", "benign"]
    assert rows(table)["center_b"][4] == Entry("25", ("36 images, 29 boxes",))


def test_pretraining_cost_has_its_own_column() -> None:
    table = tables.budgets(example())

    costs = rows(table)["yolov5n · chest · transfer"]

    assert [entry.text for entry in costs] == [
        "2/3",
        "16 × 20",
        "50",
        "90 min",
        "16 min",
        "lr=0.0021, weight_decay=0.01",
    ]


def test_of_a_traceback_the_last_line_is_shown() -> None:
    trace = 'Traceback (most recent call last):\n  File "fit.py", line 3\nRuntimeError: out of memory\n'

    table = tables.failures(example(failures=frame("failures", ("k", "c", "fit", trace, 0))))

    assert table.groups[0].rows[0][3] == Entry("RuntimeError: out of memory", ("in full in the CSV",))


def test_long_errors_are_cut_and_point_to_the_csv() -> None:
    table = tables.failures(example(failures=frame("failures", ("k" * 40, "c", "fit", "x" * 900, 0))))

    job, error = table.groups[0].rows[0][0], table.groups[0].rows[0][3]

    assert (job.text, job.title) == ("k" * 12, "k" * 40)
    assert len(error.text) < 250
    assert error.details == ("in full in the CSV",)
