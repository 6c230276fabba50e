"""Whole patients, stratified, the same on every machine."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohorts.roles import roles
from cohorts.splits import assign_folds
from search_spaces.errors import StudyError
from search_spaces.study import Holdout, KFold


def cohort(labels_of_patients, salt=""):
    """One image per label of each patient; patients are named after the salt."""
    rows = [
        (f"a-{patient:04}-{number}", sha256(f"{salt}/{patient}".encode()).hexdigest(), label)
        for patient, labels in enumerate(labels_of_patients)
        for number, label in enumerate(labels)
    ]
    frame = pl.DataFrame(rows, schema=["image", "patient", "label"], orient="row")
    return frame.select("image", "patient"), frame.select("image", "label")


def sizes(folds):
    return Counter(folds["fold"])


def stratum_counts(images, labels, folds):
    """(stratum, fold) -> patients."""
    joined = images.join(labels, on="image").group_by("patient").agg(pl.col("label").unique().sort().str.join("+"))
    return Counter(joined.join(folds, on="patient").select("label", "fold").rows())


cohorts = st.lists(
    st.lists(st.sampled_from(["benign", "malignant", "normal"]), min_size=1, max_size=3), min_size=14, max_size=80
)


@settings(max_examples=60, deadline=None)
@given(cohorts, st.integers(2, 5), st.sampled_from([0.0, 0.2, 0.35]), st.integers(0, 3))
@pytest.mark.slow
def test_every_patient_outside_the_reserve_is_validated_exactly_once(labels_of_patients, folds, reserve, seed):
    images, labels = cohort(labels_of_patients)

    assigned = assign_folds(images, labels, KFold(folds=folds, reserve=reserve, seed=seed))

    assert sorted(assigned["patient"]) == sorted(set(images["patient"]))
    assert assigned["fold"].is_in(range(-1, folds)).all()
    assert sizes(assigned)[-1] == np.ceil(len(labels_of_patients) * reserve)


@settings(max_examples=60, deadline=None)
@given(cohorts, st.integers(2, 5), st.integers(0, 3))
@pytest.mark.slow
def test_the_counts_of_a_stratum_differ_by_at_most_one_between_folds(labels_of_patients, folds, seed):
    images, labels = cohort(labels_of_patients)
    assigned = assign_folds(images, labels, KFold(folds=folds, reserve=0, seed=seed))

    counts = stratum_counts(images, labels, assigned)

    if max(Counter("+".join(sorted(set(patient))) for patient in labels_of_patients).values()) >= folds:
        for stratum in {stratum for stratum, _ in counts}:
            spread = [counts[stratum, fold] for fold in range(folds)]
            assert max(spread) - min(spread) <= 1


@settings(max_examples=30, deadline=None)
@given(cohorts, st.sampled_from([0.1, 0.2, 0.5]), st.sampled_from([0.0, 0.2]), st.integers(0, 3))
def test_a_hold_out_trains_validates_and_reserves_each_patient_once(labels_of_patients, validation, reserve, seed):
    images, labels = cohort(labels_of_patients)

    assigned = assign_folds(images, labels, Holdout(kind="holdout", validation=validation, reserve=reserve, seed=seed))

    rest = len(labels_of_patients) - int(np.ceil(len(labels_of_patients) * reserve))
    assert sizes(assigned)[-1] == len(labels_of_patients) - rest
    assert sizes(assigned)[0] == np.ceil(rest * validation)
    assert set(roles(assigned, 0)["role"]) <= {"train", "validation", "reserve"}


def test_the_reserve_holds_each_label_in_proportion():
    images, labels = cohort([["benign"]] * 60 + [["malignant"]] * 40)

    counts = stratum_counts(images, labels, assign_folds(images, labels, KFold(folds=5, reserve=0.2)))

    assert (counts["benign", -1], counts["malignant", -1]) == (12, 8)
    assert sorted(counts["malignant", fold] for fold in range(5)) == [6, 6, 6, 7, 7]


def test_the_split_does_not_depend_on_salt_or_row_order():
    labels_of_patients = [["benign", "benign"], ["malignant"], ["normal", "benign"]] * 12
    images, labels = cohort(labels_of_patients, salt="one")
    others, _ = cohort(labels_of_patients, salt="two")
    split = KFold(folds=4, reserve=0.2, seed=3)

    first = images.join(assign_folds(images, labels, split), on="patient").sort("image")["fold"]
    second = others.join(assign_folds(others.reverse(), labels.reverse(), split), on="patient").sort("image")["fold"]

    assert first.to_list() == second.to_list()


def test_another_seed_gives_another_split():
    images, labels = cohort([["benign"], ["malignant"]] * 20)

    first, second = (assign_folds(images, labels, KFold(seed=seed)) for seed in (0, 1))

    assert not first.equals(second)


def test_rare_labels_are_split_without_complaint():
    images, labels = cohort([["benign"]] * 20 + [["malignant"]] * 7 + [["normal"]] + [["benign", "malignant"]])

    assigned = assign_folds(images, labels, KFold(folds=5, reserve=0.2))

    assert sizes(assigned)[-1] == 6


def test_roles_name_one_fold_s_patients():
    folds = pl.DataFrame({"patient": ["a", "b", "c", "d"], "fold": [0, 1, -1, -2]})

    assert roles(folds, 0).rows() == [("a", "validation"), ("b", "train"), ("c", "reserve"), ("d", "train")]
    assert roles(folds, 1)["role"].to_list() == ["train", "validation", "reserve", "train"]


def test_a_fold_that_does_not_exist_is_refused():
    folds = pl.DataFrame({"patient": ["a", "b"], "fold": [0, 1]})

    with pytest.raises(ValueError, match=r"fold 2; folds are \[0, 1\]"):
        roles(folds, 2)


@pytest.mark.parametrize(
    ("split", "sentence"),
    [
        (
            KFold(folds=5, reserve=0.2),
            "`split`: 5 folds beside a reserve of 0.2 need at least 5 patients outside it, but of 5 labeled "
            "development patients 4 are; lower `folds` or `reserve`, or add patients.",
        ),
        (
            Holdout(kind="holdout", reserve=0.8),
            "`split`: a training and a validation part beside a reserve of 0.8 need at least 2 patients outside it, "
            "but of 5 labeled development patients 1 are; lower `folds` or `reserve`, or add patients.",
        ),
    ],
)
def test_too_few_patients_are_refused(split, sentence):
    images, labels = cohort([["benign"], ["malignant"], ["benign"], ["malignant"], ["benign"]])

    with pytest.raises(StudyError) as caught:
        assign_folds(images, labels, split)
    assert str(caught.value) == sentence
