"""Calibration, net benefit, boxes, stability, centers and subgroups become display tables."""

from __future__ import annotations

from evaluation.report.display import Entry
from evaluation.report.tables import centers, effects
from evaluation.report.tables.calibration import calibration
from evaluation.report.tables.decisions import decisions
from evaluation.report.tables.localization import localization
from evaluation.report.tables.net_benefit import net_benefit
from evaluation.report.tables.stability import stability
from evaluation.report.tables.stability_tests import stability_effects, stability_pairs
from evaluation.report.tables.subgroups import subgroups
from tests.evaluation.report_cells import BEST
from tests.evaluation.report_example import example, no_comparison
from tests.evaluation.report_page import entries, grouped, headings

TRANSFER = "resnet50 · radimagenet · transfer"


def test_calibration_stands_side_by_side_with_recalibration() -> None:
    table = calibration(example(), "classification")[0]

    raw, platt, isotonic = table.groups[0].rows

    assert [row[0].text for row in (raw, platt, isotonic)] == ["as predicted", "after Platt", "after isotonic"]
    assert raw[1] == Entry("0.210", ("scaled 0.120",), title="Spiegelhalter's z –, p\u00a0=\u00a0–")
    assert raw[2] == Entry("1.200", ("−0.100 to 1.500",))
    assert raw[3] == Entry("−0.400", ("−0.700 to −0.100",))
    assert isotonic[2] == Entry("–")
    assert "loess span .75" in table.explanation


def test_cells_share_a_footnote_that_differs_in_its_count_only() -> None:
    table = calibration(example(), "classification")[0]

    assert table.notes == (("a", "infinite logits"),)
    assert table.groups[0].rows[2][0].title == f"infinite logits: {len(BEST)}"


def test_images_at_the_confidence_floor_are_counted_where_there_are_any() -> None:
    detectors, classifiers = (calibration(example(), arm)[0] for arm in ("detection", "classification"))

    assert detectors.groups[0].rows[0][-1] == Entry("4", ("0.950, 0.100",))
    assert "At the floor" not in headings(classifiers)


def test_net_benefit_has_a_column_per_risk_and_a_group_per_recalibration() -> None:
    table = net_benefit(example())[0]

    assert headings(table) == ["First against second", "From a risk of 10%", "From a risk of 12.5%"]
    assert grouped(table) == [
        "Risks as predicted",
        "Risks after Platt",
    ]
    assert entries(table, TRANSFER)[0] == Entry("+0.010", ("−0.010 to +0.030", "0.350 against 0.340"))


def test_centers_are_pooled_by_reml_with_hartung_and_knapp_on_the_logit_scale() -> None:
    table = centers.areas_over_centers(example())

    found = dict(zip(headings(table)[1:], entries(table, TRANSFER), strict=True))

    assert found["AUC over centers"].title == "random effects (REML), Hartung-Knapp, logit scale"
    assert [found[name].text for name in ("τ", "I²", "Q")] == ["0.020", "8.1%", "1.08"]
    assert found["Without center_b"] == Entry("0.700", ("0.600–0.800",), title="one center")
    assert len(table.groups[0].rows) == 4
    assert "the interval may be narrower than that of any of them; then go by the normal one" in table.explanation


def test_contrasts_over_centers_have_signs() -> None:
    table = centers.differences_over_centers(example())

    assert grouped(table) == [
        "classification: payoff",
        "classification: planned pairs",
    ]
    assert entries(table, "radimagenet · transfer")[0].details == ("−0.050 to +0.150",)


def test_the_center_probe_prints_chance_beside_its_accuracy() -> None:
    table = centers.center_probe(example())

    assert [entry.text for entry in entries(table, TRANSFER)] == ["2", "150", "0.610", "0.010", "0.580", "0.500"]


def test_subgroups_are_columns_in_the_order_of_their_bounds() -> None:
    age, sex = subgroups(example(), "classification")

    assert headings(age) == ["Cell", "under 20 years", "20 to under 40 years", "60 years and over", "Interaction"]
    assert headings(sex) == ["Cell", "female", "male", "Interaction"]
    assert age.columns[2].details == ("n+\u00a030, n−\u00a045",)


def test_small_subgroups_are_suppressed_with_their_reason() -> None:
    suppressed, measured, *_ = entries(subgroups(example(), "classification")[0], TRANSFER)

    assert (suppressed.text, suppressed.details) == ("suppressed", ())
    assert suppressed.title.startswith("suppressed: fewer than 10")
    assert measured.text == "0.700 (0.600–0.800)"
    assert measured.details == ("sensitivity 0.900 (0.800–0.950)", "specificity 0.500 (0.400–0.600)")


def test_localization_prints_the_spread_over_replicates_and_an_error_over_cases() -> None:
    table = localization(example(), "detection")[0]

    found = dict(zip(headings(table)[1:], entries(table, "yolov5n · chest · transfer"), strict=True))

    assert table.caption == "Localization: External, pooled, 150 images, 70 lesions, 90 images without any"
    assert found["mAP50"] == Entry("0.610", ("± 0.020",))
    assert found["Sens. at ¼"] == Entry("0.550")
    assert found["wAFROC"] == Entry("0.700", ("SE 0.030",))


def test_stability_has_a_group_per_perturbation_at_pooled_places_and_counts_its_images() -> None:
    tables = stability(example(), "classification")

    assert [table.caption for table in tables] == [
        "Stability: External, pooled, 150 of 900 images",
        "Stability: Reserve, 150 of 900 images",
    ]
    assert [group.heading for group in tables[0].groups] == [
        Entry("noise 0.1", ("3 random draws",)),
        Entry("shift 0.1", ("boxes moved by 10% of their width and height, 3 random directions",)),
    ]
    found = dict(zip(headings(tables[0])[1:], entries(tables[0], TRANSFER), strict=True))
    assert found["Images"] == Entry("150", ("60 / 90",))
    assert found["Calls turned"] == Entry("5%", ("3%, 6%",))


def test_stability_by_pretraining_comes_first_and_for_what_was_planned_under_every_perturbation() -> None:
    table = stability_effects(example())

    rows = {group.heading.details[0]: [row[0].text for row in group.rows] for group in table.groups[:3]}
    assert rows == {
        "mean over the perturbations": ["radimagenet", "imagenet · transfer"],
        "noise 0.1": ["radimagenet"],
        "shift 0.1": ["radimagenet"],
    }
    entry = dict(zip(headings(table), table.groups[0].rows[0], strict=True))
    assert (entry["First"].text, entry["First"].details) == ("0.040", ("0.31",))
    assert entry["p, in SD"] == Entry("0.020", ("points the other way",), sort=0.02)
    source, payoff = (row[0] for row in table.groups[0].rows)
    assert (source.details[0], source.tags) == ("against imagenet", ("planned",))
    assert (payoff.details[-1], payoff.tags) == ("without inception_v3", ())
    assert "the models are taken as they are" in table.explanation


def test_of_all_pairs_the_planned_ones_are_compared_in_stability() -> None:
    table = stability_pairs(example())

    assert [group.heading for group in table.groups[:2]] == [
        Entry("External, pooled", ("mean over the perturbations",)),
        Entry("External, pooled", ("noise 0.1",)),
    ]
    assert {row[0].text for group in table.groups for row in group.rows} == {TRANSFER}


def test_without_results_every_table_is_empty_and_says_why() -> None:
    context = example(comparison=no_comparison())

    whole = (
        *(effects.primary(context), centers.areas_over_centers(context), centers.differences_over_centers(context)),
        *(centers.center_probe(context), stability_effects(context), stability_pairs(context)),
    )

    assert all(table.is_empty and table.empty for table in whole)
    assert not any(make(context) for make in (effects.named_effects, decisions, net_benefit))
    assert not any(make(context, "classification") for make in (calibration, subgroups, localization, stability))
