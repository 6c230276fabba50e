"""Which way of computing a step is chosen: a function of timings, the same for all jobs of a run store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.classification_jobs import data, fit_job
from tests.trainables.fakes import FakeRun
from trainables.classification import pace
from trainables.classification.objective import Malignancy
from trainables.classification.pace import PLAIN, Timing, Way, fastest

HALF = Way(bfloat16=True)
COMPILED = Way(bfloat16=True, compiled=True)


@pytest.mark.parametrize(("seconds", "chosen"), [(0.76, PLAIN), (0.74, HALF), (4.0, PLAIN)])
def test_another_way_must_save_a_quarter_of_the_time(seconds: float, chosen: Way) -> None:
    assert fastest([Timing(PLAIN, 1.0), Timing(HALF, seconds)], steps=10).way == chosen


@pytest.mark.parametrize(("steps", "chosen"), [(100, HALF), (1000, COMPILED)])
def test_compilation_is_chosen_where_the_steps_ahead_pay_for_it(steps: int, chosen: Way) -> None:
    timings = [Timing(PLAIN, 1.0), Timing(HALF, 0.5), Timing(COMPILED, 0.3, before=60.0)]

    assert fastest(timings, steps).way == chosen


def test_half_precision_is_tried_on_a_cpu_only_where_it_has_units_for_it() -> None:
    able = torch.cpu.get_capabilities()

    tried = pace.candidates(torch.device("cpu"))

    assert (HALF in tried) == bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    assert tried[0] == PLAIN
    assert not any(way.channels_last or way.compiled for way in tried)


def test_the_check_leaves_the_network_as_it_was() -> None:
    model = torch.nn.Sequential(torch.nn.BatchNorm2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 1)).eval()
    model[2].requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    batch = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 0, 1])

    timings = pace.measured(model, Malignancy(1.0), batch, [PLAIN, HALF, Way(channels_last=True)])

    assert [timing.way for timing in timings] == [PLAIN, HALF, Way(channels_last=True)]
    assert all(timing.step > 0 and timing.before == 0 for timing in timings)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.training
    assert not model[2].weight.requires_grad


class Large(torch.nn.Module):
    """Runs out of memory with more than so many inputs."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.layer = most, torch.nn.Linear(4, 1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if len(inputs) > self.most:
            raise torch.OutOfMemoryError("no room for copies")
        logits: torch.Tensor = self.layer(inputs)
        return logits


def test_a_check_that_does_not_fit_is_made_with_fewer_inputs() -> None:
    batch = torch.rand(7, 4), torch.tensor([0, 1, 0, 1, 0, 1, 0])

    assert pace.timed_where_it_fits(Large(3), Malignancy(1.0), batch, steps=1)
    with pytest.raises(torch.OutOfMemoryError):
        pace.timed_where_it_fits(Large(1), Malignancy(1.0), batch, steps=1)


def test_half_precision_gives_logits_in_full_precision_and_different_ones() -> None:
    torch.manual_seed(0)
    network, inputs = torch.nn.Conv2d(1, 1, 3), torch.rand(1, 1, 8, 8)

    full, half = (way.logits(network, inputs) for way in (PLAIN, HALF))

    assert full.dtype == half.dtype == torch.float32
    assert not torch.equal(full, half)
    torch.testing.assert_close(full, half, atol=0.02, rtol=0.02)


class Given(FakeRun):
    """A run store in which an earlier job left its choice."""

    def shared(self, name: str, make: Any) -> dict[str, Any]:
        self.asked = name
        return {"way": {"bfloat16": True, "channels_last": False, "compiled": False}, "timings": ["of another job"]}


@pytest.mark.slow
def test_a_job_computes_in_the_way_that_the_first_one_chose(tmp_path: Path) -> None:
    from trainables import TASKS

    if len(pace.candidates(torch.device("cpu"))) == 1:
        pytest.skip("this CPU leaves no choice")
    run, plain = Given(tmp_path / "given"), FakeRun(tmp_path / "plain")

    for each in (run, plain):
        TASKS["classification"]().fit(fit_job(), data(), each)

    assert run.certificate["pace"]["timings"] == ["of another job"]
    assert run.asked.startswith("pace-test_resnet-32-px-1-ch-batch-32-cpu")
    assert run.reports[0][1]["train/loss"] != plain.reports[0][1]["train/loss"]
    assert replace(PLAIN, **run.certificate["pace"]["way"]) == HALF
