"""What statistics cost: DeLong and the bootstrap as ratios to scikit-learn, and the comparison of a whole study.

Each step runs in a process of its own, so that its peak memory is its own; ours and the peer take turns in it.
Usage: python benchmarks/comparison.py [step …]
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import inf, nan
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

EQUAL = 1e-12
"""AUCs of ours and of the peer may differ by rounding."""


@dataclass(frozen=True)
class Cost:
    """Seconds (the best of several) of ours and of the peer, and memory in MB before ours and at its peak."""

    seconds: float
    peer: float
    before: float
    peak: float
    note: str


def main() -> None:
    """Print the costs of the steps that are named, or of all."""
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(asdict(STEPS[sys.argv[2]]())))
        return
    where = f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}"
    title = f"{time.strftime('%Y-%m-%d')}, {where}, Python {sys.version.split()[0]}, numpy {np.__version__}"
    shown = Table("step", "ours s", "peer s", "ratio", "target", "MB before", "MB at peak", "", title=title)
    for name in sys.argv[1:] or STEPS:
        shown.add_row(name, *row(alone(name), TARGETS[name]))
    Console(width=None if sys.stdout.isatty() else 170).print(shown)


def alone(name: str) -> Cost:
    """A step in a process of its own."""
    command = [sys.executable, __file__, "--child", name]
    return Cost(**json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))


def row(cost: Cost, target: str) -> list[str]:
    """As texts; a step without a peer has seconds only."""
    peer, ratio = ("", "") if np.isnan(cost.peer) else (f"{cost.peer:.3f}", f"{ratio_of(cost, target):.2f}")
    return [f"{cost.seconds:.3f}", peer, ratio, target, f"{cost.before:.0f}", f"{cost.peak:.0f}", cost.note]


def ratio_of(cost: Cost, target: str) -> float:
    """Ours over the peer where the target is an upper limit, the peer over ours where it is a gain."""
    return cost.peer / cost.seconds if target.startswith("≥") else cost.seconds / cost.peer


def delong_pair(n: int) -> Cost:
    """The paired test of two AUCs against two calls of scikit-learn's `roc_auc_score`."""
    from sklearn.metrics import roc_auc_score

    from evaluation.discrimination.areas import difference
    from evaluation.discrimination.delong import placements

    labels, first, second = pair(n)
    before = memory()
    found = difference(placements(labels, first), placements(labels, second))
    peak = memory()
    seconds, peer = best(
        7,
        lambda: difference(placements(labels, first), placements(labels, second)),
        lambda: roc_auc_score(labels, first) - roc_auc_score(labels, second),
    )
    gap = abs(found.difference - (roc_auc_score(labels, first) - roc_auc_score(labels, second)))
    assert gap < EQUAL, f"the differences deviate by {gap:g}"
    return Cost(seconds, peer, before, peak, "same difference")


def bootstrap(n: int = 2000, draws: int = 2000, timed: int = 100) -> Cost:
    """The bootstrap of an AUC difference, ties right, against a loop over scikit-learn on the same draws."""
    from sklearn.metrics import roc_auc_score

    from evaluation.resampling import Resamples, auc_difference_bootstrap, resampled_auc

    labels, *both = pair(n)
    first, second = (np.round(scores, 1) for scores in both)
    resamples = Resamples.of(labels, draws=draws)
    before = memory()
    auc_difference_bootstrap(labels, first, second, resamples)
    peak = memory()
    counts = next(resamples.chunks())[:timed].astype(np.int64)
    found: list[list[float]] = []

    def loop() -> None:
        found.clear()
        for drawn in counts:
            cases = np.repeat(np.arange(n), drawn)
            found.append([roc_auc_score(labels[cases], scores[cases]) for scores in (first, second)])

    seconds, peer = best(5, lambda: auc_difference_bootstrap(labels, first, second, resamples), loop)
    ours = np.stack([resampled_auc(labels, scores, resamples)[:timed] for scores in (first, second)], axis=1)
    gap = np.abs(ours - np.array(found)).max()
    assert gap < EQUAL, f"the AUCs of the same draws deviate by {gap:g}"
    note = f"{np.unique(first).size} distinct scores; peer: {timed} draws x {draws // timed}; same AUCs in them"
    return Cost(seconds, peer * draws / timed, before, peak, note)


def whole_study(replicates: int) -> Cost:
    """Everything that `compare` does for 60 cells on 4 centers of 2,000 images and a reserve of 400, once."""
    from benchmarks.simulated.study import study
    from evaluation.comparison.comparing import compare

    case = study(replicates)
    before, start, cpu = memory(), time.perf_counter(), time.process_time()
    found = compare(case.predictions, case.labels, case.plan, case.cells, open_external=True)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    note = f"{case.predictions.height:,} predictions, {found.contrasts.height:,} contrasts; CPU {cpu:.1f} s"
    return Cost(seconds, nan, before, memory(), note)


def pair(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, 40 % of them positive, and two correlated scores."""
    random = np.random.default_rng(0)
    labels = (random.random(n) < 0.4).astype(np.int64)
    shared = random.normal(size=n) + labels
    return labels, shared + random.normal(size=n), shared + random.normal(size=n)


def best(rounds: int, ours: Callable[[], object], peer: Callable[[], object]) -> tuple[float, float]:
    """The fastest of some rounds in which both take turns."""
    fastest = [inf, inf]
    for _ in range(rounds):
        for at, work in enumerate((ours, peer)):
            start = time.perf_counter()
            work()
            fastest[at] = min(fastest[at], time.perf_counter() - start)
    return fastest[0], fastest[1]


def memory() -> float:
    """The most that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


STEPS: dict[str, Callable[[], Cost]] = {
    "delong-1e5": lambda: delong_pair(100_000),
    "delong-1e6": lambda: delong_pair(1_000_000),
    "bootstrap": bootstrap,
    "study-1": lambda: whole_study(1),
    "study-3": lambda: whole_study(3),
}
TARGETS = {"delong-1e5": "≤ 1.2", "delong-1e6": "≤ 1.2", "bootstrap": "≥ 25", "study-1": "≤ 20 s", "study-3": ""}


if __name__ == "__main__":
    main()
