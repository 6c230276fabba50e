"""The methods say what the plan says, change with it, and name what they do not know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.paper.methods import Subject, methods
from orchestrator.paper.references import bibliography
from orchestrator.paper.statement import availability, statement
from orchestrator.paper.words import NEEDS_INPUT, cited
from tests.evaluation.report_example import example
from tests.orchestrator.paper.subjects import ARM, subject


def text_of(of: Subject) -> str:
    return "\n".join(part.text for part in methods(of))


def test_the_methods_name_centers_split_budget_lock_and_software():
    text = text_of(subject())

    for fact in (
        "developed on 1 center (center_a) and tested on 2 other centers (center_b and center_c)",
        "malignant against benign",
        "the box of the lesion with a margin of 20% on every side",
        "dealt into 5 folds",
        "A reserve of 20%",
        "8 trials of 20 epochs for every cell alike",
        "15 replicates per cell (5 folds × 3 seeds), each trained for at most 50 epochs",
        "imagenet against chest",
        "the method of Holm",
        "locked on 2026-03-01 09:00 (plan hash c0ffee)",
        "opened on 2026-03-03 21:14",
        "torch 2.15.0",
        "commit 0123abc",
    ):
        assert fact in text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"split": {"kind": "holdout", "validation": 0.15, "reserve": 0.1}}, "15% were held out for validation, once"),
        ({"split": {"kind": "kfold", "folds": 3, "reserve": 0}}, "No reserve was set aside."),
        ({"analysis": {"adjust": "bh"}}, "Benjamini-Hochberg [@benjamini1995]"),
        ({"analysis": {"mcnemar": "corrected"}}, "continuity-corrected chi-squared"),
        ({"analysis": {"thresholds": [{"specificity": 0.8}]}}, "a specificity of at least 0.8."),
        ({"analysis": {"primary": {"margin": 0.05}}}, "margin of 0.05 on the AUC"),
        ({"arm": {"region": "image"}}, "on the whole radiograph"),
        ({"arm": {"tune": {"trials": 0}}}, "hyperparameters were not tuned"),
        (
            {"arm": {"tune": {"trials": 8, "epochs": 20, "rungs": [5]}}},
            "After epochs 5 the best 50% of a batch went on",
        ),
        ({"arm": {"fit": {"patience": 7}}}, "stopped after 7 epochs without a better validation value"),
        ({"arm": {"robustness": {"shift": [0.1, 0.2]}}}, "shift by 0.1 and 0.2; 3 draws of each shift"),
        ({"arm": {"saliency": True}}, "Grad-CAM [@selvaraju2017] of at most 100 images per center"),
        ({"cohort": {"data": "d", "development": ["a"]}}, "no external center is named"),
        ({"preprocessing": {"size": 1024}}, "at most 1024 pixels"),
    ],
)
def test_another_plan_gives_another_sentence_which_the_first_lacks(change: dict[str, Any], told: str):
    assert told in text_of(subject(**change))
    assert told not in text_of(subject())


def test_images_are_not_called_patients_where_intervals_take_them_as_independent():
    text = text_of(subject())

    assert "predictive values are of images" in text
    assert "The unit of analysis is the patient" not in text


def test_heterogeneity_and_recalibration_are_methods_only_where_something_was_summarized():
    found = example().comparison
    without = replace(found, heterogeneity=found.heterogeneity.clear(), calibration=found.calibration.clear())
    facts = {part.key: part.facts for part in methods(subject(facts={"comparison": without}))}
    whole = {part.key: part.facts for part in methods(subject())}

    assert "Hartung and Knapp" in whole["heterogeneity"]
    assert "isotonic recalibration" in whole["calibration"]
    assert facts["heterogeneity"] == facts["calibration"] == ""  # so that checklists do not call these items filled
    assert facts["secondary"]


def test_a_source_is_told_with_what_is_known_of_it_and_a_gap_for_the_rest():
    text = text_of(subject())

    assert "imagenet: published weights, modality photographs, anatomy natural objects" in text
    assert "chest: pretrained within this study (modality radiograph, anatomy chest, " in text
    assert f"[{NEEDS_INPUT}: license of chest]" in text


def test_a_source_that_no_grid_names_is_not_in_the_methods():
    grid = {**ARM["grid"], "pretraining": ["none"], "init": ["scratch"]}

    text = text_of(subject(arm={"grid": grid}, analysis={}))

    assert "imagenet" not in text
    assert "frozen" not in text
    assert "pretrained within this study" not in text


def test_what_the_plan_lacks_is_a_gap_and_never_a_claim():
    text = text_of(subject())

    for unknown in ("ethics approval", "how labels were established", "who drew the boxes", "registration"):
        assert any(unknown in part for part in text.split("[")[1:] if part.startswith(NEEDS_INPUT))
    assert "Grad-CAM" not in text
    assert "perturbed" not in text
    assert "mirp" not in text.replace("mirp 2", "")


def test_a_sealed_study_says_that_external_centers_are_not_opened():
    text = text_of(subject(facts={"external_open": False, "external_waiting": "1 of 6"}))

    assert "External centers not opened" in text
    assert "opened on" not in text


def test_synthetic_radiographs_are_called_so():
    cohort = {"data": "data", "development": ["center_a"], "phantom": {}}

    assert "All radiographs are synthetic" in text_of(subject(cohort=cohort))
    assert "synthetic" not in text_of(subject())


def test_only_references_that_the_text_cites_are_listed_and_all_of_them():
    text = text_of(subject())
    listed = bibliography([text])

    assert "{holm1979," in listed
    assert "hommel1988" not in listed
    assert listed.count("\n@") + 1 == len(cited([text]))


def test_every_reference_that_any_plan_can_cite_is_known():
    arms = [
        {**ARM, "saliency": True, "robustness": {"shift": [0.1]}, "tune": {"trials": 4, "epochs": 9, "rungs": [3]}},
        {**ARM, "name": "late", "grid": {**ARM["grid"], "init": ["scratch", "probe_then_transfer"]}},
        {"task": "detection", "labels": ARM["labels"], "grid": {**ARM["grid"], "backbone": ["yolov5n"]}},
        {"task": "radiomics", "labels": ARM["labels"]},
    ]
    for adjust in ("holm", "hommel", "bh"):
        for mcnemar in ("mid-p", "exact", "chi2", "corrected"):
            analysis = {"adjust": adjust, "mcnemar": mcnemar, "primary": {"margin": 0.05}}
            assert bibliography([text_of(subject(arms=arms, analysis=analysis))])


def test_the_statement_holds_fingerprints_hashes_and_licenses_and_names_gaps():
    of = subject()
    part = availability(of.context)

    text = statement(of.context, {"center_a": {"images": "aa11", "labels": "bb22"}}, part)

    assert "| center_a | `aa11` | `bb22` |  |" in text
    assert f"[{NEEDS_INPUT}: address of the code]" in text
    assert "AGPL-3.0-or-later" in text
    used = of.context.certificates.filter(of.context.certificates["sha256"] != "")
    assert used.height
    assert all(f"`{sha256}`" in text for sha256 in used["sha256"].to_list())
