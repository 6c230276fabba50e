from __future__ import annotations

from collections import Counter

import pytest

from search_spaces.study import StudySpec
from tests.search_spaces.builders import PRINTS, jobs, make_study

LADDER = {"shift": [0.1], "scale": [1.2], "draws": 2, "images": 30}
RADIOMICS = {"task": "radiomics", "labels": {"positive": ["malignant"], "negative": ["benign"]}, "parts": 2}


def study(ladder=None, saliency=None, **changes) -> StudySpec:
    more = {} if ladder is None else {"robustness": ladder}
    shown = {} if saliency is None else {"saliency": saliency}
    return make_study(arm={"region": "box", **more, **shown}, more_arms=[{**RADIOMICS, **more}], **changes)


def keys(found: StudySpec, *purposes: str) -> set[str]:
    return {job.key for job in jobs(found).values() if job.purpose in purposes}


@pytest.mark.parametrize("saliency", [None, True, {"images": 3, "sanity": False}])
@pytest.mark.parametrize("ladder", [LADDER, {"aspect": [0.5]}, {**LADDER, "images": None}])
def test_a_new_ladder_or_map_trains_nothing_and_scores_no_image_again(ladder, saliency):
    plain, wider = jobs(study()), jobs(study(ladder, saliency))

    known = {job.key for job in plain.values()}
    new = [job for job in wider.values() if job.key not in known]

    assert known < {job.key for job in wider.values()}
    assert {(job.kind, job.purpose) for job in new} <= {
        *(("predict", "perturbed"), ("features", "perturbed"), ("predict", "saliency")),
    }


@pytest.mark.parametrize("change", [{"shift": [0.2]}, {"draws": 3}, {"images": 10}, {"scale": [1.2, 0.8]}])
def test_another_ladder_changes_the_perturbed_keys_alone(change):
    one, other = study(LADDER, saliency=True), study({**LADDER, **change}, saliency=True)

    assert keys(one, "scores", "saliency") == keys(other, "scores", "saliency")
    assert not keys(one, "perturbed") & keys(other, "perturbed")


def test_other_maps_change_their_keys_alone():
    one, other = (study(LADDER, saliency={"images": images}) for images in (10, 20))

    assert keys(one, "scores", "perturbed") == keys(other, "scores", "perturbed")
    assert not keys(one, "saliency") & keys(other, "saliency")


def test_perturbed_jobs_are_counted_by_hand():
    found = Counter((job.task, job.kind) for job in jobs(study(LADDER)).values() if job.purpose == "perturbed")

    # 10 cells x 2 folds and 1 baseline x 2 folds, on 3 centers each; 3 centers in 2 parts.
    assert found == {
        ("classification", "predict"): 60,
        ("radiomics", "predict"): 6,
        ("radiomics", "features"): 6,
    }


def test_perturbed_predictions_of_external_centers_are_sealed_too():
    perturbed = [job for job in jobs(study(LADDER, saliency=True)).values() if job.purpose != "scores"]

    assert {job.center for job in perturbed if job.sealed and job.kind == "predict"} == {"b", "c"}
    assert {job.center for job in perturbed if not job.sealed and job.kind == "predict"} == {"a"}


def test_radiomics_measures_perturbed_boxes_in_jobs_of_their_own():
    found = jobs(study(LADDER))
    job = found["radiomics/elasticnet-none-scratch-f0-s0-b-perturbed"]
    measured = {found[f"features-b-perturbed-{part}of2"].key for part in (1, 2)}

    assert set(job.needs) == {found["radiomics/elasticnet-none-scratch-f0-s0"].key, *measured}


@pytest.mark.parametrize(("images", "parts"), [(1, 1), (26, 1), (27, 2), (5000, 2), (None, 2)])
def test_few_perturbed_boxes_are_not_dealt_among_many_jobs(images, parts):
    found = jobs(study({**LADDER, "images": images})).values()

    measured = [
        job.recipe["part"] for job in found if (job.kind, job.purpose, job.center) == ("features", "perturbed", "b")
    ]

    assert measured == [[part, parts] for part in range(parts)]  # 3 variants, at least 40 boxes a part


def test_without_a_reserve_no_image_of_a_development_center_is_perturbed():
    split = {"kind": "kfold", "folds": 2, "reserve": 0}

    found = jobs(study(LADDER, saliency=True, split=split)).values()

    assert {job.center for job in found if job.purpose != "scores"} == {"b", "c"}


def test_another_reserve_changes_what_is_measured_of_development_centers_only():
    smaller = {"kind": "kfold", "folds": 2, "reserve": 0.1}
    one, other = (
        {name: job.key for name, job in jobs(found).items() if job.kind == "features"}
        for found in (study(LADDER), study(LADDER, split=smaller))
    )

    changed = {name for name in one if one[name] != other[name]}

    assert changed == {"features-a-perturbed-1of2", "features-a-perturbed-2of2"}


@pytest.mark.parametrize("center", ["a", "d"])
def test_labels_of_any_development_center_deal_another_reserve_which_is_measured_anew(center):
    two = study(LADDER, cohort={"data": "data", "development": ["a", "d"], "external": ["b"]})
    prints = {**PRINTS, "d": {"images": "d-i", "labels": "d-l", "boxes": "d-b"}}
    relabeled = {**prints, center: {**prints[center], "labels": "other"}}
    one, other = (
        {name: job.key for name, job in jobs(two, found).items() if job.kind == "features"}
        for found in (prints, relabeled)
    )

    changed = {name for name in one if one[name] != other[name]}

    assert changed == {f"features-{name}-perturbed-{part}of2" for name in ("a", "d") for part in (1, 2)}


def test_boxes_of_another_development_center_change_nothing_that_is_measured_here():
    two = study(LADDER, cohort={"data": "data", "development": ["a", "d"], "external": ["b"]})
    prints = {**PRINTS, "d": {"images": "d-i", "labels": "d-l", "boxes": "d-b"}}
    one, other = (jobs(two, {**prints, "d": {**prints["d"], "boxes": boxes}}) for boxes in ("d-b", "other"))

    name = "features-a-perturbed-1of2"

    assert one[name].key == other[name].key
