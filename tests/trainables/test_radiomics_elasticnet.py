"""The ElasticNet model: choice by inner folds, no leakage between them, and its plain numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from search_spaces.errors import StudyError
from trainables.radiomics.elasticnet import DistinctFeatures, Training, inner_splits, pipeline, search
from trainables.radiomics.model import ElasticNetModel, read_model

CHOICE = {"C": 1.0, "l1_ratio": 0.5}


def training(patients: int = 30, *, seed: int = 0, regions: int = 2, features: int = 8) -> Training:
    """Patients with some regions each; the first two features carry the label."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(patients) % 2, regions)
    values = random.normal(size=(len(labels), features))
    values[:, :2] += labels[:, None]
    names = np.repeat([f"patient-{number}" for number in range(patients)], regions)
    return Training(values * 50 + 300, labels.astype(np.int64), names)


def names_of(data: Training) -> list[str]:
    return [f"feature-{number}" for number in range(data.features.shape[1])]


def test_a_copied_feature_is_dropped_and_the_first_one_stays():
    first, second = np.random.default_rng(0).normal(size=(2, 50))

    kept = DistinctFeatures().fit(np.column_stack([first, 3 * first + 1, second, -second])).kept_

    assert kept.tolist() == [0, 2]


def test_a_correlation_of_less_than_nine_tenths_is_kept():
    first, second = np.random.default_rng(0).normal(size=(2, 5000))
    related = 0.85 * first + np.sqrt(1 - 0.85**2) * second  # r = .85

    assert DistinctFeatures().fit(np.column_stack([first, related])).kept_.tolist() == [0, 1]


def test_a_feature_that_varies_by_rounding_only_is_dropped():
    random = np.random.default_rng(0)
    constant = 300 + random.normal(size=40) * 1e-13

    assert DistinctFeatures().fit(np.column_stack([constant, random.normal(size=40)])).kept_.tolist() == [1]


def test_only_constant_features_are_an_error():
    with pytest.raises(StudyError, match="All 3 features are constant over 10 training regions"):
        DistinctFeatures().fit(np.ones((10, 3)))


def test_no_patient_is_on_both_sides_of_an_inner_fold():
    data = training()

    splits = list(inner_splits(data, seed=1))

    assert len(splits) == 5
    assert all(not set(data.patients[left]) & set(data.patients[right]) for left, right in splits)


@pytest.mark.parametrize("leak", ["scale", "filter"])
def test_filter_and_scaling_are_learned_inside_the_inner_folds(leak):
    data = training(patients=40, regions=1)
    splits = list(inner_splits(data, seed=0))
    data.features[:, 2:] = data.features[:, [1]]
    # Whoever scales with the first fold's patients shrinks the first feature; whoever filters with them keeps copies.
    for column, patient in zip([0, 2, 3, 4, 5, 6, 7], splits[0][1], strict=False):
        data.features[patient, column] *= 1000

    honest = [inner_auc(data, *split) for split in splits]
    leaking = [inner_auc(data, *split, leak=leak) for split in splits]
    found = search(data, seed=0, hyperparameters=CHOICE)

    assert found.best_score_ == pytest.approx(np.mean(honest), abs=1e-12)
    assert found.best_score_ != pytest.approx(np.mean(leaking), abs=1e-3)


def inner_auc(data: Training, rest: np.ndarray, held: np.ndarray, *, leak: str = "") -> float:
    """AUC of one inner fold, step by step; with `leak` that step also sees the held-out patients."""
    everyone = np.arange(len(data.labels))
    filtered = everyone if leak == "filter" else rest
    values = DistinctFeatures().fit(data.features[filtered]).transform(data.features)
    scaled = everyone if leak == "scale" else rest
    values = (values - values[scaled].mean(axis=0)) / values[scaled].std(axis=0)
    model = pipeline(seed=0)["model"].set_params(**CHOICE).fit(values[rest], data.labels[rest])
    return float(roc_auc_score(data.labels[held], model.decision_function(values[held])))


def test_the_model_file_scores_as_the_fitted_pipeline_does(tmp_path):
    data = training()
    fitted = search(data, seed=0, hyperparameters=CHOICE).best_estimator_
    ElasticNetModel.of(fitted, names_of(data)).write(tmp_path)

    logits = read_model(tmp_path).logits(data.features)

    assert np.abs(1 / (1 + np.exp(-logits)) - fitted.predict_proba(data.features)[:, 1]).max() < 1e-9


def test_a_logit_is_the_weighted_sum_of_scaled_features():
    model = ElasticNetModel(("a", "b", "c"), (0, 2), (10.0, 1.0), (2.0, 4.0), (0.5, -1.0), 0.25)

    # (14 - 10) / 2 * .5 - (9 - 1) / 4 * 1 + .25
    assert model.logits(np.array([[14.0, 99.0, 9.0]])).tolist() == [-0.75]
    assert model.table().rows() == [("c", -1.0), ("a", 0.5)]


def test_the_same_seed_gives_the_same_coefficients_to_the_bit():
    first, again = (
        ElasticNetModel.of(search(data, seed=4, hyperparameters=CHOICE).best_estimator_, names_of(data))
        for data in [training()] * 2
    )

    assert first == again
    assert first.fingerprint() == again.fingerprint()


def test_another_strength_of_the_penalty_gives_other_coefficients():
    data = training()

    weak, strong = (search(data, seed=0, hyperparameters={"C": c, "l1_ratio": 0.5}) for c in (1.0, 0.01))

    assert np.count_nonzero(weak.best_estimator_["model"].coef_) > np.count_nonzero(
        strong.best_estimator_["model"].coef_
    )


def test_an_unknown_hyperparameter_is_named():
    with pytest.raises(StudyError, match="no hyperparameter 'lr'; it has C, l1_ratio"):
        search(training(), seed=0, hyperparameters={"lr": 0.1})


def test_too_few_patients_of_a_class_are_an_error():
    data = training(patients=5)

    with pytest.raises(StudyError, match="2 positive and 3 negative patients, at least 3 of each"):
        search(data, seed=0)


def test_a_model_file_of_another_version_is_refused(tmp_path):
    (tmp_path / "model.json").write_text('{"version": 99}')

    with pytest.raises(StudyError, match=r"model\.json: version 99, this release reads 1"):
        read_model(tmp_path)


def test_inner_folds_do_not_depend_on_how_patients_are_called():
    data = training(patients=30)
    renamed = replace(data, patients=np.array([name[::-1] for name in data.patients]))

    parts = [[part.tolist() for split in inner_splits(one, seed=1) for part in split] for one in (data, renamed)]

    assert parts[0] == parts[1]
