from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.job import key_of
from tests.search_spaces.builders import PRINTS, jobs, make_study

TRAINING = {"features", "pretrain", "tune", "fit"}


def keys(study, kinds=TRAINING, prints=None):
    return {job.key for job in jobs(study, prints).values() if job.kind in kinds}


def test_the_jobs_of_a_study_are_counted_by_hand():
    found = Counter(job.kind for job in jobs(make_study()).values())

    # 10 cells; 2 backbones x 2 corpora; 2 trials, 2 folds and 3 centers each.
    assert found == {"pretrain": 4, "tune": 20, "fit": 20, "predict": 60}


def test_cells_share_the_pretraining_of_their_corpus_and_backbone():
    found = jobs(make_study())

    pretraining = found["pretrain-resnet18-chest"].key
    for init in ("transfer", "frozen"):
        assert found[f"classification/resnet18-chest-{init}-f0-s0"].needs == (pretraining,)
    assert found["classification/resnet18-none-scratch-f0-s0"].needs == ()


def test_a_new_center_changes_no_training_key():
    study = make_study()
    wider = make_study(cohort={"data": "data", "development": ["a"], "external": ["b", "c", "d"]})

    assert keys(wider) == keys(study)
    assert len(keys(wider, {"predict"}) - keys(study, {"predict"})) == 20


def test_a_new_backbone_or_seed_leaves_the_keys_that_were_there():
    study = make_study()
    wider = make_study(arm={"fit": {"epochs": 3, "seeds": [0, 1]}})

    assert keys(study) < keys(wider)
    assert len(keys(wider)) - len(keys(study)) == 20


def test_other_labels_of_an_external_center_change_no_key_at_all():
    study = make_study()
    relabeled = {**PRINTS, "b": {**PRINTS["b"], "labels": "corrected"}}

    assert keys(study, {*TRAINING, "predict"}, relabeled) == keys(study, {*TRAINING, "predict"})


def test_other_development_data_change_every_fit_but_no_pretraining():
    study = make_study()
    changed = {**PRINTS, "a": {**PRINTS["a"], "images": "more"}}

    assert not keys(study, {"fit", "tune"}, changed) & keys(study, {"fit", "tune"})
    assert keys(study, {"pretrain"}, changed) == keys(study, {"pretrain"})


def test_names_places_and_workers_are_not_in_a_key():
    study = make_study()
    moved = make_study(name="renamed", arm={"name": "other", "resources": {"gpu": 0.5, "cpus": 2}})

    assert keys(moved) == keys(study)


def test_boxes_count_only_where_regions_come_from_them():
    reboxed = {**PRINTS, "b": {**PRINTS["b"], "boxes": "redrawn"}}
    whole, boxed = make_study(arm={"region": "image"}), make_study(arm={"region": "box"})

    assert keys(whole, {"predict"}, reboxed) == keys(whole, {"predict"})
    assert keys(boxed, {"predict"}, reboxed) != keys(boxed, {"predict"})


def test_a_tuning_trial_waits_for_all_batches_before_its_own():
    found = jobs(make_study(arm={"tune": {"trials": 5, "epochs": 1, "parallel": 2}}))
    trials = [found[f"classification/resnet18-none-scratch-t{number}"] for number in range(5)]

    assert [len(trial.trials) for trial in trials] == [0, 0, 2, 2, 4]
    assert len(found["classification/resnet18-none-scratch-f0-s0"].trials) == 5


def test_only_predictions_of_external_centers_are_sealed():
    sealed = {job.center for job in jobs(make_study()).values() if job.sealed}

    assert sealed == {"b", "c"}


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), min_size=1))
def test_a_key_does_not_depend_on_the_order_of_a_recipe(recipe):
    assert key_of(recipe) == key_of(dict(reversed(recipe.items())))


def test_each_pretraining_seed_is_a_job_and_replicates_take_them_in_turn():
    study = make_study(
        corpora={"chest": {"data": "d", "pretrain": {"seeds": [0, 7]}}, "natural": {"data": "e"}},
        arm={"fit": {"epochs": 3, "seeds": [0, 1, 2]}},
    )
    found = jobs(study)
    cell = "classification/resnet18-chest-transfer"

    first, second = found["pretrain-resnet18-chest-s0"].key, found["pretrain-resnet18-chest-s7"].key

    assert [found[f"{cell}-f1-s{seed}"].needs for seed in (0, 1, 2)] == [(first,), (second,), (first,)]
    assert found[f"{cell}-t0"].needs == (first,)
    assert found["pretrain-resnet18-natural"].seed == 0


def test_a_further_pretraining_seed_leaves_the_first_ones_results_alone():
    study = make_study()
    wider = make_study(corpora={"chest": {"data": "d/chest", "pretrain": {"seeds": [0, 1]}}, "natural": {"data": "e"}})

    assert keys(study, {"pretrain", "tune", "fit"}) < keys(wider, {"pretrain", "tune", "fit"})


def test_radiomics_is_measured_in_parts_that_every_replicate_needs():
    arm = {"task": "radiomics", "labels": {"positive": ["malignant"], "negative": ["benign"]}, "parts": 3}
    found = jobs(make_study(more_arms=[arm]))

    parts = [found[f"features-a-{number}of3"] for number in (1, 2, 3)]

    assert [job.recipe["part"] for job in parts] == [[0, 3], [1, 3], [2, 3]]
    assert found["radiomics/elasticnet-none-scratch-f0-s0"].needs == tuple(job.key for job in parts)
    assert len(found["radiomics/elasticnet-none-scratch-f0-s0-b"].needs) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"tune": {"trials": 2, "epochs": 2, "parallel": 2, "rungs": [1]}},
        {"tune": {"trials": 2, "epochs": 1, "parallel": 2, "search": ["learning_rate"]}},
        {"tune": {"trials": 2, "epochs": 1, "parallel": 2, "fixed": {"schedule": "linear"}}},
        {"channels": 3},
        {"batch_size": 16},
        {"accumulate": 2},
    ],
    ids=lambda change: str(list(change.values())[-1]),
)
def test_whatever_shapes_a_training_changes_its_keys(change):
    assert not keys(make_study(), {"tune", "fit"}) & keys(make_study(arm=change), {"tune", "fit"})


def test_patience_and_limits_shape_what_they_say_and_no_more():
    study = make_study()
    patient = make_study(arm={"fit": {"epochs": 3, "seeds": [0], "patience": 2}})
    limited = make_study(arm={"resources": {"memory_gb": 8, "hours": 1}})

    assert keys(patient, {"tune"}) == keys(study, {"tune"})
    assert not keys(patient, {"fit"}) & keys(study, {"fit"})
    assert keys(limited) == keys(study)


def test_the_same_files_under_another_normalization_are_another_training(tmp_path):
    (tmp_path / "radimagenet").mkdir()
    (tmp_path / "radimagenet" / "resnet50.safetensors").write_bytes(b"weights")
    grid = {"backbone": ["resnet50"], "pretraining": ["radimagenet", "per_image"], "init": ["transfer"]}
    sources = {"per_image": {"files": "radimagenet", "normalization": "per_image"}}

    found = jobs(make_study(arm={"grid": grid}, weights=str(tmp_path), sources=sources))
    start = [
        found[f"classification/resnet50-{name}-transfer-t0"].recipe["cell"]["source"]
        for name in ("radimagenet", "per_image")
    ]

    assert start[0]["sha256"] == start[1]["sha256"]
    assert [source["normalization"] for source in start] == [{"mean": (0.5,) * 3, "std": (0.5,) * 3}, None]
