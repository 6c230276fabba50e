from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from orchestrator.forecast import Sizes, estimate
from search_spaces.job import in_order
from search_spaces.study import StudySpec
from tests.search_spaces.builders import jobs, make_study

RADIOMICS = {"task": "radiomics", "labels": {"positive": ["malignant"], "negative": ["benign"]}}
SIZES = Sizes({"a": 200, "b": 100, "c": 100})


def study(ladder: dict[str, Any] | None = None, **changes: Any) -> StudySpec:
    robust = {"robustness": ladder} if ladder else {}
    return make_study(arm={"region": "box", **robust, **changes}, more_arms=[{**RADIOMICS, **robust}])


def seconds(found: StudySpec, *words: str) -> float:
    """Of all jobs whose names hold the words."""
    chosen = [job for name, job in jobs(found).items() if all(word in name for word in words)]
    assert chosen
    return sum(estimate(found, job, SIZES) for job in chosen)


def test_a_longer_ladder_and_more_images_take_longer() -> None:
    ladders = ({"scale": [2], "images": 10}, {"scale": [2, 0.5], "images": 10}, {"scale": [2, 0.5]})

    for part in ("resnet18-none-scratch-f0-s0-b-perturbed", "features-b-perturbed"):
        found = [seconds(study(ladder), part) for ladder in ladders]
        assert all(shorter < longer for shorter, longer in pairwise(found))


def test_measuring_a_center_in_parts_takes_each_region_once() -> None:
    # 2.5 seconds to start each of four jobs, 0.2 for each of 100 regions.
    assert seconds(study(), "features-b") == pytest.approx(4 * 2.5 + 100 * 0.2)


def test_of_development_centers_the_reserve_alone_is_perturbed() -> None:
    # A fifth of 200 images, in two variants; one part holds 40 of such boxes or more, four parts are allowed.
    assert seconds(study({"scale": [2, 0.5]}), "features-a-perturbed") == pytest.approx(4 * 2.5 + 2 * 40 * 0.2)


def test_a_map_takes_a_pass_backward_and_with_its_check_another_network() -> None:
    plain, checked = (
        seconds(study(saliency={"images": 50, "sanity": sanity}), "resnet18-none-scratch-f0-s0-b-saliency")
        for sanity in (False, True)
    )

    assert checked > plain > seconds(study(), "resnet18-none-scratch-f0-s0-b")


def test_work_is_listed_by_kind_with_plain_scores_first() -> None:
    works = {job.work for job in jobs(study({"scale": [2]}, saliency=True)).values()}

    assert sorted(works, key=in_order) == [
        *("features", "features perturbed", "pretrain", "tune", "fit"),
        *("predict", "predict perturbed", "predict saliency"),
    ]
