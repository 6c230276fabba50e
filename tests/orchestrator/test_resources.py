from __future__ import annotations

import pytest

from orchestrator.resources import Capacity, Shape, check_capacity, shape_of
from search_spaces.errors import StudyError
from tests.search_spaces.builders import jobs, make_study

STUDY = make_study(arm={"resources": {"gpu": 0.5, "cpus": 4}})
FIT = jobs(STUDY)["classification/resnet18-none-scratch-f0-s0"]


def test_without_a_gpu_every_job_takes_one_cpu():
    assert shape_of(STUDY, FIT, Capacity(8)) == Shape(1, 0)


def test_with_a_gpu_a_network_takes_what_its_arm_asks_for():
    assert shape_of(STUDY, FIT, Capacity(8, 1)) == Shape(4, 0.5)


def test_a_job_that_fits_no_single_node_is_refused_though_the_cluster_is_large():
    cpu_node, gpu_node = Capacity(16, 0), Capacity(2, 4)

    with pytest.raises(StudyError, match=r"asks for 4 CPUs and 0\.5 GPU, the largest node has 2 and 4"):
        check_capacity(STUDY, [FIT], Capacity(18, 4), [cpu_node, gpu_node])


def test_a_job_that_fits_one_node_is_accepted():
    check_capacity(STUDY, [FIT], Capacity(18, 4), [Capacity(2, 0), Capacity(16, 4)])
    assert Capacity(16, 4).holds(Shape(4, 0.5))


def test_what_runs_is_taken_off_what_is_left():
    assert Capacity(4, 1).minus([Shape(1, 0.5), Shape(1, 0.25)]) == Capacity(2, 0.25)
