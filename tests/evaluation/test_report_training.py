"""What the report says of trainings: certificates, tuning histories and radiomics."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from evaluation.report import write_report
from evaluation.report.context import SCHEMAS
from evaluation.report.figures import learning_rates
from evaluation.report.summary import summarize
from evaluation.report.tables import certificates, radiomics, tuning
from evaluation.report.tables.study import budgets
from tests.evaluation import report_training
from tests.evaluation.report_cells import BEST
from tests.evaluation.report_example import example, unstarted
from tests.evaluation.report_page import Page, entries, grouped, headings

ROW = "resnet50 · radimagenet · transfer"


def certified(**changes: object) -> list:
    row = report_training.certificate(**changes)
    context = example(certificates=pl.DataFrame([row], schema=SCHEMAS["certificates"]))
    return entries(certificates.certificates(context), ROW)


def test_a_certificate_says_what_was_loaded_how_it_was_trained_and_what_was_proven() -> None:
    init, source, loaded, parameters, trained, checked, license_entry = certified()

    assert (init.text, init.details) == ("transfer", ("3 replicates",))
    assert (source.text, source.details[0], source.details[1]) == ("radimagenet", "ResNet50.pt", "ab12ab12ab12")
    assert (loaded.text, loaded.details) == ("318", ("share 0.994", "1 reshaped", "2 missing"))
    assert (parameters.text, parameters.details) == ("2049000", ())
    assert (trained.text, trained.details[0]) == ("AdamW", "rate 0.0021, decay 0.01")
    assert trained.details[1:] == ("pixels: cuda:0", "bfloat16, channels last")
    assert (checked.text, checked.details) == ("rate read back", ("trained weights moved",))
    assert (license_entry.text, license_entry.details) == ("on request", ("commercial: unknown",))


def test_what_a_certificate_does_not_prove_is_marked() -> None:
    checked = certified(unproven="frozen bytes equal")[5]

    assert (checked.text, checked.tone) == ("not proven: frozen bytes equal", "caution")


def test_a_forbidden_commercial_use_and_exhausted_memory_are_marked() -> None:
    *_, trained, _, license_entry = certified(commercial_use="no", out_of_memory=2)

    assert trained.details[-1] == "out of memory 2 times, went on in smaller parts"
    assert (trained.tone, license_entry.tone) == ("caution", "caution")


@pytest.mark.slow
def test_contradictions_stand_on_top_of_the_report(tmp_path: Path) -> None:
    path = write_report(example(findings=report_training.finding()), tmp_path)

    page = Page(path.read_text(encoding="utf-8"))
    assert "alert" in page.attributes("role")
    assert page.text.index(report_training.SENTENCE) < page.text.index("Developed on")
    assert page.text.count(report_training.SENTENCE) == 2
    assert "#findings" in page.attributes("href")


@pytest.mark.slow
def test_a_sound_study_has_no_alarm(tmp_path: Path) -> None:
    page = Page(write_report(example(), tmp_path).read_text(encoding="utf-8"))

    assert "alert" not in page.attributes("role")
    assert "None: no two jobs trained alike" in page.text


def test_of_many_contradictions_the_first_are_told_and_the_rest_counted() -> None:
    many = pl.concat([report_training.finding()] * 7)

    assert summarize(example(findings=many)).alarms[-1] == "2 more findings of this kind."


def test_the_choice_of_each_cell_stands_with_its_budget() -> None:
    table = tuning.choices(example())

    assert grouped(table) == ["classification, box given", "radiomics, box given", "detection, box not given"]
    shown = [entry.text for entry in entries(table, ROW)]
    assert shown == ["16 × 20", "14", "2", "0", "290", "3", "0.810", "learning_rate 0.0021"]
    assert entries(table, ROW)[4].details == ("of 320",)


def test_an_optimum_near_a_bound_is_flagged_in_its_row_and_on_the_first_screen() -> None:
    table = tuning.choices(example())

    choice = entries(table, "resnet50 · none · scratch")[-1]

    assert (choice.tone, choice.details) == ("caution", ("weight_decay 0.01", "near its bound: learning_rate"))
    assert table.notes[0][1].startswith("learning_rate: within 5% of a bound")
    assert ("1 cell chose a hyperparameter near a bound of its range", "tuning-choices") in summarize(
        example()
    ).attention


def test_every_trial_is_listed_with_what_it_tried_and_how_it_ended() -> None:
    first, _ = tuning.trials(example(), "classification")

    assert first.caption == f"Trials: {ROW}"
    assert headings(first) == ["Trial", "Ended", "Value", "Epochs", "learning rate", "schedule"]
    rows = [[entry.text for entry in row] for row in first.groups[0].rows]
    assert rows == [
        ["0", "finished", "0.710", "20", "0.1", "linear"],
        ["1", "finished", "0.810", "20", "0.01", "cosine"],
        ["2", "pruned", "0.550", "5", "0.001", "cosine"],
        ["3", "failed", "–", "0", "0.0001", "cosine"],
    ]
    assert [row[0].tags for row in first.groups[0].rows] == [(), ("chosen",), (), ()]


def test_learning_rates_are_drawn_by_init_on_one_logarithmic_axis_wider_than_the_range() -> None:
    figure = learning_rates.rates(example(), "classification")

    assert figure is not None
    drawn = json.loads(figure.json)
    assert [trace["name"] for trace in drawn["data"][::2]] == ["transfer", "scratch"]
    points = drawn["data"][1]
    assert points["x"] == pytest.approx([0.1, 0.01, 0.001])  # the failed trial has no value
    assert points["marker"]["symbol"] == ["circle", "star", "circle-open"]
    assert points["legendgroup"] == "transfer"
    assert drawn["layout"]["xaxis"]["type"] == "log"
    low, high = drawn["layout"]["xaxis"]["range"]
    assert low < -5
    assert high > -1
    assert [shape["x0"] for shape in drawn["layout"]["shapes"]] == [1e-5, 1e-1]


def test_an_arm_without_trials_has_no_history() -> None:
    assert learning_rates.rates(example(), "radiomics") is None
    assert tuning.trials(example(), "radiomics") == []
    assert tuning.choices(unstarted()).is_empty


def test_the_budget_counts_trials_times_epochs_and_what_became_of_them() -> None:
    tuned = entries(budgets(example()), ROW)[1]

    assert (tuned.text, tuned.details) == ("16 × 20", ("14 finished, 2 pruned", "290 of 320 epochs"))
    assert entries(budgets(example()), "elasticnet · none · scratch", group=1)[1].text == "–"


def test_selected_features_stand_with_how_often_and_how_strongly() -> None:
    table = radiomics.coefficients(example())

    assert [entry.text for entry in entries(table, "cm_contrast")] == ["2/2", "2", "+0.410", "0.300–0.520"]
    assert [entry.text for entry in entries(table, "stat_mean")] == ["1/2", "2", "−0.200", "−0.200 to −0.200"]
    assert len(table.groups[0].rows) == 2  # a feature that was never selected is in the CSV only


def test_of_many_selected_features_the_first_are_shown_and_the_rest_counted() -> None:
    rows = [{**report_training.coefficients()[0], "feature": f"feature {number}"} for number in range(25)]

    table = radiomics.coefficients(example(coefficients=pl.DataFrame(rows, schema=SCHEMAS["coefficients"])))

    assert len(table.groups[0].rows) == radiomics.MOST_FEATURES
    assert table.groups[0].heading is not None
    assert table.groups[0].heading.details == ("5 more in the CSV",)


def test_a_choice_at_the_bound_of_its_grid_is_flagged_per_replicate() -> None:
    table = radiomics.elastic_nets(example())

    assert [entry.text for entry in entries(table, "fold 0, seed 0")[:4]] == ["0.1", "0.5", "0.710", "0.680"]
    at_bound = entries(table, "fold 1, seed 0")[0]
    assert (at_bound.text, at_bound.details, at_bound.tone) == ("1", ("at its bound",), "caution")


def test_hyperparameters_are_columns_of_the_csv_of_trials(tmp_path: Path) -> None:
    write_report(example(), tmp_path)

    table = pl.read_csv(tmp_path / "tables" / "trials.csv")

    assert table.filter(pl.col("cell") == BEST)["learning_rate"].to_list() == pytest.approx([0.1, 0.01, 1e-3, 1e-4])
