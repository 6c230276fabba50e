"""A batch that does not fit the device's memory is computed in smaller parts, and that is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.trainables.fakes import FakeRun
from trainables.memory import with_smaller_parts


class Device:
    """Has memory for a batch in so many parts, and remembers what it was asked for."""

    def __init__(self, fitting: int) -> None:
        self.fitting = fitting
        self.asked: list[int] = []

    def train(self, parts: int) -> str:
        self.asked.append(parts)
        if parts < self.fitting:
            raise torch.OutOfMemoryError(f"no memory for {parts} parts\nand a long table")
        return f"trained in {parts}"


@pytest.mark.parametrize(("fitting", "tried"), [(1, [1]), (2, [1, 2]), (4, [1, 2, 4])])
def test_parts_are_doubled_until_a_batch_fits(tmp_path: Path, fitting: int, tried: list[int]) -> None:
    run, device = FakeRun(tmp_path), Device(fitting)

    result = with_smaller_parts(run, device.train)

    assert result == f"trained in {tried[-1]}"
    assert device.asked == tried
    recorded = run.certificate.get("out_of_memory", [])
    assert [failure["parts"] for failure in recorded] == tried[:-1]


def test_a_batch_that_never_fits_is_given_up_after_two_halvings(tmp_path: Path) -> None:
    run = FakeRun(tmp_path)

    with pytest.raises(torch.OutOfMemoryError, match="no memory for 4 parts"):
        with_smaller_parts(run, Device(8).train)

    assert run.certificate["out_of_memory"] == [
        {"parts": 1, "error": "no memory for 1 parts"},
        {"parts": 2, "error": "no memory for 2 parts"},
    ]


def test_other_errors_are_not_taken_for_a_lack_of_memory(tmp_path: Path) -> None:
    def fail(parts: int) -> None:
        raise RuntimeError(f"a bug in {parts} parts")

    with pytest.raises(RuntimeError, match="a bug in 1 parts"):
        with_smaller_parts(FakeRun(tmp_path), fail)
