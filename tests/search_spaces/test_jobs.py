from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from search_spaces.jobs import key_of
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
