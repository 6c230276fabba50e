from __future__ import annotations

from dataclasses import replace

import pytest

from infra.privacy import as_words, check_datasets, check_metrics, check_params, check_tags, check_text, exception_type
from infra.records import CellRecord, DatasetRecord, JobRecord, PrivacyError, StudyRecord
from infra.runs import runs_of


def test_listed_keys_with_plain_values_may_be_logged() -> None:
    check_params({"backbone": "resnet10t", "learning_rate": "1e-05"})
    check_tags({"cell": "classification/resnet10t-none-scratch", "replicates": "7/15", "error": ""})
    check_metrics({"external/auc_ci_low": 0.7, "center_b/sensitivity_at_sensitivity_0.9": 0.8})
    check_text("note", "AUC 0.7 (external/auc), see https://example.org/a/b and 10.1000/182; yes/no")
    with pytest.raises(PrivacyError):
        check_text("note", "AUC 0.7, see /data/hospital/4711.dcm")


@pytest.mark.parametrize("name", ["patient_id", "file", "PatientName"])
def test_unknown_keys_are_refused(name: str) -> None:
    with pytest.raises(PrivacyError, match=name):
        check_params({name: "1"})
    with pytest.raises(PrivacyError, match=name):
        check_tags({name: "1"})


@pytest.mark.parametrize("value", ["/data/doe", "data/doe.dcm", r"C:\doe", "~/x", "../x", "DOE^JOHN", "two words"])
def test_values_like_paths_or_names_are_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(PrivacyError, match="backbone") as raised:
        check_params({"backbone": value})
    assert value not in str(raised.value)
    with pytest.raises(PrivacyError, match="commit"):
        check_tags({"commit": value})


@pytest.mark.parametrize(
    "text", ["see /data/doe/1.dcm", r"C:\doe\1.dcm", "~/doe", r"\\server\doe", "file:/x", "../x/y"]
)
def test_notes_with_paths_are_refused(text: str) -> None:
    with pytest.raises(PrivacyError, match="note of study"):
        check_text("note of study", text)


@pytest.mark.parametrize("name", ["/data/doe", "a/b/c/d", "auc of doe", ""])
def test_metrics_are_words_joined_by_slashes(name: str) -> None:
    with pytest.raises(PrivacyError):
        check_metrics({name: 1.0})


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("ValueError: /data/doe/1.dcm is bad", "ValueError"),
        ("Traceback (most recent call last):\n  File '/x/y.py'\nray.exceptions.OutOfMemoryError", "OutOfMemoryError"),
        ("weights/chest/resnet10t.safetensors: the file is missing", "unnamed"),
        ("Doe: bad image", "unnamed"),
    ],
)
def test_of_an_error_only_the_type_is_kept(error: str, expected: str) -> None:
    assert exception_type(error) == expected


@pytest.mark.parametrize("init", ["scratch", "transfer", "frozen", "partial_2", "probe_then_transfer"])
def test_cells_of_every_init_may_be_logged(init: str) -> None:
    cell = f"classification/resnet50-radimagenet-{init}"

    check_tags({"cell": cell})
    with pytest.raises(PrivacyError, match="'cell' holds a value"):
        check_tags({"cell": f"/data/{cell} of Doe"})


def test_a_license_is_logged_without_the_signs_that_no_tag_may_hold() -> None:
    words = as_words("CC BY-NC 4.0 (see https://example.org/terms; the owner's consent)\n")

    assert words == "CC BY-NC 4.0 (see https: example.org terms; the owner s consent)"
    check_tags({"license": words, "commercial_use": "no"})


def test_a_tuned_value_is_a_tag_of_its_own_on_a_cell_and_the_ones_near_a_bound_are_named() -> None:
    tuned = {"learning_rate": 0.09, "schedule": "linear"}
    axes = {"backbone": "resnet50", "pretraining": "none", "init": "scratch", "task": "classification"}
    cell = CellRecord(
        cell="classification/resnet50-none-scratch",
        arm="classification",
        **axes,
        metrics={},
        replicates_published=0,
        replicates_planned=1,
        tuned=tuned,
        near_bound=("learning_rate",),
    )

    _, run = runs_of([], [cell], StudyRecord(study="demo"))
    _, level = runs_of([], [replace(cell, near_bound=())], StudyRecord(study="demo"))
    _, untuned = runs_of([], [replace(cell, tuned={}, near_bound=())], StudyRecord(study="demo"))

    assert (run.tags["tuned_learning_rate"], run.tags["tuned_schedule"]) == ("0.09", "linear")
    assert [one.tags["near_bound"] for one in (run, level, untuned)] == ["learning_rate", "none", ""]
    assert run.params == axes  # params cannot be changed in MLflow, and a cell may be tuned anew


def test_of_a_certificate_only_listed_facts_are_kept() -> None:
    certificate = {
        "source": {"kind": "file", "file": "doe.safetensors", "path": "/data/doe"},
        "tensors_loaded": ["conv1.weight", "bn1.weight"],
        "folder": "/data/doe",
    }
    job = JobRecord(
        key="a1",
        kind="pretrain",
        name="pretrain-resnet10t-chest",
        arm="classification",
        task="classification",
        cell="",
        backbone="resnet10t",
        pretraining="chest",
        init="scratch",
        fold=0,
        seed=0,
        center=None,
        trial=None,
        status="running",
        started_ms=0,
        ended_ms=None,
        certificate=certificate,
    )

    (_, run) = runs_of([job], [], StudyRecord(study="demo"))

    kept = {name: value for name, value in run.tags.items() if name.startswith("certificate_")}
    assert kept == {"certificate_source_kind": "file", "certificate_tensors_loaded": "2"}


def test_a_row_of_a_center_may_name_it_and_a_dataset_only_its_name_and_fingerprint() -> None:
    check_params({"center": "center_b"})
    check_tags({"level": "center", "role": "external", "purpose": "perturbed"})
    used = DatasetRecord(name="center_b", digest="ab12", context="external", images=61)
    check_datasets([used])

    for wrong in (replace(used, name="/data/center_b"), replace(used, digest="doe's films")):
        with pytest.raises(PrivacyError, match="dataset"):
            check_datasets([wrong])
    with pytest.raises(PrivacyError, match="'center'"):
        check_params({"center": "St. Doe hospital"})
