"""Half precision, memory format and compilation: used where a quick check on the device shows that they pay."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from trainables.classification.objective import Objective
from trainables.memory import free

if TYPE_CHECKING:
    from trainables.classification.examples import Examples
    from trainables.classification.initialization import Start
    from trainables.classification.recipe import Recipe
    from trainables.task import Run

Network = Callable[[torch.Tensor], torch.Tensor]
Batch = tuple[torch.Tensor, torch.Tensor]

GAIN = 0.25
"""By which a way must be faster than a plainer one: another arithmetic gives other weights, and two sweeps of a study
on one machine should not differ because something else was running."""
ROUNDS = 3
CPU_INPUTS = 8
"""Of a batch, in the check on a CPU, where a step's time grows with its inputs anyway."""
WORTH_COMPILING = 600.0
"""Seconds of training that must lie ahead before compilation, which takes minutes, is even tried."""


@dataclass(frozen=True)
class Way:
    """How a training step is computed; validation and prediction always are in full precision and not compiled."""

    bfloat16: bool = False
    channels_last: bool = False
    compiled: bool = False

    def prepare(self, model: torch.nn.Module) -> Network:
        """Bring a network's weights into this way's memory format; returns it as training steps call it."""
        if self.channels_last:
            model.to(memory_format=torch.channels_last)
        return torch.compile(model) if self.compiled else model

    def logits(self, network: Network, inputs: torch.Tensor) -> torch.Tensor:
        """Logits in full precision, whatever the layers before were computed in."""
        if self.channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16, enabled=self.bfloat16):
            return network(inputs).float()


PLAIN = Way()


@dataclass(frozen=True)
class Timing:
    """Seconds of one training step in one way, and once before the first: compilation."""

    way: Way
    step: float
    before: float = 0.0

    def all(self, steps: int) -> float:
        """Seconds of so many steps."""
        return self.before + self.step * steps


def pace_of(began: Start, train: Examples, objective: Objective, recipe: Recipe, run: Run) -> dict[str, Any]:
    """The way in which all jobs with this network, input, batch size and kind of device train, and why.

    Measured by the first of them on copies, which are thrown away, and kept in the run store: replicates that are
    computed in different ways would differ in more than their seeds. Where a device leaves no choice nothing is
    measured.
    """
    device, card = train.stack.device, began.card
    if len(candidates(device)) == 1:
        return {"way": asdict(PLAIN), "timings": []}

    def measure() -> dict[str, Any]:
        batch = next(train.shuffled(recipe.augmentation, np.random.default_rng(0), recipe.batches))
        parts = recipe.batches.of_step(len(batch[1]))
        steps = recipe.epochs * recipe.batches.per_epoch(len(train.stack)) * parts
        first = batch[0].tensor_split(parts)[0], batch[1].tensor_split(parts)[0]
        timings = timed_where_it_fits(began.model, objective, first, steps)
        return {"way": asdict(fastest(timings, steps).way), "timings": [asdict(timing) for timing in timings]}

    size = f"batch {recipe.batches.size}"
    words = f"pace {card.backbone} {card.image_size} px {card.in_chans} ch {size} {device_name(device)}"
    return run.shared(re.sub(r"[^a-z0-9_]+", "-", words.lower()), measure)


def candidates(device: torch.device) -> list[Way]:
    """Ways worth timing, the plainest first; on a CPU without bfloat16 units half precision is many times slower."""
    if device.type == "cuda":
        ways = [PLAIN, Way(channels_last=True)]
        half = torch.cuda.is_bf16_supported(including_emulation=False)
        return [*ways, Way(bfloat16=True, channels_last=True)] if half else ways
    able = torch.cpu.get_capabilities()
    return [PLAIN, Way(bfloat16=True)] if able.get("avx512_bf16") or able.get("amx_bf16") else [PLAIN]


def fastest(timings: Sequence[Timing], steps: int) -> Timing:
    """The first way, unless a later one is faster by GAIN over so many steps; and so on."""
    best = timings[0]
    for timing in timings[1:]:
        if timing.all(steps) < (1 - GAIN) * best.all(steps):
            best = timing
    return best


def timed_where_it_fits(model: torch.nn.Module, objective: Objective, batch: Batch, steps: int) -> list[Timing]:
    """As `timed`, with half as many inputs until the copies fit beside each other.

    A training needs less than they do: were it this check that ran out of memory, the job that makes it would train in
    smaller parts than those that find its choice.
    """
    while True:
        try:
            return timed(model, objective, batch, steps)
        except torch.OutOfMemoryError:
            half = len(batch[1]) // 2
            if half < 2:  # batch norm needs two
                raise
        # Not within `except`: until there the traceback keeps the copies alive.
        free()
        batch = batch[0][:half], batch[1][:half]


def timed(model: torch.nn.Module, objective: Objective, batch: Batch, steps: int) -> list[Timing]:
    """All candidates of the batch's device, and the best of them compiled where so many steps might pay for it."""
    timings = measured(model, objective, batch, candidates(batch[0].device))
    best = fastest(timings, steps)
    if batch[0].is_cuda and best.all(steps) > WORTH_COMPILING:
        timings += measured(model, objective, batch, [replace(best.way, compiled=True)])
    return timings


def measured(model: torch.nn.Module, objective: Objective, batch: Batch, ways: Sequence[Way]) -> list[Timing]:
    """Train copies of a network, all of it, for a few steps each; in turns, so that other programs disturb all alike.

    The fastest step counts. Raises torch.OutOfMemoryError where even these do not fit.
    """
    inputs, labels = batch if batch[0].is_cuda else (batch[0][:CPU_INPUTS], batch[1][:CPU_INPUTS])
    works = [_work(model, objective, (inputs, labels), way) for way in ways]
    firsts = [_seconds(work, inputs.device) for work in works]
    rounds = [[_seconds(work, inputs.device) for work in works] for _ in range(ROUNDS)]
    steps = [min(times) for times in zip(*rounds, strict=True)]
    return [
        Timing(way, step, first - step if way.compiled else 0.0)
        for way, step, first in zip(ways, steps, firsts, strict=True)
    ]


def device_name(device: torch.device) -> str:
    """Of the GPU, or what a CPU can compute with."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu {torch.backends.cpu.get_cpu_capability()}"


def _work(model: torch.nn.Module, objective: Objective, batch: Batch, way: Way) -> Callable[[], object]:
    trained = copy.deepcopy(model).requires_grad_(True).train()
    network = way.prepare(trained)
    optimizer = torch.optim.AdamW(trained.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        torch.autograd.backward(objective.loss(way.logits(network, batch[0]), batch[1]))
        optimizer.step()

    return step


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    _wait(device)
    begin = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - begin


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
